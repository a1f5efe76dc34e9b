"""Two models one after the other: the first finds objects, the second looks at each of them.

::

    cascade = edgekit.Cascade(edgekit.load("person.tflite"), edgekit.load("helmet.tflite"), objects=["person"])
    for result in edgekit.run(cascade, "camera:0"):
        for person in result.objects:
            print(person.box, person.inner and person.inner.best())
"""

from __future__ import annotations

import difflib
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edgekit.choices import one_of
from edgekit.errors import DataError, UsageError
from edgekit.failover.announcing import Listener
from edgekit.inputs import Input
from edgekit.metadata.types import ColourOrder, Window
from edgekit.model import Model, Prepared
from edgekit.results import DetectedObject, Detection, Latency, Pose, Result
from edgekit.results.moving import moved
from edgekit.windows.validity import Policy

FINDERS = ("detection", "pose")
"""Tasks whose results have objects."""

MOST_MARGIN = 10.0

Crop = tuple[int, int, int, int]
"""First column and row, and those behind the last ones."""


def crop_of(found: DetectedObject, margin: float, width: int, height: int) -> Crop | None:
    """The pixels of a frame that hold an object: all those that its box touches, once it is widened.

    Args:
        found: The object.
        margin: What is added on each side, in parts of the box's width or height.
        width: Columns of the frame.
        height: Its rows.

    Returns:
        None where the object has no pixels: its box is empty, outside the frame, or not finite.
    """
    if not all(map(math.isfinite, found.box)) or found.width <= 0 or found.height <= 0:
        return None
    left, top, right, bottom = found.box
    beside, above = margin * found.width, margin * found.height
    columns = max(0, math.floor(left - beside)), min(width, math.ceil(right + beside))
    rows = max(0, math.floor(top - above)), min(height, math.ceil(bottom + above))
    if columns[0] >= columns[1] or rows[0] >= rows[1]:
        return None
    return columns[0], rows[0], columns[1], rows[1]


