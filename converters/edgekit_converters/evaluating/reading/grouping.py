"""Groups of samples, for whom a model may be better or worse than for others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError

FOLDER = "folder:"
SMALLEST_MEAN = 2
"""Samples a group has to have on average, or the property tells samples apart rather than groups."""


def group(by: Sequence[str], find: Callable[[str], NDArray[Any]], where: str) -> Mapping[str, NDArray[np.str_]]:
    """The group of each sample by each of the properties.

    Args:
        by: What the user wants to group by.
        find: Gives the values of one, of shape (samples,).
        where: Name of the data, for messages.

    Raises:
        DataError: a property that is different for nearly every sample.
    """
    groups = {name: _texts(find(name)) for name in by}
    for name, values in groups.items():
        found = len(np.unique(values))
        if len(values) >= 2 * SMALLEST_MEAN and found * SMALLEST_MEAN > len(values):
            raise DataError(
                f"'{name}' of {where} has {found} different values for {len(values)} samples: these are no groups",
                hint="Group by something that many samples share.",
            )
    return groups


def _texts(values: NDArray[Any]) -> NDArray[np.str_]:
    if values.dtype.kind in "fc":
        return np.array([f"{value:g}" for value in values])
    return values.astype(str)


def folder_level(by: str) -> int:
    """The level that `folder:2` means, from 1.

    Raises:
        UsageError: it is no number from 1.
    """
    text = by.removeprefix(FOLDER)
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"group-by cannot be '{by}'", hint="Write folder:1 for the folders right under the data.")
    return int(text)


def folders_at(level: int, files: Sequence[Path], root: Path) -> list[str]:
    """Name of the folder at that level for each file; 1 is right under the root.

    Raises:
        DataError: a file lies above it.
    """
    parts = [file.relative_to(root).parts for file in files]
    high = next((file for file, of_file in zip(files, parts, strict=True) if len(of_file) <= level), None)
    if high is not None:
        raise DataError(f"{high} lies in no folder of level {level} under {root}")
    return [of_file[level - 1] for of_file in parts]
