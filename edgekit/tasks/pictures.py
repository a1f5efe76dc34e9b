"""Networks that give pictures: a distance for each pixel, or another picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.results import DepthMap, Latency, Picture
from edgekit.tasks.options import refuse_options
from edgekit.tasks.segmentation import map_shape
from edgekit.tasks.types import Head, Settings, Task, Tensors
from edgekit.tasks.view import View

RANGES = {"image-0..1": (0.0, 1.0), "image-1..1": (-1.0, 1.0), "image-0..255": (0.0, 255.0)}
"""Darkest and brightest value of a picture, by the name of its head."""
_LEVELS = 255


@dataclass(frozen=True, slots=True)
class DepthTask:
    """A number for each pixel."""

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> DepthMap:
        """A `DepthMap`, as fine as the output."""
        plane = outputs[0].reshape(outputs[0].shape[1:3])
        kept, area = view.crop_map(plane)
        return DepthMap(
            task="depth", device=device, latency=Latency(), depth=np.ascontiguousarray(kept), area=area,
            width=view.width, height=view.height,
        )


@dataclass(frozen=True, slots=True)
class PictureTask:
    """A picture; `low` and `high` are the values of its darkest and its brightest pixels."""

    low: float
    high: float

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View) -> Picture:
        """A `Picture`, rounded to 8 bits."""
        values = np.nan_to_num(outputs[0].reshape(*outputs[0].shape[1:3], -1))
        levels = (values - self.low) * (_LEVELS / (self.high - self.low))
        kept, area = view.crop_map(levels.round().clip(0, _LEVELS).astype(np.uint8))
        return Picture(
            task="image", device=device, latency=Latency(), image=np.ascontiguousarray(kept), area=area,
            width=view.width, height=view.height,
        )


def _fits_plane(tensors: Tensors) -> bool:
    found = map_shape(tensors)
    return found is not None and found[2] == 1


def _fits_picture(tensors: Tensors) -> bool:
    found = map_shape(tensors)
    return found is not None and found[2] in (1, 3)


def _build_depth(_tensors: Tensors, settings: Settings) -> Task:
    refuse_options("depth-map", settings)
    return DepthTask()


def _picture_head(name: str, low: float, high: float) -> Head:
    def build(_tensors: Tensors, settings: Settings) -> Task:
        refuse_options(name, settings)
        return PictureTask(low, high)

    return Head(
        name=name, expects=f"one output [1, h, w, 1 or 3], a picture from {low:g} to {high:g}",
        fits=_fits_picture, build=build,
    )


DEPTH_HEADS = (
    Head(
        name="depth-map", expects="one output [1, h, w, 1], or [1, h, w]: a number for each pixel",
        fits=_fits_plane, build=_build_depth,
    ),
)
IMAGE_HEADS = tuple(_picture_head(name, *limits) for name, limits in RANGES.items())
