"""The detectors of MediaPipe: BlazeFace (Bazarevsky et al., 2019) for faces, and their like for palms.

For each anchor an offset of the middle, a size and an offset for each keypoint, in pixels of the network's picture, and
a score before its sigmoid. Anchors have one size, 1; see MediaPipe's `TensorsToDetectionsCalculator`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.results import Detection
from edgekit.tasks.detection.anchors import fixed_anchors
from edgekit.tasks.detection.boxes import Found, Selection, corners, select
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.shapes import activate
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View

FACE = ("right_eye", "left_eye", "nose", "mouth", "right_ear", "left_ear")
PALM = ("wrist", "index_base", "middle_base", "ring_base", "little_base", "thumb_root", "thumb_base")
_NAMES = {len(FACE): (FACE, "face"), len(PALM): (PALM, "palm")}
LAYOUTS = (((8, 16, 16, 16), 2), ((16, 32, 32, 32), 2), ((4,), 1), ((8, 16, 32, 32, 32), 2))
"""Strides and anchors a grid: faces near by (128 pixels) and palms, faces (256), faces far away (192), palms (256)."""
BOX = 4
_OPTIONS = {
    "strides": "pixels between the places of each grid, such as 8,16,16,16; by default what the number of boxes tells",
    "per_grid": "anchors of a grid at each place; 2",
}


@dataclass(frozen=True, slots=True)
class BlazeFaceTask:
    """Faces, or palms, with keypoints.

    Attributes:
        places: Which outputs are the boxes and the scores.
        anchors: (n, 2): x and y as fractions.
        activation: Of the scores: `sigmoid`, or `none` where the network ends in one.
        selection: Which boxes are objects.
    """

    places: tuple[int, int]
    anchors: NDArray[np.float64]
    activation: str
    selection: Selection

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Detection:
        """A `Detection`."""
        values, given = (outputs[at][0] for at in self.places)
        scores = activate(given[:, 0], self.activation)
        strong = np.flatnonzero(scores >= self.selection.score)
        size = np.array((view.input_width, view.input_height))
        pairs = values[strong].reshape(len(strong), values.shape[1] // 2, 2) / size
        anchors = self.anchors[strong]
        places = pairs[:, 2:] + anchors[:, None]
        points = np.concatenate((places, np.repeat(scores[strong], places.shape[1]).reshape(*places.shape[:2], 1)), 2)
        found = Found(
            corners(pairs[:, 0] + anchors, pairs[:, 1]), scores[strong], np.zeros(len(strong), np.intp), points
        )
        return self.selection.detection(found, view, device)


def _places(tensors: Tensors) -> tuple[int, int] | None:
    """Which outputs are boxes and scores; None where they are of another form."""
    shapes = [output.shape for output in tensors.outputs]
    if len(shapes) != 2 or any(len(shape) != 3 or shape[0] != 1 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        return None
    for boxes, scores in ((0, 1), (1, 0)):
        if shapes[scores][2] == 1 and shapes[boxes][2] >= BOX and shapes[boxes][2] % 2 == 0:
            return boxes, scores
    return None


def _layout(tensors: Tensors, count: int) -> tuple[tuple[int, ...], int] | None:
    """The layout of the grids that gives so many anchors."""
    if not tensors.width:
        return None
    size = tensors.width, tensors.height
    return next((way for way in LAYOUTS if len(fixed_anchors(*size, *way)) == count), None)


def _fits(tensors: Tensors) -> bool:
    return bool(tensors.width) and _places(tensors) is not None


def _certain(tensors: Tensors) -> bool:
    places = _places(tensors)
    if places is None:
        return False
    _, count, values = tensors.outputs[places[0]].shape
    return (values - BOX) // 2 in _NAMES and _layout(tensors, count) is not None


def _build(tensors: Tensors, settings: Settings) -> BlazeFaceTask:
    options = HeadOptions("blazeface", _OPTIONS, settings.options)
    places = _places(tensors)
    assert places is not None  # it fits
    _, count, values = tensors.outputs[places[0]].shape
    strides, per_grid = _layout(tensors, count) or ((), 2)
    strides = options.wholes("strides", strides, least=1) if strides or options.text("strides") else ()
    per_grid = options.whole("per_grid", per_grid, least=1)
    anchors = fixed_anchors(tensors.width, tensors.height, strides, per_grid) if strides else np.empty((0, 2))
    if len(anchors) != count:
        raise UsageError(
            f"the grids of head blazeface make {len(anchors)} boxes, and {tensors.describe()} has {count}",
            hint="Give those of the model, such as --head-option strides=8,16,16,16.",
        )
    points, label = _NAMES.get((values - BOX) // 2, ((), ""))
    activation = "none" if tensors.outputs[places[1]].activation == "LOGISTIC" else "sigmoid"
    labels = (label,) if label else ()
    return BlazeFaceTask(
        places, anchors, activation, select(tensors, settings, classes=1, points=points, labels=labels)
    )


HEAD = Head(
    name="blazeface",
    expects="two outputs: boxes and keypoints [1, N, 4 + 2 a keypoint], and scores [1, N, 1] (BlazeFace, palms)",
    fits=_fits, certain=_certain, build=_build, options=_OPTIONS,
)
