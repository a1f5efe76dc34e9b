"""The heads of the YOLO detectors, as Ultralytics and others export them: one tensor, a box for each place of a grid.

A box is given by its middle and its size, as fractions of the picture (Ultralytics' TFLite files) or in pixels. Version
5 adds a score for there being any object. Versions 8, 9, 11 and 12 have none. Versions 10 and 26 choose their boxes
themselves. See ultralytics/nn/modules/head.py; yolov5/models/tf.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.results import Detection
from edgekit.tasks.detection.boxes import Found, Selection, corners, select
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View

STRIDES = ((8, 16, 32), (4, 8, 16, 32), (8, 16, 32, 64), (16, 32))
"""Pixels between the places of each grid, in the families of models that there are."""
ANCHORS = 3
"""Boxes at each place of version 5."""
BOX, OBJECT = 4, 1
END_TO_END = BOX + 2
LARGEST_FRACTION = 2.0
"""The middles of a grid's boxes reach from edge to edge: beyond this they are pixels."""
SCORE = 0.25
"""The least score in Ultralytics' own prediction."""
COORDINATES = ("auto", "fractions", "pixels")
OPTIONS = {"coordinates": "fractions (of the picture) or pixels; auto, the default, tells them by the largest"}


def cells(width: int, height: int) -> Iterator[int]:
    """How many places the grids of each family have together on a picture of that size."""
    for strides in STRIDES:
        yield sum((width // stride) * (height // stride) for stride in strides)


def is_grid(tensors: Tensors, count: int, per_place: int = 1) -> bool:
    """Whether `count` boxes cover the model's picture, with so many at each place."""
    return tensors.width > 0 and count in {number * per_place for number in cells(tensors.width, tensors.height)}


def sole_shape(tensors: Tensors) -> tuple[int, int] | None:
    """The shape of the one output without the batch; None where it has not two dimensions."""
    shapes: list[tuple[int, ...]] = [output.shape for output in tensors.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] != 1:
        return None
    _, first, second = shapes[0]
    return first, second


def columns(tensors: Tensors) -> tuple[int, int] | None:
    """Numbers a box and boxes of a tensor that may have either dimension first; None where it is no such tensor."""
    shape = sole_shape(tensors)
    if shape is None:
        return None
    first, second = shape
    if is_grid(tensors, first) != is_grid(tensors, second):
        return (first, second) if is_grid(tensors, second) else (second, first)
    return (first, second) if first < second else (second, first)


def rows_of(output: NDArray[np.float32], values: int) -> NDArray[np.float32]:
    """The tensor as (values, boxes), whichever dimension comes first."""
    table: NDArray[np.float32] = output[0]
    return table if table.shape[0] == values else table.T


def fractions(
    places: NDArray[np.floating], coordinates: str, view: View, reach: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Places (..., 2) as fractions of the network's picture.

    Args:
        places: x and y as the network gives them.
        coordinates: One of `COORDINATES`.
        view: Of the sample.
        reach: The x or y of all boxes, by which `auto` tells pixels.
    """
    if coordinates == "fractions" or (coordinates == "auto" and not (reach.size and reach.max() > LARGEST_FRACTION)):
        return places
    size = np.array((view.input_width, view.input_height), np.float32)
    return np.asarray(places / size, np.float32)


@dataclass(frozen=True, slots=True)
class YoloTask:
    """Objects from a grid of boxes with a score for each class.

    Attributes:
        values: Numbers a box.
        with_object: Whether the fifth is a score for any object, by which those of the classes are multiplied.
        coordinates: One of `COORDINATES`.
        selection: Which boxes are objects.
    """

    values: int
    with_object: bool
    coordinates: str
    selection: Selection

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Detection:
        """A `Detection`."""
        table = rows_of(outputs[0], self.values)
        # A class is no more probable than any object; so of 25,200 boxes few are left to look at.
        strong = np.flatnonzero((table[BOX] if self.with_object else table[BOX:].max(axis=0)) >= self.selection.score)
        chosen = table[:, strong]
        scores = chosen[BOX + OBJECT :] * chosen[BOX] if self.with_object else chosen[BOX:]
        boxes = chosen[:BOX].T
        boxes = corners(*(fractions(boxes[:, at : at + 2], self.coordinates, view, table[:2]) for at in (0, 2)))
        found = Found(boxes, scores.max(axis=0, initial=-np.inf), scores.argmax(axis=0))
        return self.selection.detection(found, view, device)


@dataclass(frozen=True, slots=True)
class EndToEndTask:
    """Objects from boxes that the network has chosen: left, top, right, bottom, score, class."""

    coordinates: str
    selection: Selection

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Detection:
        """A `Detection`."""
        table = outputs[0].reshape(-1, END_TO_END)
        boxes = fractions(table[:, :BOX].reshape(-1, 2), self.coordinates, view, table[:, :BOX]).reshape(-1, BOX)
        kinds = np.nan_to_num(table[:, BOX + 1], nan=-1).round().astype(np.intp)
        return self.selection.detection(Found(boxes, table[:, BOX], kinds), view, device)


def _coordinates(name: str, settings: Settings) -> str:
    return HeadOptions(name, OPTIONS, settings.options).word("coordinates", "auto", COORDINATES)


def _fits_v5(tensors: Tensors) -> bool:
    shape = sole_shape(tensors)
    if shape is None or shape[1] < BOX + OBJECT + 1:
        return False
    return is_grid(tensors, shape[0], ANCHORS) if tensors.width else shape[0] > shape[1]


def _certain_v5(tensors: Tensors) -> bool:
    return tensors.width > 0 and _fits_v5(tensors) and not _fits_v8(tensors)


def _build_v5(tensors: Tensors, settings: Settings) -> YoloTask:
    values = tensors.outputs[0].shape[2]
    selection = select(tensors, settings, classes=values - BOX - OBJECT, score=SCORE)
    return YoloTask(values, True, _coordinates("yolov5", settings), selection)


def _fits_v8(tensors: Tensors) -> bool:
    found = columns(tensors)
    if found is None or found[0] < BOX + 1:
        return False
    return is_grid(tensors, found[1]) if tensors.width else True


def _certain_v8(tensors: Tensors) -> bool:
    """Whether the grid says so, and the numbers a box cannot be keypoints."""
    found = columns(tensors)
    if found is None or not tensors.width or not _fits_v8(tensors):
        return False
    classes = found[0] - BOX
    return len(tensors.labels) == classes or (classes - 1) % 3 != 0 or (classes - 1) // 3 < 3


def _build_v8(tensors: Tensors, settings: Settings) -> YoloTask:
    values, _ = columns(tensors) or (0, 0)
    selection = select(tensors, settings, classes=values - BOX, score=SCORE)
    return YoloTask(values, False, _coordinates("yolov8", settings), selection)


def _fits_end_to_end(tensors: Tensors) -> bool:
    shape = sole_shape(tensors)
    return shape is not None and shape[1] == END_TO_END and not is_grid(tensors, shape[0], ANCHORS)


def _build_end_to_end(tensors: Tensors, settings: Settings) -> EndToEndTask:
    coordinates = _coordinates("yolo-end2end", settings)
    return EndToEndTask(coordinates, select(tensors, settings, score=SCORE, suppress=False))


YOLOV5 = Head(
    name="yolov5",
    expects="one output [1, N, 5 + classes]: middle and size, a score for any object, one a class; "
    "three boxes at each place of the grids",
    fits=_fits_v5, certain=_certain_v5, build=_build_v5, options=OPTIONS,
)
YOLOV8 = Head(
    name="yolov8",
    expects="one output [1, 4 + classes, N], or [1, N, 4 + classes]: middle and size, a score for each class; "
    "one box at each place of the grids (YOLO v8, v9, v11, v12)",
    fits=_fits_v8, certain=_certain_v8, build=_build_v8, options=OPTIONS,
)
END2END = Head(
    name="yolo-end2end",
    expects="one output [1, N, 6]: left, top, right, bottom, score, class (YOLO v10, v26)",
    fits=_fits_end_to_end, build=_build_end_to_end, options=OPTIONS,
)
