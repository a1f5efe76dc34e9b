"""The files of a spool. Each holds records one behind the other, and is deleted when all of them are done with.

A record is length (4 bytes), CRC-32 (4), number (8), then the message; little-endian. The CRC covers number and
message. A segment is named by the number of its first record.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEAD = struct.Struct("<IIQ")
MOST_BYTES = 16 << 20
"""Longest message: a length above it is damage."""
SUFFIX = ".messages"


@dataclass(frozen=True, slots=True)
class Record:
    """A message with its number.

    Attributes:
        number: Its place in the order.
        message: Its bytes.
    """

    number: int
    message: bytes

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return size_of(self.message)


def size_of(message: bytes) -> int:
    """Bytes that a message takes on disk."""
    return _HEAD.size + len(message)


def encode(record: Record) -> bytes:
    """The bytes of a record."""
    crc = zlib.crc32(record.message, zlib.crc32(struct.pack("<Q", record.number)))
    return _HEAD.pack(len(record.message), crc, record.number) + record.message


def path_of(folder: Path, first: int) -> Path:
    """The segment that starts with this number."""
    return folder / f"{first:020d}{SUFFIX}"


def segments_in(folder: Path) -> list[int]:
    """The first numbers of the segments in a folder, in order."""
    return sorted(int(path.stem) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit())


def read_records(path: Path) -> Iterator[Record]:
    """The records of a segment up to its end, or to the first that is torn or damaged.

    The file may grow meanwhile: whoever asks for the next record after an end asks anew.
    """
    with path.open("rb") as file:
        while record := read_record(file.fileno(), file.tell()):
            yield record
            file.seek(record.size, os.SEEK_CUR)


def read_record(file: int, offset: int) -> Record | None:
    """The record at an offset; None where there is none that is whole."""
    head = os.pread(file, _HEAD.size, offset)
    if len(head) < _HEAD.size:
        return None
    length, crc, number = _HEAD.unpack(head)
    if length > MOST_BYTES:
        return None
    message = os.pread(file, length, offset + _HEAD.size)
    if len(message) < length or zlib.crc32(message, zlib.crc32(head[8:])) != crc:
        return None
    return Record(number, message)
