"""Calibration data that a script passes in memory, brought to a file for the child process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError


def save_given(data: Any, most: int, path: Path) -> None:
    """Write samples to an `.npz`, one array an input.

    Args:
        data: An array of samples; a dict of such arrays by input name; or an iterable (a generator, a
            `tf.data.Dataset`) of single samples or batches, each an array or a dict by input name. At most `most`
            items are drawn from an iterable.
        most: Number of samples wanted.
        path: The file to write.

    Raises:
        DataError: the data is of another kind, or its items do not go together.
    """
    arrays: dict[str, Any] = _arrays(data, most)
    np.savez(path, **arrays)


def _arrays(data: Any, most: int) -> dict[str, NDArray[Any]]:
    if isinstance(data, np.ndarray):
        return {"x": data}
    if isinstance(data, Mapping):
        return {str(name): np.asarray(array) for name, array in data.items()}
    if not isinstance(data, Iterable):
        raise DataError(
            f"calibration data cannot be {type(data).__name__}",
            hint="Give a path, an array, a dict of arrays by input name, or an iterable of samples.",
        )
    return _stack(list(islice(data, most)))


def _stack(items: list[Any]) -> dict[str, NDArray[Any]]:
    if not items:
        raise DataError("the calibration iterable gave no sample")
    if any(isinstance(item, tuple) for item in items):
        raise DataError(
            "the calibration iterable gives tuples, where samples are wanted",
            hint="Leave labels out: (x for x, y in data). For several inputs give dicts by input name.",
        )
    if not isinstance(items[0], Mapping):
        return {"x": _join([np.asarray(item) for item in items])}
    names = set(items[0])
    if any(not isinstance(item, Mapping) or set(item) != names for item in items):
        raise DataError(f"the calibration iterable gives dicts with other keys than the first: {sorted(names)}")
    return {str(name): _join([np.asarray(item[name]) for item in items]) for name in items[0]}


def _join(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Equal shapes are stacked (a batch of 1 in front may stay); batches of different sizes are chained."""
    shapes = {array.shape for array in arrays}
    if len(shapes) == 1:
        return np.stack(arrays)
    if len({shape[1:] for shape in shapes}) == 1:
        return np.concatenate(arrays)
    raise DataError(f"the calibration iterable gives samples of different shapes: {sorted(shapes)}")
