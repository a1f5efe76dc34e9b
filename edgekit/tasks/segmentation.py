"""The class of each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError
from edgekit.inputs import SMALLEST_PICTURE
from edgekit.results import ClassShare, Latency, Segmentation
from edgekit.tasks.options import HeadOptions, refuse_score
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View

MOST_CLASSES = 1 << 16
_WHOLE = 0.5


@dataclass(frozen=True, slots=True)
class SegmentationTask:
    """The class of each pixel.

    Attributes:
        form: Of the output: `scores` (1, h, w, classes), `classes` (1, h, w), or `binary` (1, h, w, 1).
        threshold: The score from which on a pixel of a binary mask is class 1.
        labels: Class names, or none.
    """

    form: str
    threshold: float
    labels: tuple[str, ...]

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Segmentation:
        """A `Segmentation`, whose mask is as fine as the output."""
        mask, area = view.crop_map(self._classes(outputs[0][0]))
        mask = np.ascontiguousarray(mask)
        return Segmentation(
            task="segmentation", device=device, latency=Latency(), mask=mask, area=area, classes=self._shares(mask),
            width=view.width, height=view.height,
        )

    def _classes(self, output: NDArray[np.float32]) -> NDArray[np.unsignedinteger]:
        if self.form == "scores":
            return _smallest(output.argmax(axis=-1), output.shape[-1])
        plane = output.reshape(output.shape[:2])
        if self.form == "binary":
            return (plane >= self.threshold).astype(np.uint8)
        largest = int(plane.max(initial=0))
        return _smallest(plane.clip(0, MOST_CLASSES - 1), max(len(self.labels), largest + 1))

    def _shares(self, mask: NDArray[np.unsignedinteger]) -> tuple[ClassShare, ...]:
        counts = np.bincount(mask.ravel())
        present = np.flatnonzero(counts)
        ranked = present[np.argsort(-counts[present], kind="stable")].tolist()
        return tuple(ClassShare(index, self._label(index), int(counts[index]) / mask.size) for index in ranked)

    def _label(self, index: int) -> str:
        return self.labels[index] if index < len(self.labels) else ""


def _smallest(classes: NDArray[np.generic], count: int) -> NDArray[np.unsignedinteger]:
    return classes.astype(np.uint8 if count <= 1 << 8 else np.uint16)


def map_shape(tensors: Tensors) -> tuple[int, int, int] | None:
    """Rows, columns and channels of the one output where it is a picture of 8 pixels or more a side; else None."""
    shape = tensors.outputs[0].shape if len(tensors.outputs) == 1 else ()
    if len(shape) not in (3, 4) or shape[0] != 1 or min(shape[1:3]) < SMALLEST_PICTURE:
        return None
    return shape[1], shape[2], shape[3] if len(shape) == 4 else 1


def _fits_scores(tensors: Tensors) -> bool:
    found = map_shape(tensors)
    return found is not None and found[2] > 1


def _certain_scores(tensors: Tensors) -> bool:
    found = map_shape(tensors)
    if found is None or found[2] < 2 or not tensors.width:
        return False
    return tensors.outputs[0].activation == "SOFTMAX" or len(tensors.labels) == found[2]


def _fits_plane(tensors: Tensors) -> bool:
    found = map_shape(tensors)
    return found is not None and found[2] == 1


def _certain_classes(tensors: Tensors) -> bool:
    return _fits_plane(tensors) and bool(tensors.width) and tensors.outputs[0].operator == "ARG_MAX"


def _certain_binary(tensors: Tensors) -> bool:
    return _fits_plane(tensors) and len(tensors.labels) == 2 and tensors.outputs[0].activation == "LOGISTIC"


def _build_scores(tensors: Tensors, settings: Settings) -> SegmentationTask:
    classes = tensors.outputs[0].shape[-1]
    return _build("class-scores", "scores", classes, tensors, settings)


def _build_classes(tensors: Tensors, settings: Settings) -> SegmentationTask:
    return _build("class-numbers", "classes", None, tensors, settings)


def _build_binary(tensors: Tensors, settings: Settings) -> SegmentationTask:
    return _build("binary-mask", "binary", 2, tensors, settings)


def _build(
    head: str, form: str, classes: int | None, tensors: Tensors, settings: Settings
) -> SegmentationTask:
    HeadOptions(head, {}, settings.options)
    labels = tensors.labels
    if form == "binary" and len(labels) == 1:
        labels = ("", *labels)  # the name of what is looked for, as MediaPipe has it
    if classes is not None and labels and len(labels) != classes:
        raise DataError(
            f"{len(labels)} labels for {classes} classes ({tensors.describe()})",
            hint=f"Give a labels file of {classes} lines, one a class.",
        )
    if form != "binary":
        refuse_score(head, settings)
    return SegmentationTask(form, _WHOLE if settings.score is None else settings.score, labels)


HEADS = (
    Head(
        name="class-scores", expects="one output [1, h, w, classes]: a score for each class, 8 pixels a side or more",
        fits=_fits_scores, certain=_certain_scores, build=_build_scores,
    ),
    Head(
        name="class-numbers", expects="one output [1, h, w], or [1, h, w, 1]: the number of each pixel's class",
        fits=_fits_plane, certain=_certain_classes, build=_build_classes,
    ),
    Head(
        name="binary-mask",
        expects="one output [1, h, w, 1], or [1, h, w]: the score of class 1 at each pixel; class 0 is the rest",
        fits=_fits_plane, certain=_certain_binary, build=_build_binary,
    ),
)
