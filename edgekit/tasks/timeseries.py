"""Which class a window of a stream is of, steadied over several windows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.results import Classification
from edgekit.tasks import classification
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.types import Head, Settings, Task, Tensors
from edgekit.tasks.view import View

SMOOTH = "windows over which scores are averaged, from 1 (1)"


class TimeseriesTask:
    """A classification of windows, whose scores are averaged over the last ones.

    Args:
        classify: Names the best classes.
        smooth: Over how many windows, from 1.
    """

    def __init__(self, classify: Task, smooth: int) -> None:
        self._classify = classify
        self._scores: deque[NDArray[np.float32]] = deque(maxlen=smooth)

    @property
    def remembers(self) -> bool:
        """Where it averages."""
        return self._scores.maxlen != 1

    def reset(self) -> None:
        """Forget earlier windows."""
        self._scores.clear()

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Classification:
        """A `Classification` of task `timeseries`."""
        self._scores.append(outputs[0])
        mean: NDArray[np.float32] = np.stack(list(self._scores)).mean(axis=0)
        found = self._classify([mean], device, view)
        assert isinstance(found, Classification)
        return replace(found, task="timeseries")


def _build(tensors: Tensors, settings: Settings) -> TimeseriesTask:
    """A `TimeseriesTask`.

    Raises:
        UsageError: an option that does not exist.
        DataError: labels that are not one for each class.
    """
    options = HeadOptions("windows", {"smooth": SMOOTH}, settings.options)
    classify = classification.HEADS[0].build(tensors, replace(settings, options={}))
    return TimeseriesTask(classify, options.whole("smooth", 1, least=1))


HEADS = (
    Head(
        name="windows", expects=classification.HEADS[0].expects, fits=classification.HEADS[0].fits, build=_build,
        options={"smooth": SMOOTH},
    ),
)
"""Scores of each window."""
