"""Lines of text to samples: CSV or JSON, from a file, a serial port, a broker or the standard input."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.choices import one_of
from edgekit.errors import DataError
from edgekit.tables import DELIMITERS
from edgekit.windows.cells import UNITS, is_time, is_value, moment, number, shown, unit_of

LineFormat = Literal["csv", "json"]
FORMATS: tuple[LineFormat, ...] = ("csv", "json")
OPTIONS = frozenset({"format", "columns", "time", "unit"})
"""What a URI can say of lines."""


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How lines are read.

    Attributes:
        format: `csv` (commas, semicolons, tabs or blanks) or `json` (an object or a list a line).
        columns: Names of the channels to take, in order; empty for all but the time. They name the columns of
            lines without a header.
        time: Name of the column that holds the time; empty for one that is called so, `no` for none.
        unit: Of that column: `s`, `ms`, `us` or `ns`; empty for what its name says, else seconds.
    """

    format: LineFormat = "csv"
    columns: tuple[str, ...] = ()
    time: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        one_of("format", self.format, FORMATS)
        if self.unit:
            one_of("unit", self.unit, tuple(UNITS))


def text_options(given: Mapping[str, str]) -> TextOptions:
    """From the options of a URI.

    Raises:
        UsageError: a format or unit that does not exist.
    """
    columns = tuple(name.strip() for name in given.get("columns", "").split(",") if name.strip())
    form = one_of("format", given.get("format", "csv"), FORMATS)
    return TextOptions("json" if form == "json" else "csv", columns, given.get("time", ""), given.get("unit", ""))


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """What lines gave.

    Attributes:
        times: Seconds by the sender's clock, shape (rows,); None where the lines hold none.
        values: float32 of shape (rows, channels); NaN for an empty cell.
        places: Which of the lines each row is, shape (rows,).
        bad: Places of lines that gave none, with the reason.
    """

    times: NDArray[np.float64] | None
    values: NDArray[np.float32]
    places: NDArray[np.intp]
    bad: list[tuple[int, str]] = field(default_factory=list)


