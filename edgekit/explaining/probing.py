"""Runs the model on masked samples and counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import isfinite

import numpy as np

from edgekit.errors import DataError
from edgekit.explaining.objectives import Objective
from edgekit.explaining.planes import Mask, Plane
from edgekit.metadata.types import ColourOrder
from edgekit.model import Model

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how many runs of it are done and how many there will be."""


class Probe:
    """A model, a sample and the score that is explained.

    Args:
        model: The opened model.
        plane: The sample.
        channels: Order of a picture's colours.
        objective: The score.
        progress: Told of each run.
    """

    def __init__(
        self, model: Model, plane: Plane, channels: ColourOrder, objective: Objective, progress: OnProgress
    ) -> None:
        self.plane, self.runs = plane, 0
        self._model, self._channels, self._objective, self._progress = model, channels, objective, progress
        self._stage, self._done, self._total = "", 0, 0

    def begin(self, stage: str, total: int) -> None:
        """Name what comes now, and how many runs it takes."""
        self._stage, self._done, self._total = stage, 0, total

    def score(self, seen: Mask) -> float:
        """The score where only a part is seen.

        Raises:
            DataError: it is no finite number.
        """
        found = self._objective.score(self._model(self.plane.masked(seen), channels=self._channels))
        self.runs += 1
        self._done += 1
        self._progress(self._stage, self._done, self._total)
        if not isfinite(found):
            raise DataError(
                f"the {self._objective.said} is no finite number where a part is hidden",
                hint="Choose another baseline.",
            )
        return found

    def seconds_a_run(self, times: int = 3) -> float:
        """What one run takes, the shortest of some, after a first one that is not counted."""
        seen = np.ones(self.plane.cells, np.float32)
        took = []
        for _ in range(times + 1):
            started = time.perf_counter()
            self.score(seen)
            took.append(time.perf_counter() - started)
        return min(took[1:])
