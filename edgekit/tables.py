"""Rows of numbers from `.csv`, `.npy` and `.npz` files, read whole or one at a time."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, MissingFileError

if TYPE_CHECKING:
    from os import PathLike

TEXT_SUFFIXES = (".csv", ".tsv")
ARRAY_SUFFIXES = (".npy", ".npz")
TABLE_SUFFIXES = TEXT_SUFFIXES + ARRAY_SUFFIXES
DELIMITERS = (";", "\t", ",")
"""Tried in this order on the first row: a comma may also be somebody's decimal point."""
DEFAULT_ARRAY = "x"
# 1,5 or 1.234,5 or 1'234.5: what spreadsheets write in many countries.
_LOCAL_NUMBER = re.compile(r"[+-]?\d+(?:[.,'\u2019\u00a0 ]\d{3})*(?:[.,]\d+)?(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: its values, or what is wrong with it.

    Attributes:
        where: Place for a message, such as `line 7` of a text or `row 7` of an array; both count from 1.
        values: float32 of shape (width,) from text; from an array a row of its own shape, float32, or uint8
            as it was, since that may be pixels. None where the row is bad.
        problem: What is wrong with it; empty where nothing is.
    """

    where: str
    values: NDArray[Any] | None
    problem: str = ""

    @property
    def is_picture(self) -> bool:
        """Whether it is uint8 of two dimensions or more, whose size need not be that of other rows."""
        return self.values is not None and self.values.dtype == np.uint8 and self.values.ndim > 1


def read_rows(path: str | PathLike[str], width: int | None = None) -> NDArray[np.float32]:
    """Read a whole table.

    Args:
        path: A `.csv` (commas, semicolons or tabs; the header row, blank lines and lines that start with #
            are skipped), `.npy`, or `.npz` with one array or one called `x`.
        width: Numbers that a row has to have; None for whatever the first one has.

    Returns:
        float32 of shape (rows, width); what an array holds behind its first dimension is flattened.

    Raises:
        MissingFileError: there is no such file.
        DataError: a cell that is no finite number, a row of another width, or no row at all.
    """
    return np.stack([_flat_values(path, row) for row in iterate_rows(path, width)])


def _flat_values(path: str | PathLike[str], row: Row) -> NDArray[np.float32]:
    if row.values is None:
        raise DataError(f"{path}, {row.where}: {row.problem}")
    return row.values.astype(np.float32, copy=False).reshape(-1)


def iterate_rows(path: str | PathLike[str], width: int | None = None) -> Iterator[Row]:
    """Read a table row by row; a bad row is yielded with its problem, and does not end it.

    Args:
        path: As in `read_rows`.
        width: Numbers that a row has to have; None for whatever the first good one has.

    Raises:
        MissingFileError: there is no such file.
        DataError: the file as a whole cannot be read, or holds no row.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"no such file: {file}")
    found = False
    for row in _checked_rows(file, width):
        found = True
        yield row
    if not found:
        raise DataError(f"{path} holds no row of numbers")


def _checked_rows(file: Path, width: int | None) -> Iterator[Row]:
    rows = _array_rows(file) if file.suffix.lower() in ARRAY_SUFFIXES else _text_rows(file)
    for row in rows:
        checked = _check(row, width)
        if width is None and checked.values is not None:
            width = checked.values.size
        yield checked


def _check(row: Row, width: int | None) -> Row:
    if row.values is None or row.is_picture:
        return row
    if width is not None and row.values.size != width:
        return Row(row.where, None, f"{row.values.size} numbers where {width} are wanted")
    bad = np.flatnonzero(~np.isfinite(row.values))
    if bad.size:
        column, value = int(bad[0]), row.values.flat[bad[0]]
        return Row(row.where, None, f"column {column + 1} is {value}, which is no finite float32")
    return row


def _text_rows(file: Path) -> Iterator[Row]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            yield from _parse(stream)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} is no table in UTF-8 text: {error}") from error
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error


def _parse(stream: Iterator[str]) -> Iterator[Row]:
    lines = (("\n" if line.lstrip().startswith("#") else line) for line in stream)
    skipped: list[str] = []
    first = ""
    for first in lines:
        skipped.append("\n")
        if first.strip():
            skipped[-1] = first
            break
    delimiter = next((mark for mark in DELIMITERS if mark in first), ",")
    reader = csv.reader(chain(skipped, lines), delimiter=delimiter)
    may_be_header = True
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        header, may_be_header = may_be_header and _is_header(cells), False
        if not header:
            yield _numbers(f"line {reader.line_num}", cells)


def _is_header(cells: list[str]) -> bool:
    """A first row in which no cell is a number. Names that are numbers cannot be told from data."""
    return not any(_is_number(cell) or _LOCAL_NUMBER.fullmatch(cell.strip()) for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True


def _number(cell: str) -> float:
    """A number as programs write it, and not as Python source may have it (1_000)."""
    if "_" in cell:
        raise ValueError(cell)
    return float(cell)


def _numbers(where: str, cells: list[str]) -> Row:
    try:
        return Row(where, _to_float32([_number(cell) for cell in cells]))
    except ValueError:
        column, cell = next((at, cell.strip()) for at, cell in enumerate(cells, 1) if not _is_number(cell))
        return Row(where, None, f"column {column} is {_what_is_wrong(cell)}")


def _what_is_wrong(cell: str) -> str:
    if not cell:
        return "empty"
    point = " (write decimals with a point, and thousands without a mark)" if _LOCAL_NUMBER.fullmatch(cell) else ""
    return f"'{cell}', which is no number{point}"


def _to_float32(values: Any) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what becomes infinite is reported with its place
        return np.asarray(values, np.float64).astype(np.float32)


def read_arrays(path: str | PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays of a `.npy` (under the name `x`) or `.npz` file, as they are. Nothing is unpickled.

    Raises:
        MissingFileError: there is no such file.
        DataError: the file is damaged, or holds objects that are no numbers.
    """
    import tokenize  # with zipfile 6 ms, and seldom needed
    import zipfile
    import zlib

    # All that NumPy was seen to raise for files damaged at random.
    damage = (ValueError, OSError, EOFError, RuntimeError, MemoryError)
    inner_damage = (tokenize.TokenError, zipfile.BadZipFile, zlib.error)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays = {DEFAULT_ARRAY: loaded}
        else:
            with loaded:
                arrays = {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise MissingFileError(f"no such file: {path}") from None
    except (*damage, *inner_damage) as error:
        raise DataError(f"{path} is no array of numbers that NumPy reads, or is damaged: {_reason(error)}") from error
    return arrays


def _reason(error: Exception) -> str:
    """NumPy's words, without its advice to allow pickles, which run code."""
    if "allow_pickle" not in str(error):
        return str(error)
    return "it holds Python objects" if "Object arrays" in str(error) else "it starts like neither .npy nor .npz"


def _array_rows(file: Path) -> Iterator[Row]:
    array = _only_array(file, read_arrays(file))
    if array.ndim == 0 or array.dtype.kind not in "buif":
        raise DataError(f"{file} holds no rows of numbers, but {array.dtype} of shape {array.shape}")
    for number, values in enumerate(array, 1):
        yield Row(f"row {number}", np.asarray(values) if array.dtype == np.uint8 else _to_float32(values))


def _only_array(file: Path, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    if DEFAULT_ARRAY in arrays:
        return arrays[DEFAULT_ARRAY]
    raise DataError(
        f"{file} holds {len(arrays)} arrays ({', '.join(sorted(arrays)) or 'none'})",
        hint=f"Keep one, or call the one to read '{DEFAULT_ARRAY}'.",
    )
