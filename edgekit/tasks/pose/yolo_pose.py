"""The pose models of Ultralytics, versions 8 and 11: boxes with a score, and keypoints behind them.

See ultralytics/nn/modules/head.py, `Pose`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.results import Pose
from edgekit.tasks.detection.boxes import Found, Selection, corners, select
from edgekit.tasks.detection.yolo import BOX, COORDINATES, OPTIONS, SCORE, columns, fractions, is_grid, rows_of
from edgekit.tasks.keypoints import names_for
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.pose.movenet import PERSON, bodies
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View

FIRST_POINT = BOX + 1


@dataclass(frozen=True, slots=True)
class YoloPoseTask:
    """Bodies from a grid of boxes, each with one score and its keypoints.

    Attributes:
        values: Numbers a box.
        coordinates: One of `COORDINATES`.
        selection: Which boxes are bodies.
    """

    values: int
    coordinates: str
    selection: Selection

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Pose:
        """A `Pose` with `objects`."""
        table = rows_of(outputs[0], self.values)
        strong = np.flatnonzero(table[BOX] >= self.selection.score)
        chosen, reach = table[:, strong].T, table[:2]
        boxes = corners(*(fractions(chosen[:, at : at + 2], self.coordinates, view, reach) for at in (0, 2)))
        points = chosen[:, FIRST_POINT:].reshape(len(strong), -1, 3)
        places = fractions(points[..., :2], self.coordinates, view, reach)
        found = Found(
            boxes, chosen[:, BOX], np.zeros(len(strong), np.intp), np.concatenate((places, points[..., 2:]), axis=2)
        )
        return bodies(found, self.selection, view, device)


def _fits(tensors: Tensors) -> bool:
    found = columns(tensors)
    if found is None or found[0] <= FIRST_POINT or (found[0] - FIRST_POINT) % 3:
        return False
    return is_grid(tensors, found[1]) if tensors.width else True


def _build(tensors: Tensors, settings: Settings) -> YoloPoseTask:
    values, _ = columns(tensors) or (0, 0)
    word = HeadOptions("yolov8-pose", OPTIONS, settings.options).word("coordinates", "auto", COORDINATES)
    names = names_for((values - FIRST_POINT) // 3)
    selection = select(tensors, settings, classes=1, score=SCORE, points=names, labels=PERSON)
    return YoloPoseTask(values, word, selection)


HEAD = Head(
    name="yolov8-pose",
    expects="one output [1, 5 + 3 a keypoint, N]: middle and size, a score, x, y and score of each keypoint; "
    "one box at each place of the grids (YOLO v8, v11)",
    fits=_fits, build=_build, options=OPTIONS,
)
