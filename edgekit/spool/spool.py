"""The spool itself: append, hand out, acknowledge."""

from __future__ import annotations

import fcntl
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.errors import OutputError, UsageError
from edgekit.spool.cursor import Cursor
from edgekit.spool.marks import MarksFile, after_restart
from edgekit.spool.segments import Record, encode, path_of, read_records, segments_in, size_of

MOST_MESSAGES = 100_000
MOST_BYTES = 64 << 20
SEGMENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that is handed out.

    Attributes:
        number: For `Spool.acknowledge`; numbers grow.
        message: What was appended.
        duplicate: Whether it was handed out before, and so may have been delivered.
    """

    number: int
    message: bytes
    duplicate: bool


class Spool:
    """Messages in order, in a folder that one process uses at a time. Its methods may be called from any thread.

    Args:
        folder: Made where it is missing, for its owner only.
        most_messages: Messages kept; the oldest is dropped for one more, and counted.
        most_bytes: The same for the bytes of all of them, with 16 for each. A segment more may lie on the disk.
        segment_bytes: Where a new file is begun.

    Raises:
        UsageError: another process uses the folder.
        OutputError: the folder cannot be made, read or written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most_messages: int = MOST_MESSAGES,
        most_bytes: int = MOST_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.folder = folder
        self.damaged = 0
        self.pending = 0
        self._most_messages, self._most_bytes, self._segment_bytes = most_messages, most_bytes, segment_bytes
        self._mutex = threading.Lock()
        self._done: set[int] = set()
        self._bytes = 0
        self._writing: int | None = None
        self._written = 0
        self._unsynced: set[int] = set()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock(folder)
            self._marks = MarksFile(folder / "marks")
            self._segments = segments_in(folder)
            self._oldest, self._next = Cursor(folder, self._segments), Cursor(folder, self._segments)
            self._last = self._recover()
        except OSError as error:
            raise _failed(folder, error) from error

    @property
    def dropped(self) -> int:
        """Messages dropped for want of room, over the life of the spool."""
        return self._marks.marks.dropped

    def append(self, message: bytes) -> int:
        """Keep a message; the oldest ones are dropped where there is no room for it.

        Returns:
            Its number.

        Raises:
            OutputError: the disk is full or fails, or the message is longer than the spool; it is not kept.
        """
        size = size_of(message)
        if size > self._most_bytes:
            raise OutputError(f"a message of {len(message)} bytes is longer than the spool in {self.folder} takes")
        with self._mutex:
            try:
                self._make_room(size)
                self._write(Record(self._last + 1, message))
            except OSError as error:
                raise _failed(self.folder, error) from error
            self.pending += 1
            self._bytes += size
            return self._last

    def take(self) -> Entry | None:
        """The next message that was not handed out since the opening or the last `rewind`; None where there is none.

        That it was handed out is noted before it is returned.
        """
        with self._mutex:
            while record := self._next.peek():
                self._next.skip(record)
                marks = self._marks.marks
                if record.number <= marks.acknowledged or record.number in self._done:
                    continue
                duplicate = record.number <= marks.handed_out
                if not duplicate:
                    self._marks.write(replace(marks, handed_out=record.number))
                return Entry(record.number, record.message, duplicate)
            return None

    def acknowledge(self, number: int) -> None:
        """Be done with a message; later ones count as done when those before them are."""
        with self._mutex:
            if number <= self._marks.marks.acknowledged:
                return
            self._done.add(number)
            reached = self._go_behind_done()
            if reached:
                self._marks.write(replace(self._marks.marks, acknowledged=reached))
                self._delete_before(self._oldest.segment)

    def rewind(self) -> None:
        """Hand out again what is not acknowledged, from the oldest on: the connection that it went into is lost."""
        with self._mutex:
            self._next.go(self._oldest.segment, self._oldest.offset)

    def sync(self) -> None:
        """See that all that was appended is on the disk. Others may append meanwhile."""
        with self._mutex:
            files, self._unsynced = sorted(self._unsynced), set()
        try:
            for path in [*(path_of(self.folder, first) for first in files), *([self.folder] if files else [])]:
                _sync(path)
        except OSError as error:
            raise _failed(self.folder, error) from error

    def close(self) -> None:
        """Let go of the files; what is not acknowledged stays for the next opening."""
        with self._mutex:
            for cursor in (self._oldest, self._next):
                cursor.close()
            self._end_segment()
            self._marks.close()
            os.close(self._lock)

    def _recover(self) -> int:
        """Count what is there, and delete what is done with. Returns the last number that may have been used."""
        marks = self._marks.marks
        last = marks.acknowledged
        for first in self._segments:
            for record in read_records(path_of(self.folder, first)):
                if record.number > last:
                    self.damaged += record.number - last - 1
                    self.pending += 1
                    self._bytes += record.size
                    last = record.number
        last = max(last, marks.handed_out)
        self._marks.write(after_restart(marks, last))
        while (done := self._oldest.peek()) and done.number <= marks.acknowledged:
            self._oldest.skip(done)
        self._delete_before(self._oldest.segment)
        return last

    def _go_behind_done(self) -> int:
        """Go with the oldest behind what is acknowledged. Returns the number of the last such, 0 without any."""
        reached = 0
        while (record := self._oldest.peek()) and record.number in self._done:
            self._pass(record)
            reached = record.number
        return reached

    def _pass(self, oldest: Record) -> None:
        self._oldest.skip(oldest)
        self._done.discard(oldest.number)
        self.pending -= 1
        self._bytes -= oldest.size

    def _delete_before(self, segment: int) -> None:
        for first in [first for first in self._segments if first < segment]:
            self._segments.remove(first)
            self._unsynced.discard(first)
            path_of(self.folder, first).unlink(missing_ok=True)

    def _make_room(self, size: int) -> None:
        while self.pending and (self.pending >= self._most_messages or self._bytes + size > self._most_bytes):
            record = self._oldest.peek()
            assert record is not None
            marks = self._marks.marks
            lost = record.number not in self._done
            self._marks.write(replace(marks, acknowledged=record.number, dropped=marks.dropped + lost))
            self._pass(record)
            self._delete_before(self._oldest.segment)

    def _write(self, record: Record) -> None:
        piece = encode(record)
        if self._writing is None or self._written + len(piece) > self._segment_bytes:
            self._begin_segment(record.number)
        assert self._writing is not None
        try:
            written = os.write(self._writing, piece)
            while written < len(piece):
                written += os.write(self._writing, piece[written:])
        except OSError:
            self._end_segment()  # part of it may stand there: what comes next gets a segment of its own
            raise
        self._written += len(piece)
        self._last = record.number
        self._unsynced.add(self._segments[-1])

    def _begin_segment(self, first: int) -> None:
        self._end_segment()
        path = path_of(self.folder, first)
        self._writing = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._written = 0
        if first not in self._segments:  # it is there where its first record was torn
            self._segments.append(first)

    def _end_segment(self) -> None:
        if self._writing is not None:
            os.close(self._writing)
            self._writing = None


def _lock(folder: Path) -> int:
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        user = os.pread(file, 20, 0).decode(errors="replace").strip()
        os.close(file)
        raise UsageError(
            f"the spool {folder} is in use by process {user or 'unknown'}",
            hint="Stop that one, send to another topic, or give this one ?spool=FOLDER of its own.",
        ) from None
    os.ftruncate(file, 0)
    os.pwrite(file, b"%d\n" % os.getpid(), 0)
    return file


def _sync(path: Path) -> None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # acknowledged meanwhile
        return
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _failed(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"the spool {folder} cannot be used: {error.strerror or error}")