class TextParser:
    """Reads lines, and learns from the first good one how many columns there are and what they are called."""

    def __init__(self, options: TextOptions) -> None:
        self._options = options
        self._names: tuple[str, ...] = ()
        self._delimiter: str | None = None
        self._time: int | None = None
        self._taken: list[int] | None = None
        self._scale = 1.0
        self.channels: tuple[str, ...] = ()
        """Names of the channels; empty before the first line, and where nobody named them."""

    def parse(self, lines: Sequence[str]) -> Parsed:
        """Read lines without their ends; blank ones and those that begin with # are passed over."""
        kept = [at for at, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
        kept = self._learn(lines, kept)
        bad: list[tuple[int, str]] = []
        whole = self._at_once([lines[at] for at in kept])
        if whole is None:
            rows = [self._row(lines[at]) for at in kept]
            bad = [(at, row) for at, row in zip(kept, rows, strict=True) if isinstance(row, str)]
            kept = [at for at, row in zip(kept, rows, strict=True) if not isinstance(row, str)]
            good = [row for row in rows if not isinstance(row, str)]
            whole = np.array(good, np.float64).reshape(len(good), -1 if good else len(self._taken or ()))
        return self._parsed(whole, np.asarray(kept, np.intp), bad)

    def _parsed(self, whole: NDArray[np.float64], places: NDArray[np.intp], bad: list[tuple[int, str]]) -> Parsed:
        taken = self._taken if self._taken is not None else list(range(whole.shape[1]))
        times = whole[:, self._time] * self._scale if self._time is not None and len(whole) else None
        with np.errstate(over="ignore"):
            values = whole[:, taken].astype(np.float32) if len(whole) else np.empty((0, len(taken)), np.float32)
        return Parsed(times, values, places, bad)

    def _learn(self, lines: Sequence[str], kept: list[int]) -> list[int]:
        """See from the first line what the columns are; a header is used up."""
        while self._taken is None and kept:
            first = lines[kept[0]]
            if self._options.format == "json":
                names = _json_names(first)
                if names is None:
                    return kept  # a bad line, as `_row` will say
                self._settle(names)
            else:
                self._delimiter = next((mark for mark in DELIMITERS if mark in first), None)
                cells = self._cells(first)
                header = not any(is_value(cell) for cell in cells)
                self._settle(tuple(cells) if header else tuple(f"c{at}" for at in range(1, len(cells) + 1)), header)
                if header:
                    return kept[1:]
        return kept

    def _settle(self, names: tuple[str, ...], named: bool = True) -> None:
        wanted = self._options.columns
        if not named and wanted:
            names = (*wanted, *names[len(wanted) :])
        self._names, self._time = names, _time_column(names, self._options, named)
        self._scale = 1.0 if self._time is None else UNITS[self._options.unit or unit_of(names[self._time])]
        missing = [name for name in wanted if name not in names]
        if missing:
            raise DataError(f"there is no column {', '.join(missing)}; there are {', '.join(names)}")
        self._taken = [names.index(name) for name in wanted if names.index(name) != self._time]
        self._taken = self._taken or [at for at in range(len(names)) if at != self._time]
        if named or wanted:
            self.channels = tuple(names[at] for at in self._taken)

    def _at_once(self, lines: list[str]) -> NDArray[np.float64] | None:
        """All lines by NumPy's own parser; None where one of them needs a closer look."""
        if self._options.format != "csv" or not lines or self._taken is None:
            return None
        try:
            found = np.loadtxt(lines, np.float64, delimiter=self._delimiter, comments=None, ndmin=2)
        except ValueError:
            return None
        return found if found.shape == (len(lines), len(self._names)) else None

    def _row(self, line: str) -> list[float] | str:
        """The numbers of a line, or what is wrong with it."""
        cells = self._json_cells(line) if self._options.format == "json" else self._cells(line)
        if isinstance(cells, str):
            return cells
        if len(cells) != len(self._names):
            return f"{len(cells)} columns where {len(self._names)} are wanted: {shown(line)}"
        row = [self._value(at, cell) for at, cell in enumerate(cells)]
        wrong = next((at for at, value in enumerate(row) if value is None), None)
        if wrong is not None:
            return f"column {self._names[wrong]} is {shown(str(cells[wrong]))}, which is no number"
        return [value for value in row if value is not None]

    def _value(self, at: int, cell: Any) -> float | None:
        """A cell as a number; 0 where nobody wants it; a date as a time in the column's unit."""
        if at != self._time:
            return number(cell) if self._taken is None or at in self._taken else 0.0
        found = number(cell)
        seconds = moment(cell) if found is None else None
        return found if seconds is None else seconds / self._scale

    def _cells(self, line: str) -> list[str]:
        parts = line.split(self._delimiter) if self._delimiter else line.split()
        return [part.strip().strip('"') for part in parts]

    def _json_cells(self, line: str) -> list[Any] | str:
        try:
            found = json.loads(line)
        except ValueError:
            return f"no JSON: {shown(line)}"
        if isinstance(found, list):
            return found
        if not isinstance(found, dict):
            return f"neither an object nor a list: {shown(line)}"
        return [found.get(name) for name in self._names] if self._names else list(found.values())


def _json_names(line: str) -> tuple[str, ...] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if isinstance(found, dict):
        return tuple(str(name) for name in found)
    return tuple(f"c{at}" for at in range(1, len(found) + 1)) if isinstance(found, list) else None


def _time_column(names: Sequence[str], options: TextOptions, named: bool) -> int | None:
    if options.time == "no":
        return None
    if options.time:
        if options.time in names:
            return list(names).index(options.time)
        if options.time.isdigit() and 0 < int(options.time) <= len(names):
            return int(options.time) - 1
        raise DataError(f"there is no column {options.time} for the time; there are {', '.join(names)}")
    found = [at for at, name in enumerate(names) if is_time(name)] if named or options.columns else []
    return found[0] if found else None
