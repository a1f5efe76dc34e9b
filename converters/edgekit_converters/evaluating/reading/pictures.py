"""Folders of pictures: labels and groups are names of folders, or columns of a table beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.images import list_images
from edgekit.inputs import is_picture_shape
from edgekit_converters.evaluating.dataset import Dataset, Pictures
from edgekit_converters.evaluating.reading.asked import Asked
from edgekit_converters.evaluating.reading.grouping import FOLDER, folder_level, folders_at, group
from edgekit_converters.evaluating.reading.tables import Table, listed, read_table
from edgekit_converters.evaluating.reading.targets import choose_task, numbers_of, targets_of
from edgekit_converters.evaluating.subject import Subject

METADATA = "metadata.csv"
FILE_COLUMNS = ("file", "file_name", "filename", "path", "image")


def read_pictures(folder: Path, subject: Subject, asked: Asked) -> Dataset:
    """Pictures under a folder. They are labelled by the folders that they lie in, or by a column of the metadata.

    Raises:
        DataError: there are none, a folder is no class of the model or is empty, or a picture has no row.
        UsageError: the model takes no pictures.
    """
    _check_input(folder, subject)
    files = tuple(list_images(folder))
    table = _Rows(folder, asked, files) if _needs_table(asked) else None
    labels = _labels(folder, files, subject, asked, table)
    task = asked.task or ("agreement" if labels is None else choose_task(None, subject, labels))
    targets = None
    if task != "agreement":
        if labels is None:
            raise DataError(
                f"the pictures of {folder} have no labels, which task {task} needs",
                hint="Put them into a folder for each class, or name a column of metadata.csv with --target-column.",
            )
        targets = targets_of(task, labels, subject, f"the column '{asked.target_column}'" if table else str(folder))

    def find(name: str) -> NDArray[np.str_]:
        if name.startswith(FOLDER):
            return np.array(folders_at(folder_level(name), files, folder))
        if table is None:  # pragma: no cover - any other name needs the table
            raise UsageError(f"group-by cannot be '{name}'")
        return table.column(name)

    return Dataset(str(folder), Pictures(files), task, targets, group(asked.group_by, find, str(folder)))


def _check_input(folder: Path, subject: Subject) -> None:
    takes = subject.inputs[0]
    if len(subject.inputs) > 1 or not (takes.image or is_picture_shape(takes.shape)):
        raise UsageError(
            f"{folder} holds pictures, and {subject.name} takes "
            + (f"{len(subject.inputs)} inputs" if len(subject.inputs) > 1 else f"numbers of shape {takes.shape}"),
            hint="Give an .npz or .csv.",
        )


def _needs_table(asked: Asked) -> bool:
    return asked.target_column is not None or not all(name.startswith(FOLDER) for name in asked.group_by)


def _labels(
    folder: Path, files: Sequence[Path], subject: Subject, asked: Asked, table: _Rows | None
) -> NDArray[np.str_] | None:
    if asked.task == "agreement":
        return None
    if asked.target_column is not None and table is not None:
        return table.column(asked.target_column)
    nested = [file for file in files if file.parent != folder]
    if not nested:
        return None
    if len(nested) < len(files):
        loose = next(file for file in files if file.parent == folder)
        raise DataError(
            f"{loose} lies in no class folder, as {len(files) - len(nested) - 1} others and unlike {len(nested)}",
            hint="Put every picture into the folder of its class, or say --task agreement where folders are no "
            "classes.",
        )
    level = _class_level(folder, files, subject, asked)
    _refuse_empty(folder, files, level)
    return np.array(folders_at(level, files, folder))


def _class_level(folder: Path, files: Sequence[Path], subject: Subject, asked: Asked) -> int:
    """The first level whose folders are all classes of the model; the other levels may be groups."""
    if asked.task == "anomaly" or subject.task == "anomaly":
        return 1
    deepest = min(len(file.relative_to(folder).parts) for file in files) - 1
    return next((level for level in range(1, deepest + 1) if _are_classes(level, folder, files, subject)), 1)


def _are_classes(level: int, folder: Path, files: Sequence[Path], subject: Subject) -> bool:
    try:
        numbers_of(sorted(set(folders_at(level, files, folder))), subject, str(folder))
    except DataError:
        return False
    return True


def _refuse_empty(folder: Path, files: Sequence[Path], level: int) -> None:
    filled = {parent for file in files for parent in file.parents}
    places = [place for place in folder.glob("/".join("*" * level)) if place.is_dir()]
    empty = sorted(place.name for place in places if place not in filled and not place.name.startswith("."))
    if empty:
        raise DataError(
            f"{folder}: no pictures in the class folder{'s' * (len(empty) > 1)} {listed(empty)}",
            hint="Add pictures, or remove the folder.",
        )


class _Rows:
    """The table beside the pictures, with a row for each of them."""

    def __init__(self, folder: Path, asked: Asked, files: Sequence[Path]) -> None:
        path = asked.metadata or folder / METADATA
        if asked.metadata is None and not path.exists():
            wanted = [name for name in (asked.target_column, *asked.group_by) if name and not name.startswith(FOLDER)]
            raise UsageError(
                f"'{wanted[0]}' is to be a column, and there is no {METADATA} in {folder}",
                hint=f"Write one with the columns file and {wanted[0]}, name one with --metadata, or group by the "
                "level of a folder: folder:1.",
            )
        self._table: Table = read_table(path)
        name = next((name for name in FILE_COLUMNS if name in self._table.columns), None)
        if name is None:
            raise DataError(
                f"{path} has no column of file names ({', '.join(FILE_COLUMNS)})",
                hint=f"It has {listed(list(self._table.columns))}.",
            )
        self._rows = self._find(path, folder, files, self._table.columns[name])

    def _find(self, path: Path, folder: Path, files: Sequence[Path], names: Sequence[str]) -> list[int]:
        rows = {name.removeprefix("./"): row for row, name in enumerate(names)}
        keys = [file.relative_to(folder).as_posix() for file in files]
        missing = [key for key in keys if key not in rows]
        if missing:
            raise DataError(f"{path} has no row for {len(missing)} of {len(keys)} pictures: {listed(missing)}")
        return [rows[key] for key in keys]

    def column(self, name: str) -> NDArray[np.str_]:
        """A column, in the order of the pictures."""
        return self._table.column(name)[self._rows]
