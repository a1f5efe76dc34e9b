"""MoveNet: 17 keypoints as y, x and score, from 0 to 1, of one body, or of up to six with their boxes.

https://www.tensorflow.org/hub/tutorials/movenet
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.results import Latency, Pose
from edgekit.tasks.detection.boxes import Found, Selection, select
from edgekit.tasks.keypoints import COCO, keypoints
from edgekit.tasks.options import HeadOptions, refuse_options
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View

POINTS = len(COCO)
PERSON = ("person",)
SCORE = 0.3
"""The least score of a body, as in MoveNet's own examples; keypoints are given with any score."""
_BODY = 3 * POINTS + 5
"""Numbers of a body: its points, then top, left, bottom, right and score."""


@dataclass(frozen=True, slots=True)
class MoveNetTask:
    """The one body that the network sees in every picture."""

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Pose:
        """A `Pose` of 17 keypoints."""
        points = keypoints(outputs[0].reshape(POINTS, 3)[:, [1, 0, 2]], COCO, view)
        return Pose(
            task="pose", device=device, latency=Latency(), keypoints=points, width=view.width, height=view.height
        )


@dataclass(frozen=True, slots=True)
class BodiesTask:
    """Several bodies, each with its box."""

    selection: Selection

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Pose:
        """A `Pose` with `objects`."""
        rows = outputs[0].reshape(-1, _BODY)
        points, boxes = rows[:, : 3 * POINTS].reshape(-1, POINTS, 3), rows[:, 3 * POINTS :]
        found = Found(
            boxes[:, [1, 0, 3, 2]], boxes[:, 4], np.zeros(len(rows), np.intp), points[..., [1, 0, 2]]
        )
        return bodies(found, self.selection, view, device)


def bodies(found: Found, selection: Selection, view: View, device: str) -> Pose:
    """A `Pose` of the bodies found, best first."""
    objects = selection.objects(found, view)
    points = objects[0].keypoints if objects else ()
    return Pose(
        task="pose", device=device, latency=Latency(), keypoints=points, objects=objects, width=view.width,
        height=view.height,
    )


def _fits_one(tensors: Tensors) -> bool:
    return len(tensors.outputs) == 1 and tensors.outputs[0].shape in ((1, 1, POINTS, 3), (1, POINTS, 3))


def _fits_several(tensors: Tensors) -> bool:
    shape = tensors.outputs[0].shape if len(tensors.outputs) == 1 else ()
    return len(shape) == 3 and shape[0] == 1 and shape[2] == _BODY


def _certain_several(tensors: Tensors) -> bool:
    return _fits_several(tensors) and tensors.outputs[0].shape[1] == 6


def _build_one(_tensors: Tensors, settings: Settings) -> MoveNetTask:
    refuse_options("movenet", settings)
    return MoveNetTask()


def _build_several(_tensors: Tensors, settings: Settings) -> BodiesTask:
    HeadOptions("movenet-multipose", {}, settings.options)
    return BodiesTask(select(Tensors(()), settings, score=SCORE, suppress=False, points=COCO, labels=PERSON))


MOVENET = Head(
    name="movenet",
    expects="one output [1, 1, 17, 3]: y, x and score of each keypoint",
    fits=_fits_one, certain=_fits_one, build=_build_one,
)
MULTIPOSE = Head(
    name="movenet-multipose",
    expects="one output [1, bodies, 56]: y, x and score of 17 keypoints, then top, left, bottom, right and score",
    fits=_fits_several, certain=_certain_several, build=_build_several,
)
