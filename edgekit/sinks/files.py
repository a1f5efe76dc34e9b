"""Files that are appended to: each piece whole, or nothing of it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from edgekit.errors import OutputError


class AppendedFile:
    """A file that grows at its end. Each piece is one `write`, so that two programs may append to one file.

    It is made with the first piece, and one that cannot be written says so before.

    Raises:
        OutputError: the file cannot be opened for writing, or its folder takes none.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: int | None = None
        try:
            if os.path.lexists(path):
                self._file = _append(path)
            else:
                check_folder(Path(path).parent)
        except OSError as error:
            raise failed(path, error) from error

    def write(self, piece: bytes) -> None:
        """Append all of it, or nothing.

        Raises:
            OutputError: the disk is full, or the folder has gone.
        """
        try:
            if self._file is None:
                self._file = _append(self.path)
            write_whole(self._file, piece)
        except OSError as error:
            raise failed(self.path, error) from error

    def begin(self, header: bytes) -> bytes:
        """Put a header at the start of a file that is empty, even where another program does so at the same moment.

        Returns:
            What the file starts with: as many bytes as the header has, or fewer.

        Raises:
            OutputError: the disk is full, or the folder has gone.
        """
        try:
            if self._file is None:
                self._file = _append(self.path)
            if not stat.S_ISREG(os.fstat(self._file).st_mode):  # a pipe or device keeps nothing
                write_whole(self._file, header)
                return header
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                if os.fstat(self._file).st_size == 0:
                    write_whole(self._file, header)
                with Path(self.path).open("rb") as file:
                    return file.read(len(header))
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError as error:
            raise failed(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _append(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)


def write_whole(file: int, piece: bytes) -> None:
    """Append a piece in one go, or else nothing of it: the beginning of one would be no record."""
    written = 0
    try:
        while written < len(piece):  # after a part, the next try says what is in the way
            written += os.write(file, piece[written:])
    except BaseException:
        _take_back(file, written)
        raise


def _take_back(file: int, count: int) -> None:
    """Cut off the bytes written last, where nobody has written behind them."""
    with suppress(OSError):  # a pipe or a device keeps what it got
        end = os.lseek(file, 0, os.SEEK_CUR)
        if count and end == os.fstat(file).st_size:
            os.ftruncate(file, end - count)


def check_file(path: str) -> None:
    """See whether a file can be appended to, and open nothing: of a pipe, that could wait for ever.

    Raises:
        OutputError: it cannot, or its folder takes none.
    """
    try:
        if not Path(path).exists():
            check_folder(Path(path).parent)
        elif Path(path).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        elif not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise failed(path, error) from error


def check_folder(folder: Path) -> None:
    """Raise what opening a new file in it would raise."""
    if not stat.S_ISDIR(folder.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def failed(where: str, error: OSError) -> OutputError:
    """What to tell the user of a file that cannot be written."""
    hint = "Make the folder first." if error.errno == errno.ENOENT else ""
    return OutputError(f"{where} cannot be written: {error.strerror}", hint=hint)
