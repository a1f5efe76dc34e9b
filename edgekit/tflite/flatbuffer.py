"""Reading FlatBuffers that nobody vouches for: every offset and length is checked before it is followed.

The format: https://flatbuffers.dev/internals/. A table is decoded once, by its schema, into a `Record`;
what a table refers to is decoded with it, so that a record exists only where all of it lies in the file.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from struct import calcsize, unpack_from

from edgekit.tflite.schema import Field, Schema

Data = bytes | mmap.mmap

# An honest table takes eight bytes at least, so these bounds are met only where a file refers to the same
# place again and again to keep its reader busy.
_MOST_STEPS = 1_000_000
_FREE_STEPS = 10_000

_HEADER = 4
"""Bytes at the start of a vtable (its size, its tables' size) and of a table (where its vtable is)."""


class DamagedError(Exception):
    """The bytes are not what the schema says. Callers turn it into a ModelFileError that names the file."""


@dataclass(frozen=True, slots=True)
class Vector:
    """Where the elements of a vector of numbers lie; `start` counts bytes from the beginning of the data."""

    start: int
    count: int
    code: str

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.count * calcsize(f"<{self.code}")


class Record:
    """A decoded table. Fields that are absent give zero, an empty string, an empty tuple or None."""

    __slots__ = ("_decoder", "_values", "position")

    def __init__(self, decoder: Decoder, position: int, values: dict[str, object]) -> None:
        self._decoder = decoder
        self._values = values
        self.position = position

    def number(self, name: str, default: int = 0) -> int:
        """An integer."""
        value = self._values.get(name, default)
        return value if isinstance(value, int) else default

    def text(self, name: str) -> str:
        """A string; bytes that are not UTF-8 are replaced."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def vector(self, name: str) -> Vector | None:
        """Where a vector of numbers lies."""
        value = self._values.get(name)
        return value if isinstance(value, Vector) else None

    def integers(self, name: str) -> tuple[int, ...]:
        """A vector of integers."""
        return tuple(int(value) for value in self._decoder.numbers(self.vector(name)))

    def reals(self, name: str) -> tuple[float, ...]:
        """A vector of floats."""
        return tuple(float(value) for value in self._decoder.numbers(self.vector(name)))

    def record(self, name: str) -> Record | None:
        """A table."""
        value = self._values.get(name)
        return value if isinstance(value, Record) else None

    def options(self) -> dict[str, int | float | tuple[int, ...]]:
        """All numbers and vectors of integers that are present, by name."""
        plain: dict[str, int | float | tuple[int, ...]] = {}
        for name, value in self._values.items():
            if isinstance(value, (int, float)):
                plain[name] = value
            elif isinstance(value, Vector) and value.code not in "fd":
                plain[name] = self.integers(name)
        return plain

    def records(self, name: str) -> tuple[Record, ...]:
        """A vector of tables."""
        value = self._values.get(name)
        return value if isinstance(value, tuple) else ()


class Decoder:
    """Decodes tables of `schema` out of `data`.

    Attributes:
        extent: End of what was touched so far, in bytes from the beginning.
    """

    def __init__(self, data: Data, schema: Schema) -> None:
        self._data = data
        self._size = len(data)
        self._schema = schema
        self._steps = min(_MOST_STEPS, _FREE_STEPS + self._size // 4)
        self._vtables: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._readers: dict[str, Callable[[Field, int], object]] = {
            "scalar": self._scalar, "string": self._string, "numbers": self._vector,
            "strings": self._strings, "table": self._table, "tables": self._tables,
        }
        self.extent = 0

    def root(self, table: str, identifier: bytes | None) -> Record:
        """Decode the root table; without an identifier where the format has none.

        Raises:
            DamagedError: the identifier is another one, or something lies outside the data.
        """
        self.need(0, 8)
        if identifier is not None and self._data[4:8] != identifier:
            raise DamagedError(f"the identifier is {self._data[4:8]!r} and not {identifier!r}")
        return self.table(self._follow(0), table)

    def table(self, position: int, name: str) -> Record:
        """Decode the table at `position`; one that the schema does not describe is checked as a whole."""
        self._charge(1)
        self.need(position, 4)
        span, slots = self._vtable(position - unpack_from("<i", self._data, position)[0])
        self.need(position, span)
        values: dict[str, object] = {}
        for field, offset in zip(self._schema.tables.get(name, ()), slots, strict=False):
            if not offset:
                continue
            if offset + field.size > span:
                raise DamagedError(f"field '{field.name}' lies outside its table")
            if field.kind == "union":
                values[field.name] = self._union(field, position + offset, values)
            else:
                values[field.name] = self._readers[field.kind](field, position + offset)
        return Record(self, position, values)

    def slots(self, position: int) -> tuple[int, ...]:
        """Where the fields of the table at `position` lie, from its start; 0 for an absent one."""
        self.need(position, 4)
        return self._vtable(position - unpack_from("<i", self._data, position)[0])[1]

    def numbers(self, vector: Vector | None) -> tuple[int | float, ...]:
        """The elements of a vector."""
        if vector is None:
            return ()
        self._charge(vector.count // 64)
        return unpack_from(f"<{vector.count}{vector.code}", self._data, vector.start)

    def content(self, position: int) -> bytes:
        """The bytes of the vector of bytes, or the string, at `position`."""
        self.need(position, 4)
        count = self._length(position, 1)
        return self._data[position + 4 : position + 4 + count]

    def need(self, start: int, length: int) -> None:
        """Refuse a stretch that does not lie in the data."""
        end = start + length
        if start < 0 or length < 0 or end > self._size:
            raise DamagedError(f"{length} bytes at {start} lie outside the {self._size} that there are")
        self.extent = max(self.extent, end)

    def _charge(self, steps: int) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise DamagedError("it refers to the same places again and again")

    def _vtable(self, position: int) -> tuple[int, tuple[int, ...]]:
        """Size of the tables that use this vtable, and the offsets of their fields."""
        known = self._vtables.get(position)
        if known is None:
            self.need(position, 4)
            size, span = unpack_from("<HH", self._data, position)
            self.need(position, size)
            if size < _HEADER or size % 2 or span < _HEADER:
                raise DamagedError("a vtable has an impossible size")
            known = span, unpack_from(f"<{size // 2 - 2}H", self._data, position + 4)
            self._vtables[position] = known
        return known

    def _follow(self, at: int) -> int:
        """Where the offset at `at` points."""
        self.need(at, 4)
        target = at + int(unpack_from("<I", self._data, at)[0])
        self.need(target, 4)
        return target

    def _length(self, position: int, size: int) -> int:
        """Number of elements, of `size` bytes each, of the vector at `position`."""
        count = int(unpack_from("<I", self._data, position)[0])
        self.need(position + 4, count * size)
        return count

    def _scalar(self, field: Field, at: int) -> object:
        value: object = unpack_from(f"<{field.code}", self._data, at)[0]
        return value

    def _string(self, _field: Field, at: int) -> str:
        position = self._follow(at)
        count = self._length(position, 1)
        self._charge(1 + count // 64)
        self.need(position + 4, count + 1)  # the zero byte that ends it
        return self._data[position + 4 : position + 4 + count].decode("utf-8", "replace")

    def _vector(self, field: Field, at: int) -> Vector:
        position = self._follow(at)
        return Vector(position + 4, self._length(position, calcsize(f"<{field.code}")), field.code)

    def _entries(self, at: int) -> range:
        """Where the offsets of a vector of offsets stand."""
        position = self._follow(at)
        count = self._length(position, 4)
        return range(position + 4, position + 4 + 4 * count, 4)

    def _strings(self, field: Field, at: int) -> tuple[str, ...]:
        return tuple(self._string(field, entry) for entry in self._entries(at))

    def _table(self, field: Field, at: int) -> Record:
        return self.table(self._follow(at), field.type)

    def _tables(self, field: Field, at: int) -> tuple[Record, ...]:
        return tuple(self.table(self._follow(entry), field.type) for entry in self._entries(at))

    def _union(self, field: Field, at: int, values: dict[str, object]) -> Record | None:
        member = values.get(f"{field.name}_type", 0)
        if not isinstance(member, int) or member == 0:
            return None
        return self.table(self._follow(at), self._schema.unions[field.type].get(member, ""))
