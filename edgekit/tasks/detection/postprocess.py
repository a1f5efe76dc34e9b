"""Boxes from the custom operation TFLite_Detection_PostProcess, or from outputs of its form.

Four tensors: boxes (1, n, 4) as top, left, bottom, right from 0 to 1, classes (1, n), scores (1, n), and how many of
the n count (1). See tensorflow/lite/kernels/detection_postprocess.cc. Overlapping boxes are dropped already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.results import Detection
from edgekit.tasks.detection.boxes import Found, Selection, select
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.shapes import by_name, by_order
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View

OPERATOR = "TFLite_Detection_PostProcess"
PARTS = ("boxes", "classes", "scores", "count")
"""In the order of the operation's outputs."""
_WORDS = {
    "boxes": ("box", "location"), "classes": ("class", "categor"), "scores": ("score", "prob"),
    "count": ("num", "count"),
}
_OPTIONS = {"order": "which output is which, such as scores,boxes,count,classes, where nothing else tells"}
_UNNAMED = "???"
"""First line of the labels file of Google's COCO models, for a background that the outputs do not have."""


@dataclass(frozen=True, slots=True)
class PostProcessTask:
    """Objects from the four tensors; `places` are those of boxes, classes, scores and count."""

    places: tuple[int, int, int, int]
    selection: Selection

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Detection:
        """A `Detection`."""
        boxes, classes, scores, counted = (outputs[at] for at in self.places)
        boxes = boxes.reshape(-1, 4)
        count = int(np.clip(np.nan_to_num(counted.reshape(-1)[:1].sum()), 0, len(boxes)))
        kinds = np.nan_to_num(classes.reshape(-1)[:count], nan=-1).astype(np.intp)
        found = Found(boxes[:count][:, [1, 0, 3, 2]], scores.reshape(-1)[:count], kinds)
        return self.selection.detection(found, view, device)


def _from_operation(tensors: Tensors) -> dict[str, int] | None:
    """By the operation, which gives its outputs in one order; or by the names that it leaves on them."""
    places = {output.place: at for at, output in enumerate(tensors.outputs) if output.operator == OPERATOR}
    if not places:
        names = [OPERATOR, *(f"{OPERATOR}:{port}" for port in range(1, len(PARTS)))]
        places = {names.index(o.name): at for at, o in enumerate(tensors.outputs) if o.name in names}
    return {part: places[place] for place, part in enumerate(PARTS)} if sorted(places) == [0, 1, 2, 3] else None


def _from_names(tensors: Tensors) -> dict[str, int] | None:
    return by_name(tensors.outputs, _WORDS)


def _fits(tensors: Tensors) -> bool:
    if len(tensors.outputs) != len(PARTS):
        return False
    if _from_operation(tensors):
        return True
    shapes = sorted((output.shape for output in tensors.outputs), key=len)
    count, first, second, boxes = shapes
    return (
        len(boxes) == 3 and boxes[0] == 1 and boxes[2] == 4 and count in ((), (1,))
        and first == second == boxes[:2]
    )


def _certain(tensors: Tensors) -> bool:
    return _fits(tensors) and bool(_from_operation(tensors) or _from_names(tensors))


def _build(tensors: Tensors, settings: Settings) -> PostProcessTask:
    options = HeadOptions("tflite-postprocess", _OPTIONS, settings.options)
    found = by_order(options, PARTS, tensors) or _from_operation(tensors) or _from_names(tensors)
    if found is None:
        raise UsageError(
            f"the model's outputs do not say which are classes and which scores: {tensors.describe()}",
            hint=f"Say it: --head-option order={','.join(_by_shape(tensors))}, or with classes and scores swapped.",
        )
    labels = tensors.labels[1:] if tensors.labels[:1] == (_UNNAMED,) else tensors.labels
    selection = select(Tensors(()), settings, suppress=False, labels=labels)
    boxes, classes, scores, count = (found[part] for part in PARTS)
    return PostProcessTask((boxes, classes, scores, count), selection)


def _by_shape(tensors: Tensors) -> list[str]:
    """A possible order, for the message."""
    rest = iter(("classes", "scores"))
    return [
        "boxes" if len(o.shape) == 3 else "count" if len(o.shape) < 2 else next(rest, "scores") for o in tensors.outputs
    ]


HEAD = Head(
    name="tflite-postprocess",
    expects="four outputs: boxes [1, N, 4], classes [1, N], scores [1, N] and count [1], as the operation "
    "TFLite_Detection_PostProcess gives them",
    fits=_fits, certain=_certain, build=_build, options=_OPTIONS,
)
