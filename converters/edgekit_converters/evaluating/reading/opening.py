"""From a path to a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import numpy as np

from edgekit.choices import one_of
from edgekit.errors import DataError, MissingFileError
from edgekit.tables import ARRAY_SUFFIXES, TEXT_SUFFIXES
from edgekit_converters.evaluating.dataset import Dataset, Task
from edgekit_converters.evaluating.reading.arrays import read_array_file, read_table_file
from edgekit_converters.evaluating.reading.asked import Asked
from edgekit_converters.evaluating.reading.coco import read_coco
from edgekit_converters.evaluating.reading.pictures import read_pictures
from edgekit_converters.evaluating.subject import Subject
from edgekit_converters.samples.calibration import spread

ACCEPTED = (
    "Give a folder of pictures, one folder a class; an .npz with x and y; a .csv with a target column; or "
    "annotations in COCO's JSON format."
)


def open_dataset(
    path: str | PathLike[str], subject: Subject, *, task: Task | None = None, target_column: str | None = None,
    group_by: Sequence[str] = (), metadata: str | PathLike[str] | None = None,
    images: str | PathLike[str] | None = None, limit: int | None = None,
) -> Dataset:
    """Read the data that a model is evaluated on. Pictures are read later, one by one.

    Args:
        path: A folder of pictures, an `.npz`, `.npy`, `.csv` or `.tsv`, or a COCO `.json`.
        subject: The model, for its inputs and classes.
        task: What the labels are for; by default what the model and they suggest. `agreement` leaves labels alone.
        target_column: Column or array of labels (an `.npz` has them in `y`).
        group_by: Columns or arrays, or `folder:LEVEL`.
        metadata: A table with a column `file` for a folder of pictures; by default its `metadata.csv`.
        images: Folder of the pictures of COCO annotations.
        limit: Use so many samples at most, evenly spread.

    Raises:
        MissingFileError: there is nothing there.
        DataError: it cannot be read, or does not fit the model.
        UsageError: the labels do not fit the task.
    """
    place = Path(path)
    if not place.exists():
        raise MissingFileError(f"no such data: {path}", hint=ACCEPTED)
    if task is not None:
        one_of("task", task, get_args(Task))
    asked = Asked(
        task, target_column, tuple(dict.fromkeys(group_by)), Path(metadata) if metadata else None,
        Path(images) if images else None,
    )
    dataset = _read(place, subject, asked)
    return dataset if limit is None or limit >= len(dataset) else limited(dataset, limit)


def _read(path: Path, subject: Subject, asked: Asked) -> Dataset:
    suffix = path.suffix.lower()
    if path.is_dir():
        return read_pictures(path, subject, asked)
    if suffix in ARRAY_SUFFIXES:
        return read_array_file(path, subject, asked)
    if suffix in TEXT_SUFFIXES:
        return read_table_file(path, subject, asked)
    if suffix == ".json":
        return read_coco(path, subject, asked)
    raise DataError(f"{path} is of no kind that EdgeKit evaluates on", hint=ACCEPTED)


def limited(dataset: Dataset, count: int) -> Dataset:
    """So many samples of a dataset, evenly spread over it."""
    chosen = spread(range(len(dataset)), count)
    return replace(
        dataset, samples=dataset.samples.part(chosen), targets=_chosen(dataset.targets, chosen),
        groups={name: values[chosen] for name, values in dataset.groups.items()},
    )


def _chosen(targets: Any, indices: Sequence[int]) -> Any:
    if targets is None:
        return None
    return targets[np.array(indices)] if isinstance(targets, np.ndarray) else [targets[index] for index in indices]
