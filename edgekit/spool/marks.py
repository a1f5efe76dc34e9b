"""How far the messages of a spool have come, kept in a small file that survives being killed while it is written."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

_SLOT = struct.Struct("<QQQQ16sI")
"""Revision, acknowledged, handed out, dropped, boot, CRC-32."""
_SLOT_OFFSETS = (0, 4096)
"""Two slots, written in turn and in different sectors: a torn write leaves the other."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Marks:
    """Positions in the numbering of messages, which starts at 1.

    Attributes:
        acknowledged: The last message that need not be handed out again, nor any before it.
        handed_out: The last message that may have been delivered.
        dropped: Messages dropped so far because there was no room.
        boot: Which start of the machine this was written in.
    """

    acknowledged: int = 0
    handed_out: int = 0
    dropped: int = 0
    boot: bytes = b""


class MarksFile:
    """The marks on disk.

    Args:
        path: The file, which is made where it is missing.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._revision, self.marks = _newest(self._file)

    def write(self, marks: Marks) -> None:
        """Hand new marks to the kernel, in the slot that is older."""
        revision = self._revision + 1
        body = _SLOT.pack(revision, marks.acknowledged, marks.handed_out, marks.dropped, marks.boot, 0)[:-4]
        os.pwrite(self._file, body + struct.pack("<I", zlib.crc32(body)), _SLOT_OFFSETS[revision % 2])
        self._revision, self.marks = revision, marks

    def sync(self) -> None:
        """See that the marks are on the disk."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _newest(file: int) -> tuple[int, Marks]:
    found = [slot for offset in _SLOT_OFFSETS if (slot := _read(file, offset))]
    return max(found, key=lambda slot: slot[0], default=(0, Marks()))


def _read(file: int, offset: int) -> tuple[int, Marks] | None:
    raw = os.pread(file, _SLOT.size, offset)
    if len(raw) < _SLOT.size or zlib.crc32(raw[:-4]) != int.from_bytes(raw[-4:], "little"):
        return None
    revision, acknowledged, handed_out, dropped, boot, _ = _SLOT.unpack(raw)
    return revision, Marks(acknowledged, handed_out, dropped, boot)


def this_boot() -> bytes:
    """16 bytes that differ after each start of the machine; zeros where the system does not say."""
    try:
        return bytes.fromhex(_BOOT_ID.read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return bytes(16)


def after_restart(marks: Marks, last: int) -> Marks:
    """The marks to go on with: after a start of the machine all messages up to `last` may have been delivered."""
    boot = this_boot()
    same = marks.boot == boot and any(boot)
    return replace(marks, handed_out=marks.handed_out if same else max(marks.handed_out, last), boot=boot)
