"""What can be hidden of a sample: a plane of rows and columns, and what is shown in the place of a hidden part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.explaining.types import Kind, pooled, span, spread
from edgekit.inputs import Input

MOST_CELLS = 128
"""Cells a side: what is hidden is no finer than that."""
MOST_SEPARATE = 16
"""Channels up to which each is hidden on its own; more of them, such as bands of a spectrogram, have neighbours."""
BLUR = 16
"""The blurred picture's sigma is the longer side divided by this."""
BASELINES = ("auto", "mean", "blur", "zero")

Mask = NDArray[np.float32]
"""How much of each cell is seen, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A sample as a plane of cells.

    Attributes:
        kind: What it is.
        data: The sample, as the model takes it.
        baseline: What a hidden part shows; of the same shape.
        said: The baseline in words.
        size: Rows and columns of the sample.
        joined: For rows and for columns, whether neighbours belong together.
        names: Of the columns, for windows and features.
    """

    kind: Kind
    data: NDArray[Any]
    baseline: NDArray[Any]
    said: str
    size: tuple[int, int]
    joined: tuple[bool, bool]
    names: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        rows, columns = (
            min(length, MOST_CELLS) if joined else length
            for length, joined in zip(self.size, self.joined, strict=True)
        )
        return rows, columns

    def masked(self, seen: Mask) -> NDArray[Any]:
        """The sample with a part hidden.

        Args:
            seen: Shape `cells`, 0 (hidden) to 1 (seen).
        """
        if ((seen == 0) | (seen == 1)).all():
            return self._patched(seen == 0)
        weights = spread(seen, self.size)
        if self.kind != "picture":
            weights = weights.reshape(self.data.shape)
        elif self.data.ndim > 2:
            weights = weights[..., np.newaxis]
        mixed: NDArray[Any] = self.baseline + (self.data.astype(np.float32) - self.baseline) * weights
        return np.rint(mixed).astype(np.uint8) if self.data.dtype == np.uint8 else mixed

    def _patched(self, hidden: NDArray[np.bool_]) -> NDArray[Any]:
        """Whole cells hidden, as rectangles: of a picture of 12 megapixels in 20 ms, where mixing takes 300."""
        mixed = self.data.copy()
        shape = (*self.size, -1)
        target, source = mixed.reshape(shape), self.baseline.reshape(shape)
        rows, columns = self.cells
        for top, bottom, left, right in _rectangles(hidden):
            part = slice(*span(top, bottom, self.size[0], rows)), slice(*span(left, right, self.size[1], columns))
            target[part] = source[part]
        return mixed


def _rectangles(hidden: NDArray[np.bool_]) -> Iterator[tuple[int, int, int, int]]:
    """Rectangles (top, bottom, left, right) that cover the hidden cells: runs in rows, equal neighbours together."""
    changes = np.flatnonzero((hidden[1:] != hidden[:-1]).any(axis=1)) + 1
    bounds = [0, *changes.tolist(), len(hidden)]
    for top, bottom in pairwise(bounds):
        row = np.concatenate(([False], hidden[top], [False]))
        ends = np.flatnonzero(row[1:] != row[:-1])
        yield from ((top, bottom, int(left), int(right)) for left, right in zip(ends[::2], ends[1::2], strict=True))


def plane_of(data: Any, taker: Input, baseline: str | NDArray[Any], names: Sequence[str]) -> Plane:
    """Prepare a sample.

    Args:
        data: As `Model.__call__` takes it.
        taker: The model's input.
        baseline: One of `BASELINES`, or rows of normal data, whose mean hidden parts show: shape (rows, ...).
        names: Of channels or features; empty for none.

    Raises:
        DataError: of a kind that cannot be hidden in part, or names or normal data that do not fit.
        UsageError: a baseline that does not exist, or not for this kind.
    """
    array = _without_batch(np.asarray(data), taker)
    if taker.image is not None and array.dtype == np.uint8:
        return _picture(array, baseline)
    if np.dtype(taker.dtype).kind in "bui" and taker.quantization is None:
        raise DataError(
            f"the model takes whole numbers ({taker.dtype}), such as those of words, and none of them stands for a "
            "hidden part"
        )
    if array.dtype.kind not in "buif":
        raise DataError(f"the model takes numbers, not {array.dtype}")
    values = array.astype(np.float32)
    if taker.image is not None and values.ndim == 3:
        return _picture(values, baseline)
    return _numbers(values, baseline, names)


def _without_batch(array: NDArray[Any], taker: Input) -> NDArray[Any]:
    batched = array.shape == taker.shape and array.ndim > 1
    picture = array.dtype == np.uint8 and array.ndim == 4 and array.shape[0] == 1
    return array.reshape(array.shape[1:]) if batched or picture else array