class Cascade:
    """A detector, and a model that runs on each of the objects that it finds. `run` and `Pipeline` take it as a model.

    A result is the detector's, a `Detection` or a `Pose`; each object that was looked at has in `inner` what the second
    model says of it. Places in there are places in the frame too. The result's latency is that of all together, an
    object's `inner.latency` that of the second model on this object; what is left is the detector's.

    Args:
        detector: Finds objects: a model of the task `detection`, or of `pose` with boxes.
        inner: Takes pictures; runs on each object by itself, one after another. The detector's `top` and `score`
            bound how many there are.
        objects: Labels of the objects to look at; all of them where none is given.
        margin: What is added to a box on each side, in parts of its width and height, from 0 to 10.

    Raises:
        UsageError: models that do not go together, labels that the detector does not know, or such a margin.
    """

    def __init__(self, detector: Model, inner: Model, *, objects: Sequence[str] = (), margin: float = 0.0) -> None:
        if not 0 <= margin <= MOST_MARGIN:
            raise UsageError(f"margin has to be a number from 0 to {MOST_MARGIN:g}, not {margin}")
        _check_models(detector, inner)
        if isinstance(objects, str):
            objects = (objects,)
        _check_labels(detector, objects)
        self.detector, self.inner = detector, inner
        self.objects, self.margin = frozenset(objects), margin

    def __call__(self, data: Any, *, channels: ColourOrder = "rgb") -> Result:
        """Run both on one picture.

        Args:
            data: uint8 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
            channels: Order of its colours.

        Returns:
            What the detector says, with `inner` in its objects; it counts as captured at the moment of the call.

        Raises:
            DataError: it is no picture.
            DeviceError: a device failed.
        """
        one_of("channels", channels, get_args(ColourOrder))
        captured, now = time.monotonic(), datetime.now(timezone.utc)
        result = self.run_prepared(self.preparation()(data, channels))
        return replace(result, captured=captured, time=now)

    def preparation(self) -> CascadePreparation:
        """What prepares pictures for `run_prepared`. For one thread at a time."""
        return CascadePreparation(self.detector)

    def run_prepared(self, prepared: Prepared) -> Result:
        """Run both on what a `preparation` made.

        Raises:
            DataError: the detector gives bodies without boxes, or objects without labels where labels were asked for.
            DeviceError: a device failed.
        """
        result = self.detector.run_prepared(prepared)
        if not isinstance(result, (Detection, Pose)) or result.objects is None:
            raise DataError(
                f"{self.detector.path} gives no boxes of objects, which could be looked at",
                hint="Take a model that finds several bodies, or objects.",
            )
        objects = tuple(self._looked_at(result.objects, prepared))
        times = [result.latency, *(found.inner.latency for found in objects if found.inner is not None)]
        return replace(result, objects=objects, latency=_sum(times))

    def _looked_at(self, objects: Sequence[DetectedObject], prepared: Prepared) -> Iterator[DetectedObject]:
        frame: NDArray[np.uint8] = prepared.data
        height, width = frame.shape[:2]
        for found in objects:
            crop = crop_of(found, self.margin, width, height) if self._is_wanted(found) else None
            if crop is None:
                yield found
                continue
            left, top, right, bottom = crop
            inner = self.inner(frame[top:bottom, left:right], channels=prepared.channels)
            yield replace(found, inner=moved(inner, left, top, width, height))

    def _is_wanted(self, found: DetectedObject) -> bool:
        if self.objects and not found.label:
            raise DataError(
                f"{self.detector.path} gives objects without labels, and only {', '.join(sorted(self.objects))} is to "
                "be looked at",
                hint="Give the detector a file of labels.",
            )
        return not self.objects or found.label in self.objects

    @contextmanager
    def events_to(self, listener: Listener) -> Iterator[None]:
        """As in `Model`, for both."""
        with self.detector.events_to(listener), self.inner.events_to(listener):
            yield

    @property
    def remembers(self) -> bool:
        """Whether the detector's answer depends on earlier samples."""
        return self.detector.remembers

    @property
    def path(self) -> Path:
        """The detector's file."""
        return self.detector.path

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the detector takes."""
        return self.detector.inputs

    @property
    def windows(self) -> tuple[Window | None, ...]:
        """None for its input: it takes pictures, and no windows of a stream."""
        return self.detector.windows

    @property
    def invalid(self) -> Policy:
        """As in `Model`."""
        return self.detector.invalid

    @property
    def task(self) -> str:
        """Both tasks."""
        return f"{self.detector.task}, then {self.inner.task}"

    @property
    def device(self) -> str:
        """What they run on."""
        return " and ".join(dict.fromkeys((self.detector.device, self.inner.device)))

    @property
    def device_reason(self) -> str:
        """Why they run there, as in `Model`."""
        return "; then ".join(filter(None, dict.fromkeys((self.detector.device_reason, self.inner.device_reason))))

    @property
    def parallel(self) -> int:
        """How many pictures may be on their way at once."""
        return max(self.detector.parallel, self.inner.parallel)

    def __repr__(self) -> str:
        return f"<Cascade {self.detector.path.name}, {self.inner.path.name}: {self.task} on {self.device}>"


class CascadePreparation:
    """Prepares pictures for the detector, and sees that they are pictures, of which parts can be cut."""

    def __init__(self, detector: Model) -> None:
        self._prepare = detector.preparation()

    def __call__(self, data: Any, channels: ColourOrder = "rgb") -> Prepared:
        """As in `Preparation`.

        Raises:
            DataError: it is no picture.
        """
        if not (isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim in (2, 3)):
            raise DataError("a cascade takes pictures (uint8), of which it can cut objects out")
        return self._prepare(data, channels)


def _check_models(detector: Model, inner: Model) -> None:
    if detector.task not in FINDERS:
        raise UsageError(
            f"{detector.path} is for {detector.task} and finds no objects", hint=f"Take one for {' or '.join(FINDERS)}."
        )
    if [tensor.image is not None for tensor in inner.inputs] != [True]:
        raise UsageError(f"{inner.path} takes no picture, and cannot look at objects of {detector.path}")
    if inner.remembers:
        raise UsageError(f"{inner.path} remembers earlier samples, and those of several objects would be mixed")


def _check_labels(detector: Model, objects: Sequence[str]) -> None:
    known = [label for output in detector.outputs for label in output.labels]
    for label in objects:
        if known and label not in known:
            near = difflib.get_close_matches(label, known, n=1)
            raise UsageError(
                f"{detector.path} knows no '{label}'" + (f"; did you mean '{near[0]}'?" if near else ""),
                hint=f"It finds {', '.join(known[:10])}{', ...' if len(known) > 10 else ''}.",
            )


def _sum(times: Sequence[Latency]) -> Latency:
    return Latency(
        sum(one.preprocess for one in times), sum(one.inference for one in times), sum(one.postprocess for one in times)
    )
