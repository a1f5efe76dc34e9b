"""Writing FlatBuffers from plain values, by a schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import calcsize
from typing import Any

from edgekit.tflite.schema import Field, Schema

_TYPES = {
    "b": "Int8", "B": "Uint8", "h": "Int16", "H": "Uint16", "i": "Int32", "I": "Uint32",
    "q": "Int64", "Q": "Uint64", "f": "Float32", "d": "Float64",
}


def encode(schema: Schema, table: str, values: Mapping[str, Any], identifier: bytes) -> bytes:
    """A FlatBuffer with one root table.

    Args:
        schema: Describes the tables.
        table: Name of the root table.
        values: By field name: numbers, strings, sequences of them, mappings for tables, and for a union a
            pair of member name and mapping. Empty strings and sequences, and None, are left out.
        identifier: Four letters that name the format.
    """
    # The package costs 20 ms to import, and devices never write.
    from flatbuffers.builder import Builder

    builder = Builder(1024)
    builder.Finish(_table(builder, schema, table, values), file_identifier=identifier)
    return bytes(builder.Output())


def _table(builder: Any, schema: Schema, table: str, values: Mapping[str, Any]) -> int:
    """Write a table, what it refers to first; return its offset."""
    fields = schema.tables[table]
    ready = {}
    for slot, field in enumerate(fields):
        value = values.get(field.name)
        if field.kind == "union" and value is not None:
            member, content = value
            # The slot before a union's tells which member it is.
            ready[slot - 1] = schema.member(field.type, member)
            ready[slot] = _table(builder, schema, member, content)
        elif value is not None and value not in ("", ()):
            ready[slot] = _value(builder, schema, field, value)
    builder.StartObject(len(fields))
    for slot, value in ready.items():
        if fields[slot].kind == "scalar":
            getattr(builder, f"Prepend{_TYPES[fields[slot].code]}Slot")(slot, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    return int(builder.EndObject())


def _value(builder: Any, schema: Schema, field: Field, value: Any) -> Any:
    """A number as it is; for all else the offset of where it was written."""
    match field.kind:
        case "scalar":
            return value
        case "string":
            return builder.CreateString(value)
        case "table":
            return _table(builder, schema, field.type, value)
        case "numbers":
            return _vector(builder, value, _TYPES[field.code], calcsize(f"<{field.code}"))
        case "strings":
            return _vector(builder, [builder.CreateString(item) for item in value], "UOffsetTRelative", 4)
        case _:
            tables = [_table(builder, schema, field.type, item) for item in value]
            return _vector(builder, tables, "UOffsetTRelative", 4)


def _vector(builder: Any, items: Sequence[Any], type_: str, size: int) -> int:
    """Write a vector; FlatBuffers grow backwards, so the last element comes first."""
    builder.StartVector(size, len(items), size)
    prepend = getattr(builder, f"Prepend{type_}")
    for item in reversed(items):
        prepend(item)
    return int(builder.EndVector())
