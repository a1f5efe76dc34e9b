"""PoseNet with one body: a heat map for each keypoint, and how far the point lies from the place of its pixel.

Papandreou et al., PersonLab (2018), and the single-pose decoder of tensorflow/tfjs-models/posenet: the highest pixel of
each heat map, times the stride, plus the offset there. Offsets are in pixels of the network's picture, first all y and
then all x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.results import Latency, Pose
from edgekit.tasks.keypoints import keypoints, names_for
from edgekit.tasks.options import HeadOptions, refuse_score
from edgekit.tasks.shapes import activate
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View

MOST_OUTPUTS = 4
"""Heat maps and offsets; two more, for several bodies, are passed over."""
_OPTIONS = {"activation": "what is still to be computed of the heat maps: sigmoid (the default) or none"}


@dataclass(frozen=True, slots=True)
class PoseNetTask:
    """The best place of each keypoint; `places` are those of heat maps and offsets."""

    places: tuple[int, int]
    activation: str

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Pose:
        """A `Pose` of one body."""
        heat, offsets = (outputs[at][0] for at in self.places)
        rows, columns, count = heat.shape
        flat = heat.reshape(-1, count)
        best, each = flat.argmax(axis=0), np.arange(count)
        down, across = np.divmod(best, columns)
        size = np.array((view.input_width, view.input_height), np.float64)
        # A network of stride s on s·k + 1 pixels gives k + 1 places, whose corners lie on the picture's.
        strides = (size - 1) / np.maximum((columns - 1, rows - 1), 1)
        shifts = offsets[down, across]
        places = np.stack((across, down), 1) * strides + np.stack((shifts[each, count + each], shifts[each, each]), 1)
        scores = activate(flat[best, each], self.activation)
        points = np.concatenate((places / size, scores[:, None]), axis=1)
        return Pose(
            task="pose", device=device, latency=Latency(), keypoints=keypoints(points, names_for(count), view),
            width=view.width, height=view.height,
        )


def _places(tensors: Tensors) -> tuple[int, int] | None:
    """Which outputs are heat maps and offsets: two channels of the one for each of the other."""
    shapes = [output.shape for output in tensors.outputs]
    maps = all(len(shape) == 4 and shape[0] == 1 and shape[1:3] == shapes[0][1:3] for shape in shapes)
    if not maps or not 2 <= len(shapes) <= MOST_OUTPUTS:
        return None
    pairs = [
        (heat, offset) for heat in range(len(shapes)) for offset in range(len(shapes))
        if heat != offset and shapes[offset][3] == 2 * shapes[heat][3]
    ]
    return pairs[0] if len(pairs) == 1 else None


def _fits(tensors: Tensors) -> bool:
    return bool(tensors.width) and _places(tensors) is not None


def _certain(tensors: Tensors) -> bool:
    places = _places(tensors)
    return _fits(tensors) and places is not None and bool(names_for(tensors.outputs[places[0]].shape[3]))


def _build(tensors: Tensors, settings: Settings) -> PoseNetTask:
    options = HeadOptions("posenet", _OPTIONS, settings.options)
    refuse_score("posenet", settings)
    places = _places(tensors)
    assert places is not None  # it fits
    ends = tensors.outputs[places[0]].activation == "LOGISTIC"
    return PoseNetTask(places, options.word("activation", "none" if ends else "sigmoid", ("sigmoid", "none")))


HEAD = Head(
    name="posenet",
    expects="two to four outputs of one height and width, among them heat maps [1, h, w, K] and offsets [1, h, w, 2 K]",
    fits=_fits, certain=_certain, build=_build, options=_OPTIONS,
)
