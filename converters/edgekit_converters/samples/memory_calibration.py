"""Calibration data that a script passes in memory, brought to a file for the child process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError

MOST_BYTES = 1 << 30


def save_given(data: Any, most: int, path: Path) -> None:
    """Write samples to an `.npz`, one array an input.

    Args:
        data: An array of samples; a dict of such arrays by input name; or an iterable (a generator, a
            `tf.data.Dataset`) of single samples or batches, each an array or a dict by input name; of a tuple, as
            Keras has (x, y), the first. At most `most` items are drawn from an iterable.
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
    if callable(data):
        raise DataError("calibration is a function, where samples are wanted", hint="Call it: calibration=samples().")
    if not isinstance(data, Iterable):
        raise DataError(
            f"calibration data cannot be {type(data).__name__}",
            hint="Give a path, an array, a dict of arrays by input name, or an iterable of samples.",
        )
    return _stack(_draw(data, most))


def _draw(data: Iterable[Any], most: int) -> list[Any]:
    """As many items as samples are wanted; fewer where they are so large that they must be batches."""
    items: list[Any] = []
    held = 0
    for drawn in islice(data, most):
        item = drawn[0] if isinstance(drawn, tuple) and drawn else drawn  # Keras's (x, y)
        items.append(item)
        held += sum(np.asarray(array).nbytes for array in (item.values() if isinstance(item, Mapping) else [item]))
        if held > MOST_BYTES:
            break
    return items


def _stack(items: list[Any]) -> dict[str, NDArray[Any]]:
    if not items:
        raise DataError("the calibration iterable gave no sample")
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