def _picture(pixels: NDArray[Any], baseline: str | NDArray[Any]) -> Plane:
    height, width = pixels.shape[:2]
    shown, said = _picture_baseline(pixels, baseline)
    shown = np.rint(shown) if pixels.dtype == np.uint8 else shown
    return Plane("picture", pixels, shown.astype(pixels.dtype), said, (height, width), (True, True))


def _picture_baseline(pixels: NDArray[Any], baseline: str | NDArray[Any]) -> tuple[NDArray[Any], str]:
    if not isinstance(baseline, str):
        raise UsageError(
            "normal data are a baseline for numbers, and this is a picture", hint="Choose blur, mean or zero."
        )
    if baseline == "zero":
        return np.zeros_like(pixels), "black"
    if baseline == "mean":
        return np.broadcast_to(pixels.mean(axis=(0, 1)), pixels.shape), "the mean colour of the picture"
    sigma = max(pixels.shape[:2]) / BLUR
    return _blurred(pixels.astype(np.float32), sigma), f"the picture blurred (sigma {sigma:.0f} pixels)"


def _blurred(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A Gaussian blur, the edges continued; in NumPy, since a device may have no OpenCV.

    The picture is first brought to 128 cells a side, of which the blur covers eight.
    """
    rows, columns = (min(length, MOST_CELLS) for length in values.shape[:2])
    small = pooled(values, MOST_CELLS).astype(np.float32)
    down, across = (
        _blur_weights(length, count, sigma) for length, count in zip(values.shape[:2], (rows, columns), strict=True)
    )
    blurred = np.tensordot(down, np.tensordot(across, small, (1, 1)), (1, 1))  # (height, width, ...)
    return blurred.astype(np.float32)


def _blur_weights(length: int, cells: int, sigma: float) -> NDArray[np.float32]:
    """What each cell adds to each place: shape (length, cells)."""
    middles = (np.arange(cells) + 0.5) * length / cells
    distance = np.subtract.outer(np.arange(length) + 0.5, middles) / sigma
    weights = np.exp(-0.5 * distance**2)
    normalized: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalized


def _numbers(values: NDArray[np.float32], baseline: str | NDArray[Any], names: Sequence[str]) -> Plane:
    shape = tuple(length for length in values.shape if length > 1) or (1,)
    if len(shape) > 2:
        raise DataError(
            f"a sample of shape {list(values.shape)} is neither a picture, nor a window of steps by channels, nor a "
            "row of features"
        )
    window = len(shape) == 2
    size = (shape[0], shape[1]) if window else (1, shape[0])
    kind: Kind = "window" if window else "features"
    shown, said = _number_baseline(values, size, kind, baseline)
    joined = (window, window and size[1] > MOST_SEPARATE)
    return Plane(kind, values, shown, said, size, joined, _names(names, size[1], kind))


def _names(names: Sequence[str], count: int, kind: Kind) -> tuple[str, ...]:
    what = "channel" if kind == "window" else "feature"
    if not names:
        return tuple(f"{what} {number}" for number in range(count))
    if len(names) != count:
        raise DataError(f"{len(names)} names for {count} {what}s")
    return tuple(names)


def _number_baseline(
    values: NDArray[np.float32], size: tuple[int, int], kind: Kind, baseline: str | NDArray[Any]
) -> tuple[NDArray[np.float32], str]:
    if not isinstance(baseline, str):
        return _normal(values, size, np.asarray(baseline, np.float32)), "the mean of normal data"
    if baseline == "blur":
        raise UsageError("blurring is for pictures", hint="Choose mean or zero, or give normal data.")
    if baseline == "zero" or (baseline == "auto" and kind == "features"):
        return np.zeros_like(values), "zero"
    if kind == "features":
        raise UsageError(
            "the mean of one row of features says nothing of any of them", hint="Choose zero, or give normal data."
        )
    means = values.reshape(size).mean(axis=0)
    return np.broadcast_to(means, size).reshape(values.shape), "each channel's mean over the window"


def _normal(values: NDArray[np.float32], size: tuple[int, int], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of normal data: of whole samples place by place, or of single steps channel by channel."""
    flat = rows.reshape(len(rows), -1) if rows.ndim and len(rows) else np.empty((0, 0), np.float32)
    if not flat.size or not np.isfinite(flat).all():
        raise DataError("the normal data are empty, or hold NaN or infinity")
    if flat.shape[1] == values.size:
        mean: NDArray[np.float32] = flat.mean(axis=0).reshape(values.shape)
        return mean
    if flat.shape[1] == size[1]:
        return np.broadcast_to(flat.mean(axis=0), size).reshape(values.shape)
    raise DataError(
        f"normal data of {flat.shape[1]} numbers a row do not fit a sample of {values.size}",
        hint=f"Give rows of {values.size} numbers" + (f", or of {size[1]} (channels)." if size[0] > 1 else "."),
    )
