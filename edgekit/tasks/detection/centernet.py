"""Objects as points: Zhou et al., Objects as Points (2019).

A heat map with a peak at the middle of each object, the object's size there, and how far the middle lies from the
corner of its pixel; sizes and offsets are in pixels of the map. A peak is higher than its eight neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.results import Detection
from edgekit.tasks.detection.boxes import Found, Selection, corners, select
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.shapes import activate, by_name, by_order, score_activation
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View

PARTS = ("heatmap", "size", "offset")
_WORDS = {"heatmap": ("heat", "hm", "center"), "size": ("size", "wh", "height"), "offset": ("offset", "reg")}
_OPTIONS = {
    "order": "which output is which, such as heatmap,size,offset, where names do not tell",
    "axes": "xy where sizes are width and height and offsets x and y, the default; yx where they are swapped",
    "activation": "what is still to be computed of the heat map: sigmoid or none",
}


@dataclass(frozen=True, slots=True)
class CenterNetTask:
    """Objects from a heat map; `places` are those of heat map, size and offset."""

    places: tuple[int, int, int]
    swapped: bool
    activation: str
    selection: Selection

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Detection:
        """A `Detection`."""
        heat, size, offset = (outputs[at][0] for at in self.places)
        heat = activate(heat, self.activation)
        rows, columns, kinds = peaks(heat, self.selection.score)
        scores = heat[rows, columns, kinds]
        shifts, sizes = offset[rows, columns], size[rows, columns]
        if self.swapped:
            shifts, sizes = shifts[:, ::-1], sizes[:, ::-1]
        extent = np.array((heat.shape[1], heat.shape[0]), np.float64)
        middles = (np.stack((columns, rows), axis=1) + shifts) / extent
        found = Found(corners(middles, sizes / extent), scores, kinds)
        return self.selection.detection(found, view, device)


def peaks(
    heat: NDArray[np.float32], least: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row, column and channel of each pixel that reaches `least` and is the highest of its 3 by 3 neighbours.

    Of equal neighbours the first one counts, row by row.

    Args:
        heat: (rows, columns, channels).
    """
    padded = np.pad(heat, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    rows, columns, kinds = np.nonzero(heat >= least)
    own = heat[rows, columns, kinds]
    highest = np.ones(len(rows), bool)
    for down in range(3):
        for across in range(3):
            other = padded[rows + down, columns + across, kinds]
            earlier = (down, across) < (1, 1)
            if (down, across) != (1, 1):
                highest &= (other < own) if earlier else (other <= own)
    return rows[highest], columns[highest], kinds[highest]


def _maps(tensors: Tensors) -> bool:
    shapes = [output.shape for output in tensors.outputs]
    return len(shapes) == 3 and all(len(s) == 4 and s[0] == 1 and s[:3] == shapes[0][:3] for s in shapes)


def _fits(tensors: Tensors) -> bool:
    return _maps(tensors) and sum(output.shape[3] == 2 for output in tensors.outputs) >= 2


def _places(options: HeadOptions, tensors: Tensors) -> tuple[int, int, int]:
    found = by_order(options, PARTS, tensors) or by_name(tensors.outputs, _WORDS)
    if found is None:
        raise UsageError(
            f"the model's outputs do not say which is the size and which the offset: {tensors.describe()}",
            hint="Say it: --head-option order=heatmap,size,offset, in the order of the outputs.",
        )
    heat, size, offset = (found[part] for part in PARTS)
    if any(tensors.outputs[at].shape[3] != 2 for at in (size, offset)):
        raise UsageError(f"size and offset need two channels, and the outputs are {tensors.describe()}")
    return heat, size, offset


def _build(tensors: Tensors, settings: Settings) -> CenterNetTask:
    options = HeadOptions("centernet", _OPTIONS, settings.options)
    places = _places(options, tensors)
    heat = tensors.outputs[places[0]]
    return CenterNetTask(
        places, options.word("axes", "xy", ("xy", "yx")) == "yx", score_activation(options, heat, "centernet"),
        select(tensors, settings, classes=heat.shape[3], score=0.3, suppress=False),
    )


HEAD = Head(
    name="centernet",
    expects="three outputs of one height and width: heat map [1, h, w, classes], size [1, h, w, 2], "
    "offset [1, h, w, 2]",
    fits=_fits, build=_build, options=_OPTIONS,
)
