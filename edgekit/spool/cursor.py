"""A place in the records of a spool, from which the next is read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.spool.segments import Record, path_of, read_record


@dataclass(slots=True)
class Cursor:
    """Reads records in order, from segment to segment.

    Attributes:
        folder: Where the segments are.
        segments: Their first numbers, in order; shared with the spool, which adds and removes.
        segment: The one that it stands in; 0 before there is any.
        offset: Bytes into it.
    """

    folder: Path
    segments: list[int]
    segment: int = 0
    offset: int = 0
    _file: int | None = field(default=None, repr=False)

    def peek(self) -> Record | None:
        """The next record, which stays the next."""
        while True:
            if self.segment in self.segments and (record := read_record(self._open(), self.offset)):
                return record
            after = [first for first in self.segments if first > self.segment]
            if not after:
                return None
            self.go(after[0], 0)

    def skip(self, record: Record) -> None:
        """Go behind the record that `peek` gave."""
        self.offset += record.size

    def go(self, segment: int, offset: int) -> None:
        """Stand somewhere else."""
        if segment != self.segment:
            self.close()
        self.segment, self.offset = segment, offset

    def close(self) -> None:
        """Let go of the file that is open."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is None:
            self._file = os.open(path_of(self.folder, self.segment), os.O_RDONLY | os.O_CLOEXEC)
        return self._file
