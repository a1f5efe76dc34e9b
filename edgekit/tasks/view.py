"""Where the picture that a network sees lies in the frame that it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.preprocess import Region, crop_region, letterbox_region

if TYPE_CHECKING:
    from edgekit.inputs import Input
    from edgekit.metadata.types import ResizeRule
    from edgekit.results import Box


@dataclass(frozen=True, slots=True)
class View:
    """The mapping between a network's picture and the frame, exact for every rule of resizing.

    Places in the network's picture are fractions of its width and height, 0 at the left and upper edge and 1 at the
    right and lower one; places in the frame are pixels, 0 at the left edge of the first one.

    Attributes:
        width: Columns of the frame.
        height: Its rows.
        source: The part of the frame that the network sees, in pixels of the frame; what a crop leaves.
        target: Where that part lies in the network's picture, in its pixels; beside it are a letterbox's bars.
        input_width: Columns of the network's picture.
        input_height: Its rows.
    """

    width: int
    height: int
    source: Region
    target: Region
    input_width: int
    input_height: int

    def x(self, fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Columns of the frame, in pixels, from fractions of the network's width."""
        inside = fractions * self.input_width - self.target.left
        return self.source.left + inside * (self.source.width / self.target.width)

    def y(self, fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows of the frame, in pixels, from fractions of the network's height."""
        inside = fractions * self.input_height - self.target.top
        return self.source.top + inside * (self.source.height / self.target.height)

    def boxes(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Boxes in pixels, cut off at the frame's edges.

        Args:
            boxes: (n, 4): left, top, right, bottom as fractions of the network's picture.
        """
        given = boxes.astype(np.float64)
        across = self.x(given[:, 0::2]).clip(0, self.width)
        down = self.y(given[:, 1::2]).clip(0, self.height)
        return np.stack((across[:, 0], down[:, 0], across[:, 1], down[:, 1]), axis=1)

    def crop_map(self, pixels: NDArray[Any]) -> tuple[NDArray[Any], Box]:
        """Cut a letterbox's bars off a map of the network's picture.

        Args:
            pixels: (rows, columns, ...), as fine as the network gives them.

        Returns:
            What shows the frame, at least one pixel of it, and the part of the frame that this covers. It may reach
            over the frame's edge by less than one pixel of the map, where bars end within one.
        """
        rows, columns = pixels.shape[:2]
        first, last = _kept(self.target.left, self.target.width, self.input_width, columns)
        top, bottom = _kept(self.target.top, self.target.height, self.input_height, rows)
        across = self.x(np.array([first, last]) / columns)
        down = self.y(np.array([top, bottom]) / rows)
        area = (float(across[0]), float(down[0]), float(across[1]), float(down[1]))
        return pixels[top:bottom, first:last], area


def _kept(start: int, size: int, whole: int, count: int) -> tuple[int, int]:
    """The pixels of a map, of which `count` make the whole, whose middles lie in a part of the picture: from, up to."""
    first = int(np.ceil(start * count / whole - 0.5))
    last = int(np.ceil((start + size) * count / whole - 0.5))
    first = min(first, count - 1)
    return first, max(first + 1, min(last, count))


@lru_cache(maxsize=64)
def frame_view(width: int, height: int, input_width: int, input_height: int, rule: ResizeRule = "stretch") -> View:
    """The view of a frame of `width` by `height` pixels in a network's picture, fitted by `rule` as `fit` does."""
    frame, picture = Region(0, 0, width, height), Region(0, 0, input_width, input_height)
    if (width, height) != (input_width, input_height):
        if rule == "letterbox":
            picture = letterbox_region(width, height, input_width, input_height)
        elif rule == "crop":
            frame = crop_region(width, height, input_width, input_height)
    return View(width, height, frame, picture, input_width, input_height)


def view_of(inputs: Sequence[Input], data: Any) -> View:
    """The view of one sample: of its first picture.

    Args:
        inputs: The model's inputs.
        data: As a model is called with it. Where it is no picture the network's own shape is the frame; for a network
            that takes no picture either, places are fractions.
    """
    at = next((at for at, tensor in enumerate(inputs) if tensor.image), None)
    if at is None:
        return frame_view(1, 1, 1, 1)
    spec = inputs[at].image
    assert spec is not None
    shape: tuple[int, ...] = getattr(_one(inputs, data, at), "shape", ())
    if len(shape) == 4:
        shape = shape[1:]
    height, width, *_ = shape if len(shape) in (2, 3) else (spec.height, spec.width)
    return frame_view(int(width), int(height), spec.width, spec.height, spec.resize)


def _one(inputs: Sequence[Input], data: Any, at: int) -> Any:
    if isinstance(data, Mapping):
        return data.get(inputs[at].name)
    return data[at] if len(inputs) > 1 else data
