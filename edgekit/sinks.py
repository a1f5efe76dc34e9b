"""Where results go: JSON lines to the standard output or a file."""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from edgekit.errors import OutputError, UsageError
from edgekit.results import Result

STDOUT = "-"


class Sink(Protocol):
    """Takes results one by one; `close` is called once, at the end."""

    def write(self, result: Result) -> None:
        """Take one result, and pass it on before returning.

        Raises:
            OutputError: it could not be written.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def open_sink(uri: str | os.PathLike[str]) -> Sink:
    """Open a sink.

    Args:
        uri: `-` for the standard output, or the path of a `.jsonl` file, which is appended to, and made with
            the first result. Its folder exists.

    Raises:
        UsageError: it is neither.
        OutputError: the file cannot be opened for writing.
    """
    text = os.fspath(uri)
    if text == STDOUT:
        return StdoutSink()
    if Path(text).suffix.lower() == ".jsonl":
        return JsonLinesSink(text)
    raise UsageError(
        f"no sink '{text}'", hint="Give - for the standard output, or FILE.jsonl for a file of JSON lines."
    )


class StdoutSink:
    """JSON lines on the standard output, each there before the next sample is taken."""

    def write(self, result: Result) -> None:
        """Print one line."""
        if sys.stdout is None:  # as in `>&-`
            raise _stdout_failed("it is closed")
        try:
            sys.stdout.write(result.to_json() + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise  # the reader has gone, which is no failure to write
        except OutputError:
            raise  # the command's own standard output says it already
        except OSError as error:
            raise _stdout_failed(error.strerror) from error

    def close(self) -> None:
        """Nothing to let go of."""


class JsonLinesSink:
    """JSON lines in a file. Each is one `write`, so that two programs may append to one file.

    A run without results leaves no file behind, and one that cannot write says so before it starts.

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
                _check_folder(Path(path).parent)
        except OSError as error:
            raise _failed(path, error) from error

    def write(self, result: Result) -> None:
        """Append one line, or nothing of it."""
        line = (result.to_json() + "\n").encode()
        try:
            if self._file is None:
                self._file = _append(self.path)
            _write_whole(self._file, line)
        except OSError as error:
            raise _failed(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _append(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _write_whole(file: int, line: bytes) -> None:
    """Append a line in one go, or else nothing of it: the beginning of one would be no JSON."""
    written = 0
    try:
        while written < len(line):  # after a part, the next try says what is in the way
            written += os.write(file, line[written:])
    except BaseException:
        _take_back(file, written)
        raise


def _take_back(file: int, count: int) -> None:
    """Cut off the bytes written last, where nobody has written behind them."""
    with suppress(OSError):  # a pipe or a device keeps what it got
        end = os.lseek(file, 0, os.SEEK_CUR)
        if count and end == os.fstat(file).st_size:
            os.ftruncate(file, end - count)


def _check_folder(folder: Path) -> None:
    """Raise what opening a new file in it would raise."""
    if not stat.S_ISDIR(folder.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _stdout_failed(reason: str | None) -> OutputError:
    return OutputError(f"cannot write to the standard output: {reason}")


def _failed(where: str, error: OSError) -> OutputError:
    hint = "Make the folder first." if error.errno == errno.ENOENT else ""
    return OutputError(f"{where} cannot be written: {error.strerror}", hint=hint)
