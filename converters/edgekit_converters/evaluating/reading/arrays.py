"""Arrays and tables of numbers: samples in memory."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError
from edgekit.tables import DEFAULT_ARRAY, read_arrays
from edgekit_converters.evaluating.dataset import Arrays, Dataset, Task
from edgekit_converters.evaluating.reading.asked import Asked
from edgekit_converters.evaluating.reading.grouping import FOLDER, group
from edgekit_converters.evaluating.reading.tables import Table, listed, read_table
from edgekit_converters.evaluating.reading.targets import choose_task, targets_of
from edgekit_converters.evaluating.subject import Subject
from edgekit_converters.samples.calibration import match_arrays
from edgekit_converters.tracing.specs import InputSpec, tidy

LABELS = "y"
USUAL_NAMES = ("label", "labels", "target", "class", "y_test")


def read_array_file(path: Path, subject: Subject, asked: Asked) -> Dataset:
    """Samples of an `.npy`, or of an `.npz` with the model's inputs (or `x`), labels `y`, and groups.

    Raises:
        DataError: an array is missing, of another shape or length, or holds NaN or infinity.
    """
    arrays = read_arrays(path)
    wanted = asked.target_column or LABELS
    if asked.target_column and wanted not in arrays:
        raise DataError(f"{path} has no array '{wanted}'", hint=f"It has {listed(sorted(arrays))}.")
    labels = None if asked.task == "agreement" else arrays.get(wanted)
    others = {name: array for name, array in arrays.items() if name not in (wanted, *asked.group_by)}
    _hint_at_labels(path, others, labels, asked)
    samples = _matched(others, subject, str(path))
    count = len(next(iter(samples.values())))

    def find(name: str) -> NDArray[Any]:
        if name.startswith(FOLDER) or name not in arrays:
            raise DataError(f"{path} has no array '{name}' to group by", hint=f"It has {listed(sorted(arrays))}.")
        return _as_long(arrays[name], count, f"array '{name}' of {path}").reshape(count)

    if labels is not None:
        labels = _as_long(labels, count, f"{wanted} of {path}")
    task, targets = _targets(labels, subject, asked, f"{wanted} of {path}")
    return Dataset(str(path), Arrays(samples), task, targets, group(asked.group_by, find, str(path)))


def _hint_at_labels(path: Path, arrays: Mapping[str, Any], labels: Any, asked: Asked) -> None:
    near = next((name for name in USUAL_NAMES if name in arrays), None)
    if labels is None and near and asked.task != "agreement":
        raise DataError(
            f"{path} has no array '{LABELS}', and one called '{near}'",
            hint=f"Say --target-column {near} where these are the labels, else --task agreement.",
        )


def _as_long(array: NDArray[Any], count: int, what: str) -> NDArray[Any]:
    if not array.ndim or len(array) != count:
        raise DataError(f"{what} has {len(array) if array.ndim else 'no'} entries for {count} samples")
    return array


def _matched(arrays: Mapping[str, NDArray[Any]], subject: Subject, name: str) -> dict[str, NDArray[Any]]:
    """The array of each input, by the input's name."""
    specs = [InputSpec(tidy(item.name), item.shape, item.dtype) for item in subject.inputs]
    found = _pixels(arrays, subject)
    if found is None:
        by_spec = match_arrays(arrays, name, specs)
        found = {item.name: by_spec[spec.name] for item, spec in zip(subject.inputs, specs, strict=True)}
    for key, array in found.items():
        if not len(array):
            raise DataError(f"{name} holds no samples")
        finite = np.isfinite(array) if array.dtype.kind == "f" else np.ones(1, bool)
        if not finite.all():
            sample = int(np.argwhere(~finite)[0][0])
            raise DataError(
                f"{name} holds NaN or infinity for input '{key}', first in sample {sample}",
                hint="Clean the data first.",
            )
    return found


def _pixels(arrays: Mapping[str, NDArray[Any]], subject: Subject) -> dict[str, NDArray[Any]] | None:
    """Pixels for a model of one picture, of whatever size: the device brings them to the network's."""
    array = arrays.get(DEFAULT_ARRAY)
    takes = subject.inputs[0]
    if array is None or len(subject.inputs) > 1 or takes.image is None or array.dtype != np.uint8 or array.ndim != 4:
        return None
    return {takes.name: array}


def _targets(
    labels: NDArray[Any] | None, subject: Subject, asked: Asked, where: str
) -> tuple[Task, NDArray[Any] | None]:
    if labels is None:
        if asked.task not in (None, "agreement"):
            raise DataError(
                f"there are no labels, which task {asked.task} needs: no {where}",
                hint="Name the labels with --target-column.",
            )
        return "agreement", None
    task = choose_task(asked.task, subject, labels)
    return task, targets_of(task, labels, subject, where)


def read_table_file(path: Path, subject: Subject, asked: Asked) -> Dataset:
    """Rows of a table: every column is an input of the model, but the target and what is grouped by.

    Raises:
        DataError: a column is missing, holds no numbers, or there are more or fewer than the model takes.
    """
    if len(subject.inputs) > 1:
        raise DataError(
            f"{path} cannot feed a model of {len(subject.inputs)} inputs",
            hint=f"Give an .npz with an array for each: {', '.join(item.name for item in subject.inputs)}.",
        )
    table = read_table(path)
    labels = None
    if asked.target_column is not None:
        column = table.column(asked.target_column)
        labels = _numbers_or_texts(column)
    features = [name for name in table.columns if name not in (asked.target_column, *asked.group_by)]
    takes = subject.inputs[0]
    _check_width(path, features, prod(takes.shape), table, asked)
    values = np.stack([table.numbers(name) for name in features], axis=1).astype(np.float32)
    task, targets = _targets(labels, subject, asked, f"column '{asked.target_column}' of {path}")
    samples = Arrays({takes.name: values.reshape(len(table), *takes.shape[1:])})
    return Dataset(str(path), samples, task, targets, group(asked.group_by, table.column, str(path)))


def _numbers_or_texts(column: NDArray[np.str_]) -> NDArray[Any]:
    try:
        return column.astype(np.float64)
    except ValueError:
        return column


def _check_width(path: Path, features: list[str], width: int, table: Table, asked: Asked) -> None:
    if len(features) == width:
        return
    hint = "Name the column of labels with --target-column, and those that are no inputs with --group-by."
    if asked.target_column is not None:
        hint = f"The columns are {listed(list(table.columns))}."
    raise DataError(
        f"{path} has {len(features)} columns for the model ({listed(features)}), and it takes {width} numbers",
        hint=hint,
    )
