"""Tables of text: columns by name. Values are looked at by those who know what they should be."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, MissingFileError
from edgekit.tables import DELIMITERS

NAMED = 10
"""Columns and values named in a message at most."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, each with a text for every row."""

    path: Path
    columns: dict[str, list[str]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def column(self, name: str) -> NDArray[np.str_]:
        """The texts of a column, shape (rows,).

        Raises:
            DataError: there is no such column, or a cell of it is empty.
        """
        if name not in self.columns:
            raise DataError(f"{self.path} has no column '{name}'", hint=f"It has {listed(list(self.columns))}.")
        texts = self.columns[name]
        if "" in texts:
            raise DataError(f"{self.path}: column '{name}' is empty in row {texts.index('') + 1} after the header")
        return np.array(texts)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as numbers, float64 of shape (rows,).

        Raises:
            DataError: a cell is no finite number.
        """
        texts = self.column(name)
        try:
            numbers = texts.astype(np.float64)
        except ValueError:
            wrong = next(row for row, text in enumerate(texts) if not is_number(text))
            raise DataError(
                f"{self.path}: column '{name}' is '{texts[wrong]}', which is no number, in row {wrong + 1} after the "
                "header",
                hint="Every column is an input of the model but the target and those that are grouped by: name it "
                "with --target-column or --group-by, or leave it out of the file.",
            ) from None
        if not np.isfinite(numbers).all():
            row = int(np.argmin(np.isfinite(numbers)))
            raise DataError(f"{self.path}: column '{name}' is {numbers[row]} in row {row + 1} after the header")
        return numbers


def is_number(text: str) -> bool:
    """Whether a text can be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_table(path: Path) -> Table:
    """Read a table whose first row names its columns; commas, semicolons or tabs, UTF-8.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is no such table, or a row has more or fewer cells than the first.
    """
    if not path.is_file():
        raise MissingFileError(f"no such file: {path}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = next((mark for mark in DELIMITERS if mark in first), ",")
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no table in UTF-8 text: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if len(rows) < 2:
        raise DataError(f"{path} holds no rows below a header")
    header, *body = rows
    _check(path, header, body)
    return Table(path, {name: [row[at] for row in body] for at, name in enumerate(header)})


def _check(path: Path, header: list[str], body: list[list[str]]) -> None:
    if all(is_number(cell) for cell in header):
        raise DataError(f"{path} has no header: its first row is {listed(header)}", hint="Name the columns in it.")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path} has two columns '{twice}'", hint="Give each a name of its own.")
    for number, row in enumerate(body, 1):
        if len(row) != len(header):
            raise DataError(f"{path}: row {number} after the header has {len(row)} cells, and the header {len(header)}")


def listed(names: list[str]) -> str:
    """Names for a message, the first ones of many."""
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown
