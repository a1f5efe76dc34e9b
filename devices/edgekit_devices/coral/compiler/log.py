"""Reads what the Edge TPU's compiler prints and what it writes into its `.log`.

Forms of versions 1 to 16 are known. Lines are told by their beginnings and not by their places, which differ; what is
not known is kept as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

_VERSION = re.compile(r"Edge TPU Compiler version (\S+)")
_TIME = re.compile(r"Models? compiled successfully in ([0-9]{1,12}) ?ms")
_HEADER = re.compile(r"Operator\s+Count\s+Status$")
_ROW = re.compile(r"([A-Z][A-Z0-9_]*)\s+([0-9]{1,9})\s+(\S.*)$")
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([KMG]i?)?B$")
_NUMBER = re.compile(r"[0-9]{1,12}$")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}

_SIZES = {
    "Input size": "input_bytes",
    "Output size": "output_bytes",
    "On-chip memory used for caching model parameters": "on_chip_used",
    "On-chip memory remaining for caching model parameters": "on_chip_remaining",
    "On-chip memory available for caching model parameters": "on_chip_available",
    "Off-chip memory used for streaming uncached model parameters": "off_chip",
}
_NUMBERS = {
    "Number of Edge TPU subgraphs": "subgraphs",
    "Total number of operations": "operations",
    "Number of operations that will run on Edge TPU": "on_target",
    "Number of operations that will run on CPU": "on_cpu",
}
_NAMES = {
    "Input model": "input", "Input": "input", "Output model": "output", "Output": "output", "Operation log": "log",
}
_SAYS_NOTHING = (
    "Started a compilation timeout timer", "Compilation child process completed", "Compilation succeeded",
    "Model successfully compiled but not all operations", "See the operation log file",
    "Searching for valid delegate", "Try to compile segment", "Intermediate tensors:",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the compiler's table: so many operations of a type have this status."""

    type: str
    count: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """What is said of one compiled file; sizes in bytes, None for what is not said.

    Attributes:
        input: Path of the model, as the compiler was given it; for a segment the name of its part of the model.
        output: Path of the compiled file.
        log: Path of the log.
        input_bytes: Size of the model.
        output_bytes: Size of the compiled file.
        on_chip_used: Parameters that stay on the Edge TPU.
        on_chip_remaining: Memory there that is left for parameters.
        on_chip_available: Memory there for parameters, as versions 1 and 2 say in place of what remains.
        off_chip: Parameters that are sent for each run.
        subgraphs: Parts that run on the Edge TPU.
        operations: All operations.
        on_target: Operations on the Edge TPU, said where some are not.
        on_cpu: Operations on the processor, said where there are any.
        rows: The table; empty where it was not printed.
    """

    input: str = ""
    output: str = ""
    log: str = ""
    input_bytes: int | None = None
    output_bytes: int | None = None
    on_chip_used: int | None = None
    on_chip_remaining: int | None = None
    on_chip_available: int | None = None
    off_chip: int | None = None
    subgraphs: int | None = None
    operations: int | None = None
    on_target: int | None = None
    on_cpu: int | None = None
    rows: tuple[Row, ...] = ()

    @property
    def remaining(self) -> int | None:
        """Memory on the Edge TPU that is left for parameters."""
        if self.on_chip_remaining is not None or self.on_chip_available is None:
            return self.on_chip_remaining
        return max(0, self.on_chip_available - (self.on_chip_used or 0))

    def filled(self, other: ModelReport) -> ModelReport:
        """This report, and what only the other one says."""
        known = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return ModelReport(**{
            name: getattr(other, name) if value is None or value in ("", ()) else value for name, value in known.items()
        })


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """All that was printed.

    Attributes:
        version: Such as `16.0.384591198`; empty where it is not said.
        milliseconds: How long it took, by its own account; the sum for segments.
        models: One report a compiled file, in the order printed.
        rest: Lines that say something else, as they are.
    """

    version: str = ""
    milliseconds: int | None = None
    models: tuple[ModelReport, ...] = ()
    rest: tuple[str, ...] = ()

    def about(self, output: str) -> ModelReport:
        """The report on a compiled file, by its name without folder; an empty one where nothing is said of it."""
        found = (model for model in self.models if _base(model.output) == output)
        return next(found, ModelReport())


@dataclass(slots=True)
class _Reading:
    version: str = ""
    milliseconds: int | None = None
    models: list[ModelReport] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    in_table: bool = False

    def take(self, line: str) -> None:
        if self.in_table and (row := _ROW.match(line)):
            self._row(Row(row[1], int(row[2]), row[3]))
            return
        self.in_table = bool(_HEADER.match(line))
        key, colon, value = line.partition(":")
        if self.in_table or line.startswith(_SAYS_NOTHING):
            return
        if version := _VERSION.match(line):
            self.version = version[1]
        elif spent := _TIME.match(line):
            self.milliseconds = (self.milliseconds or 0) + int(spent[1])
        elif not (colon and self._fact(key, value.strip())):
            self.rest.append(line)

    def _fact(self, key: str, value: str) -> bool:
        """Note a line of the form `key: value`; False where it is none that is known."""
        if name := _NAMES.get(key):
            if name == "input" or not self.models:
                self.models.append(ModelReport())
            return self._set(name, value)
        if name := _SIZES.get(key):
            return self._set(name, _bytes(value))
        if name := _NUMBERS.get(key):
            return self._set(name, int(value) if _NUMBER.match(value) else None)
        return False

    def _set(self, name: str, value: str | int | None) -> bool:
        if value is None:
            return False
        if not self.models:
            self.models.append(ModelReport())
        changes: dict[str, Any] = {name: value}
        self.models[-1] = replace(self.models[-1], **changes)
        return True

    def _row(self, row: Row) -> None:
        if not self.models:
            self.models.append(ModelReport())
        self.models[-1] = replace(self.models[-1], rows=(*self.models[-1].rows, row))


def parse(text: str) -> Log:
    """Read the compiler's output, or its log; never fails.

    Args:
        text: As it stands.
    """
    reading = _Reading()
    for line in text.splitlines():
        if stripped := line.strip():
            reading.take(stripped)
    return Log(
        version=reading.version, milliseconds=reading.milliseconds, models=tuple(reading.models),
        rest=tuple(reading.rest),
    )


def total(reports: Sequence[ModelReport]) -> tuple[Row, ...]:
    """The tables of several segments as one."""
    counted: dict[tuple[str, str], int] = {}
    for row in (row for report in reports for row in report.rows):
        counted[row.type, row.status] = counted.get((row.type, row.status), 0) + row.count
    return tuple(Row(type_, count, status) for (type_, status), count in counted.items())


def _bytes(text: str) -> int | None:
    found = _SIZE.match(text)
    return round(float(found[1]) * _UNITS[(found[2] or "")[:1]]) if found else None


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
