"""Results that are pictures themselves: classes, numbers or colours, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.results.base import SCORE_DIGITS, Result
from edgekit.results.objects import Box


@dataclass(frozen=True, slots=True)
class ClassShare:
    """A class that is in a picture, and the part of the picture that it takes, from 0 to 1."""

    index: int
    label: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation(Result):
    """The class of each pixel.

    Attributes:
        mask: Class numbers of shape (rows, columns), uint8 or uint16, as fine as the network gives them. Bars beside
            a letterboxed picture are cut off.
        area: The part of the frame that the mask covers: all of it, unless the picture was cropped.
        classes: The classes that are there, largest first.
        width: Columns of the frame.
        height: Its rows.
    """

    mask: NDArray[np.unsignedinteger]
    area: Box
    classes: tuple[ClassShare, ...]
    width: int
    height: int

    def share(self, label: str) -> float:
        """The part of the picture that is of that class, from 0 to 1."""
        return sum((found.share for found in self.classes if found.label == label), 0.0)

    def on_frame(self, outside: int = 0) -> NDArray[np.unsignedinteger]:
        """The class of each pixel of the frame, (height, width); `outside` where the mask does not reach."""
        return on_frame(self.mask, self.area, self.width, self.height, outside)

    def payload(self) -> dict[str, Any]:
        """`mask`: width and height of the mask, and its classes with index, label and share."""
        height, width = self.mask.shape
        classes = [{"index": c.index, "label": c.label, "share": round(c.share, SCORE_DIGITS)} for c in self.classes]
        return {"mask": {"width": width, "height": height, "classes": classes}}


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthMap(Result):
    """A number for each pixel, such as a distance, in the unit of the model.

    Attributes:
        depth: float32 of shape (rows, columns), as fine as the network gives it, without the bars of a letterbox.
        area: The part of the frame that it covers.
        width: Columns of the frame.
        height: Its rows.
    """

    depth: NDArray[np.float32]
    area: Box
    width: int
    height: int

    def on_frame(self, outside: float = float("nan")) -> NDArray[np.float32]:
        """The number of each pixel of the frame, (height, width); `outside` where the map does not reach."""
        return on_frame(self.depth, self.area, self.width, self.height, outside)

    def payload(self) -> dict[str, Any]:
        """`depth`: width and height of the map, and the minimum, maximum and mean of its finite numbers."""
        height, width = self.depth.shape
        return {"depth": {"width": width, "height": height, **_summary(self.depth)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture(Result):
    """A picture that a network made of another.

    Attributes:
        image: uint8 of shape (rows, columns, 3), red, green, blue, or (rows, columns, 1), without the bars of a
            letterbox.
        area: The part of the frame that it shows.
        width: Columns of the frame that it was made of.
        height: Its rows.
    """

    image: NDArray[np.uint8]
    area: Box
    width: int
    height: int

    def payload(self) -> dict[str, Any]:
        """`image`: its width, height and channels, and the minimum, maximum and mean of its values; no pixels."""
        height, width, channels = self.image.shape
        return {"image": {"width": width, "height": height, "channels": channels, **_summary(self.image)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding(Result):
    """A vector that lies near those of similar samples.

    Attributes:
        embedding: float32 of shape (n,), as the network gives it.
    """

    embedding: NDArray[np.float32]

    def similarity(self, other: Embedding) -> float:
        """The cosine of the angle between two vectors, from -1 to 1; 0 where one of them is 0."""
        lengths = float(np.linalg.norm(self.embedding) * np.linalg.norm(other.embedding))
        return float(self.embedding @ other.embedding) / lengths if lengths > 0 else 0.0

    def payload(self) -> dict[str, Any]:
        """`embedding`: a list of numbers; one that is not finite is None."""
        return {"embedding": [value if isfinite(value) else None for value in self.embedding.tolist()]}


def on_frame(pixels: NDArray[Any], area: Box, width: int, height: int, outside: float) -> NDArray[Any]:
    """What stands at each pixel of a frame of (height, width): the nearest of `pixels`, which cover `area` of it."""
    left, top, right, bottom = area
    rows, inside_rows = _nearest(height, top, bottom, pixels.shape[0])
    columns, inside_columns = _nearest(width, left, right, pixels.shape[1])
    found = pixels.take(columns, 1).take(rows, 0)
    if not (inside_rows.all() and inside_columns.all()):
        found[~inside_rows] = outside
        found[:, ~inside_columns] = outside
    return found


def _nearest(size: int, start: float, end: float, count: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For each pixel of a frame, from its middle, the number of the map's, and whether it is on the map."""
    places = (np.arange(size) + 0.5 - start) * count / (end - start)
    inside = (places >= 0) & (places < count)
    return places.astype(np.intp).clip(0, count - 1), inside


def _summary(numbers: NDArray[Any]) -> dict[str, float | None]:
    finite = numbers[np.isfinite(numbers)]
    measures: Sequence[float] = (finite.min(), finite.max(), finite.mean()) if finite.size else ()
    found = [round(float(value), SCORE_DIGITS) for value in measures]
    return dict(zip_longest(("minimum", "maximum", "mean"), found))
