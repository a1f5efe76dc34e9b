"""FlatBuffers schemas as data: a small reader of the `.fbs` language (tables and unions)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from struct import calcsize
from typing import Literal

Kind = Literal["scalar", "string", "numbers", "strings", "table", "tables", "union"]

SCALARS = {
    "bool": "B", "byte": "b", "ubyte": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I",
    "long": "q", "ulong": "Q", "float": "f", "double": "d",
}
"""Scalar types of the language, and their codes in the `struct` module."""


@dataclass(frozen=True, slots=True)
class Field:
    """A slot of a table.

    Attributes:
        name: As in the schema; the slot that tells a union's member is called `<name>_type`.
        kind: How it is stored.
        code: `struct` code of the number, or of the elements of a vector of numbers; else empty.
        size: Bytes that the field takes within its table.
        type: Name of the table or union referred to; else empty.
    """

    name: str
    kind: Kind
    code: str
    size: int
    type: str


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables by name, their fields in slot order, and the numbered members of the unions."""

    tables: Mapping[str, tuple[Field, ...]]
    unions: Mapping[str, Mapping[int, str]]

    def member(self, union: str, name: str) -> int:
        """The number of a union's member."""
        return next(number for number, member in self.unions[union].items() if member == name)


_COMMENT = re.compile(r"//[^\n]*")
_BLOCK = re.compile(r"(table|union)\s+(\w+)\s*\{([^}]*)\}")
_FIELD = re.compile(r"(\w+)\s*:\s*(\[?)(\w+)\]?\s*;")
_MEMBER = re.compile(r"(\w+)\s*=\s*(\d+)")


def _slots(name: str, vector: bool, type_: str, unions: Mapping[str, object]) -> Iterator[Field]:
    """The slots that one declaration takes: two for a union, else one."""
    code = SCALARS.get(type_, "")
    if type_ in unions:
        yield Field(f"{name}_type", "scalar", "B", 1, "")
        yield Field(name, "union", "", 4, type_)
    elif code:
        yield Field(name, "numbers" if vector else "scalar", code, 4 if vector else calcsize(f"<{code}"), "")
    elif type_ == "string":
        yield Field(name, "strings" if vector else "string", "", 4, "")
    else:
        yield Field(name, "tables" if vector else "table", "", 4, type_)


def parse_schema(text: str) -> Schema:
    """Read schema text in the `.fbs` language."""
    blocks = _BLOCK.findall(_COMMENT.sub("", text))
    unions = {
        name: {int(number): member for member, number in _MEMBER.findall(body)}
        for kind, name, body in blocks if kind == "union"
    }
    tables = {
        name: tuple(
            slot for field, vector, type_ in _FIELD.findall(body)
            for slot in _slots(field, bool(vector), type_, unions)
        )
        for kind, name, body in blocks if kind == "table"
    }
    return Schema(tables, unions)


@cache
def load_schema(path: Path) -> Schema:
    """Read a schema file of this package, once."""
    return parse_schema(path.read_text(encoding="utf-8"))


def model_schema() -> Schema:
    """The schema of `.tflite` files."""
    return load_schema(Path(__file__).with_name("model.fbs"))
