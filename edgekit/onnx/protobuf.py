"""The wire format of Protocol Buffers, as far as ONNX uses it: messages as their fields, one after the other.

Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgekit.tflite.flatbuffer import DamagedError, Data

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_MOST_BITS = 64


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        number: As in the format's definition.
        kind: Its wire type.
        value: The number of a varint; 0 for all else.
        at: Where the field begins, its tag included.
        start: Where its content begins; `end` is behind it.
        end: Where the next field begins.
    """

    number: int
    kind: int
    value: int
    at: int
    start: int
    end: int


def fields(data: Data, start: int, end: int) -> Iterator[Field]:
    """The fields of the message that lies between two places.

    Raises:
        DamagedError: one of them would reach beyond the message, or is of no known kind.
    """
    at = start
    while at < end:
        tag, content = varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        value = 0
        if kind == VARINT:
            value, after = varint(data, content, end)
        elif kind == BYTES:
            length, content = varint(data, content, end)
            after = content + length
        elif kind in _FIXED:
            after = content + _FIXED[kind]
        else:
            raise DamagedError(f"the bytes at {at} are no field of a message")
        if after > end or not number:
            raise DamagedError(f"a field of {after - content} bytes at {at} reaches beyond the {end} that are there")
        yield Field(number, kind, value, at, content, after)
        at = after


def varint(data: Data, at: int, end: int) -> tuple[int, int]:
    """A number of variable length, and where the next byte lies.

    Raises:
        DamagedError: it does not end, or is too long.
    """
    value = shift = 0
    while at < end and shift < _MOST_BITS:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise DamagedError(f"a number at {at} does not end")


def text(data: Data, field: Field) -> str:
    """The text that a field holds.

    Raises:
        DamagedError: it holds something else, or no UTF-8.
    """
    try:
        return content(data, field).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError(f"the text at {field.start} is no UTF-8") from error


def content(data: Data, field: Field) -> bytes:
    """The bytes that a field holds.

    Raises:
        DamagedError: it holds a number.
    """
    if field.kind != BYTES:
        raise DamagedError(f"the field at {field.at} is a number, and not bytes")
    return bytes(data[field.start : field.end])


def encode(number: int, value: bytes) -> bytes:
    """A field of bytes."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(value)) + value


def encode_varint(value: int) -> bytes:
    """A number of variable length."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
