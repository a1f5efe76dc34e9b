"""The standard streams of the command, where they are closed, full, or read by nobody."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from edgekit.errors import OutputError

STDOUT, STDERR = 1, 2


class _Forgiving(io.FileIO):
    """The standard error: what is said on it is no reason for the work to fail."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        """Write what can be written, and claim that it was all."""
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Fill the places of streams that the shell closed (`>&-`), and never fail for a message.

    The next file opened would take such a place, and get what native libraries print. `sys.stdout` stays None, so
    that results are not lost unseen.
    """
    for descriptor in range(STDERR + 1):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free: this one
    before = sys.stderr
    if before is None or before is sys.__stderr__:
        sys.stderr = _forgiving()
    try:
        yield
    finally:
        if before is not None:  # else it is wanted to the very end
            sys.stderr = before


def _forgiving() -> io.TextIOWrapper:
    encoding = sys.stderr.encoding if sys.stderr else "utf-8"
    writer = io.BufferedWriter(_Forgiving(STDERR, "w", closefd=False))
    return io.TextIOWrapper(writer, encoding, "backslashreplace", line_buffering=True)


def print_output(text: str) -> None:
    """Print on the standard output, at once.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: its reader has gone, which is no failure to write.
    """
    if sys.stdout is None:  # as in `>&-`
        raise unwritable("it is closed")
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error.strerror) from error


def refused_output() -> OutputError | None:
    """The error where printed text is left over that the standard output does not take."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return None
    except OSError as error:
        return unwritable(error.strerror)
    return None


def drop_output() -> None:
    """Let what is left over of the output go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)


def unwritable(reason: str | None) -> OutputError:
    """The error for a standard output that takes no text."""
    return OutputError(f"cannot write to the standard output: {reason}")
