"""Single-shot detectors whose file ends before the boxes are decoded: offsets from anchors, and scores.

Decoding is that of Liu et al., SSD (2016), as TensorFlow's Object Detection API has it (`faster_rcnn_box_coder`): the
offsets are y, x, height, width, divided by 10, 10, 5, 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, MissingFileError, UsageError
from edgekit.results import Detection
from edgekit.tasks.detection.anchors import SsdAnchors
from edgekit.tasks.detection.boxes import Found, Selection, corners, select
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.shapes import activate, by_order, score_activation
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View

PARTS = ("boxes", "scores")
SCALES = (10.0, 10.0, 5.0, 5.0)
_DEFAULT = SsdAnchors()
_OPTIONS = {
    "anchors": "a .npy file, or a list, of N anchors: middle's y and x, height, width as fractions; "
    "without it they are made by the options below",
    "strides": "pixels between the places of each grid; 16,32,64,128,256,512",
    "smallest": "scale of the first grid's boxes; 0.2",
    "largest": "scale of the last grid's; 0.95",
    "proportions": "width by height of the boxes at a place; 1,2,0.5,3,0.3333",
    "between": "proportion of the box between two scales, 0 for none; 1",
    "reduced": "whether the first grid has three boxes a place only; yes",
    "scales": "what y, x, height and width are divided by; 10,10,5,5",
    "background": "whether class 0 is the background; yes, unless there is a label for each",
    "activation": "what is still to be computed of the scores: sigmoid, softmax or none",
    "order": "which output is which: boxes,scores or scores,boxes",
}


@dataclass(frozen=True, slots=True)
class SsdTask:
    """Objects from offsets and scores.

    Attributes:
        places: Which outputs are boxes and scores.
        anchors: (n, 4): the middle's x and y, width and height, as fractions.
        scales: What y, x, height and width are divided by.
        activation: Of the scores.
        background: How many classes come before the first object's: 0 or 1.
        selection: Which boxes are objects.
    """

    places: tuple[int, int]
    anchors: NDArray[np.float64]
    scales: tuple[float, ...]
    activation: str
    background: int
    selection: Selection

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Detection:
        """A `Detection`."""
        offsets, given = (outputs[at][0] for at in self.places)
        scores = activate(given, self.activation)[:, self.background :]
        best = scores.max(axis=1)
        strong = np.flatnonzero(best >= self.selection.score)
        found = Found(self._decode(offsets[strong], strong), best[strong], scores[strong].argmax(axis=1))
        return self.selection.detection(found, view, device)

    def _decode(self, offsets: NDArray[np.float32], chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        anchors = self.anchors[chosen]
        steps = offsets / np.array(self.scales)
        middles = steps[:, 1::-1] * anchors[:, 2:] + anchors[:, :2]
        with np.errstate(over="ignore"):  # an infinite box is dropped
            sizes = np.exp(steps[:, :1:-1]) * anchors[:, 2:]
        return np.asarray(corners(middles, sizes), np.float64)


def _fits(tensors: Tensors) -> bool:
    shapes = [output.shape for output in tensors.outputs]
    if len(shapes) != 2 or any(len(shape) != 3 or shape[0] != 1 for shape in shapes):
        return False
    return shapes[0][1] == shapes[1][1] and any(shape[2] == 4 for shape in shapes)


def _places(options: HeadOptions, tensors: Tensors) -> tuple[int, int]:
    found = by_order(options, PARTS, tensors)
    if found:
        return found["boxes"], found["scores"]
    fours = [at for at, output in enumerate(tensors.outputs) if output.shape[2] == 4]
    if len(fours) == 2:
        raise UsageError(
            f"both outputs may be boxes: {tensors.describe()}", hint="Say it: --head-option order=boxes,scores."
        )
    return fours[0], 1 - fours[0]


def _build(tensors: Tensors, settings: Settings) -> SsdTask:
    options = HeadOptions("ssd", _OPTIONS, settings.options)
    boxes, scores = _places(options, tensors)
    output = tensors.outputs[scores]
    columns = output.shape[2]
    background = int(options.flag("background", len(tensors.labels) != columns))
    if columns <= background:
        raise UsageError(
            f"{output.describe()} has no class but the background", hint="Give --head-option background=no."
        )
    return SsdTask(
        (boxes, scores), _anchors(options, tensors, output.shape[1]),
        options.numbers("scales", SCALES, least=1e-6, count=4), score_activation(options, output, "ssd"), background,
        select(tensors, settings, classes=columns - background),
    )


def _anchors(options: HeadOptions, tensors: Tensors, count: int) -> NDArray[np.float64]:
    given = options.value("anchors")
    found = _made(options, tensors) if given is None else _given(given)
    if len(found) != count:
        how = "the options of the head make" if given is None else "there are"
        raise UsageError(
            f"{how} {len(found)} anchors, and {tensors.describe()} needs {count}",
            hint="Give the anchors that the model was trained with: --head-option anchors=FILE.npy, or strides, "
            "smallest, largest, proportions, between and reduced.",
        )
    return found


def _made(options: HeadOptions, tensors: Tensors) -> NDArray[np.float64]:
    if not tensors.width:
        raise UsageError("the model takes no picture, so that no anchors can be made", hint="Give them as a .npy file.")
    way = SsdAnchors(
        strides=options.wholes("strides", _DEFAULT.strides, least=1),
        smallest=options.number("smallest", _DEFAULT.smallest, least=0, most=1),
        largest=options.number("largest", _DEFAULT.largest, least=0, most=1),
        proportions=options.numbers("proportions", _DEFAULT.proportions, least=1e-6),
        between=options.number("between", _DEFAULT.between, least=0),
        reduced=options.flag("reduced", _DEFAULT.reduced),
    )
    return way.make(tensors.width, tensors.height)


def portable(options: Mapping[str, object]) -> dict[str, object]:
    """Options of a head as a model file can carry them: with the anchors themselves in the place of their file.

    Raises:
        MissingFileError: there is no such file.
        DataError: it holds no anchors.
    """
    given = options.get("anchors")
    if not isinstance(given, str):
        return dict(options)
    return {**options, "anchors": _given(given)[:, [1, 0, 3, 2]].tolist()}


def _given(given: object) -> NDArray[np.float64]:
    """Anchors from a file or a list, as x, y, width, height."""
    try:
        array = np.asarray(_loaded(given), np.float64) if isinstance(given, str) else np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"the anchors {given if isinstance(given, str) else ''} are no numbers: {error}") from error
    if array.ndim != 2 or array.shape[1] != 4 or not np.isfinite(array).all():
        raise DataError(f"anchors have to be finite numbers of shape [N, 4], not {list(array.shape)}")
    return array[:, [1, 0, 3, 2]]


def _loaded(path: str) -> NDArray[np.generic]:
    try:
        array: NDArray[np.generic] = np.load(Path(path), allow_pickle=False)
    except OSError as error:
        raise MissingFileError(f"the anchors {path} cannot be read: {error.strerror or error}") from error
    return array


HEAD = Head(
    name="ssd",
    expects="two outputs: offsets [1, N, 4] from N anchors, and scores [1, N, classes]",
    fits=_fits, build=_build, options=_OPTIONS,
)
