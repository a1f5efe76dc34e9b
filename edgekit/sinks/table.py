"""CSV files (RFC 4180), for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from edgekit.errors import OutputError, UsageError
from edgekit.results import Result
from edgekit.sinks.columns import columns_of, rows_of
from edgekit.sinks.files import AppendedFile

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a text (OWASP, CSV Injection)."""


class CsvSink:
    """A row for each class, object or keypoint of a result, else one for each result; the header once.

    Raises:
        OutputError: the file cannot be opened for writing, or its folder takes none.
    """

    def __init__(self, path: str) -> None:
        self._file = AppendedFile(path)
        self._columns: tuple[str, ...] = ()

    def write(self, result: Result) -> None:
        """Append the rows of one result, or none of them.

        Raises:
            UsageError: the file has other columns, or the result too many numbers for a table.
            OutputError: the file cannot be written.
        """
        columns = columns_of(result)
        if not self._columns:
            self._begin(columns)
        elif columns != self._columns:
            raise UsageError(
                f"{self._file.path} has the columns of another task than {result.task}",
                hint="Give each model a .csv file of its own, or one .jsonl file for all.",
            )
        self._file.write(_lines(rows_of(result)))

    def _begin(self, columns: tuple[str, ...]) -> None:
        header = _lines([columns])
        found = self._file.begin(header)
        if found != header:
            raise OutputError(
                f"{self._file.path} is there already and has other columns than these: {', '.join(columns)}",
                hint="Give another file, or move this one away.",
            )
        self._columns = columns

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "true" if value is True else "false" if value is False else value
