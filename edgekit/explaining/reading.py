"""The sample to explain, from a path or URI."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import DataError
from edgekit.model import Model
from edgekit.sources import Problem, Sample, open_source
from edgekit.tables import DELIMITERS, TABLE_SUFFIXES, TEXT_SUFFIXES, Row, iterate_rows


def read_sample(uri: str, number: int, model: Model) -> Sample:
    """Read one sample of a source.

    Args:
        uri: What `edgekit run` takes. In a table a row is a sample; where the model takes a window of (steps,
            channels) and a row has as many numbers as channels, a row is a step, and the window starts at the row
            asked for.
        number: Which, from 0.
        model: Whose input it is for.

    Raises:
        DataError: there are not so many, or that one cannot be read.
        MissingFileError, UsageError: as in `edgekit.sources.open_source`.
    """
    shape = model.inputs[0].shape[1:]
    if Path(uri).suffix.lower() in TABLE_SUFFIXES and Path(uri).is_file() and _is_of_steps(uri, shape):
        return Sample(_window(uri, number, shape), uri, number)
    source: Any = open_source(uri, shape=shape)
    count = 0
    with closing(source) if hasattr(source, "close") else nullcontext():
        for item in source:
            if isinstance(item, (Sample, Problem)):
                if item.sequence == number:
                    return _good(item)
                count = item.sequence + 1
    raise DataError(f"{uri} has no sample {number}", hint=f"It has {count}, counted from 0.")


def _good(item: Sample | Problem) -> Sample:
    if isinstance(item, Problem):
        raise DataError(str(item))
    return item


def _is_of_steps(uri: str, shape: tuple[int, ...]) -> bool:
    """Whether the rows of a table are steps of a window, and not windows."""
    sides = [length for length in shape if length > 1]
    first = next((row.values for row in iterate_rows(uri) if row.values is not None), None)
    return first is not None and first.ndim == 1 and len(sides) == 2 and first.size == sides[1]


def _window(uri: str, start: int, shape: tuple[int, ...]) -> Any:
    steps = next(length for length in shape if length > 1)
    rows = [_values(uri, row) for at, row in enumerate(iterate_rows(uri)) if start <= at < start + steps]
    if len(rows) < steps:
        raise DataError(
            f"{uri} has {len(rows)} rows from row {start} on, and the model takes windows of {steps} steps"
        )
    return np.stack(rows).reshape(shape)


def _values(uri: str, row: Row) -> Any:
    if row.values is None:
        raise DataError(f"{uri}, {row.where}: {row.problem}")
    return row.values


def column_names(uri: str, counts: set[int]) -> tuple[str, ...]:
    """The header of a table, where it has one and as many cells as one of `counts`; else nothing."""
    path = Path(uri)
    if path.suffix.lower() not in TEXT_SUFFIXES or not path.is_file():
        return ()
    with path.open(encoding="utf-8-sig", newline="") as stream:
        first = next(_content(stream), "")
    delimiter = next((mark for mark in DELIMITERS if mark in first), ",")
    cells = tuple(cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), []))
    return cells if len(cells) in counts and not any(_is_number(cell) for cell in cells) else ()


def _content(lines: Iterator[str]) -> Iterator[str]:
    return (line for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
