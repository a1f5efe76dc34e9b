"""The standard streams of the command, where they are closed, full, or read by nobody."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

from edgekit.errors import OutputError

STDOUT, STDERR = 1, 2


class _Output(io.FileIO):
    """The standard output, with an error that says so where it takes no text."""

    def write(self, data: Any, /) -> int:
        """Write, as a file does.

        Raises:
            OutputError: it cannot be written.
            BrokenPipeError: its reader has gone, which is no failure to write.
        """
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            raise
        except OSError as error:
            raise unwritable(error.strerror) from error


class _Messages(io.FileIO):
    """The standard error: what is said on it is no reason for the work to fail."""

    def write(self, data: Any, /) -> int:
        """Write what can be written, and claim that it was all."""
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Fill the places of streams that the shell closed (`>&-`), and tell what is wrong with those that are there.

    The next file opened would take such a place, and get what native libraries print. `sys.stdout` stays None, so
    that results are not lost unseen.
    """
    for descriptor in range(STDERR + 1):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free: this one
    before = sys.stdout, sys.stderr
    # Where they are others, somebody took them over on purpose.
    if sys.stdout is not None and sys.stdout is sys.__stdout__:
        sys.stdout = _text(_Output(STDOUT, "w", closefd=False), sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Messages(STDERR, "w", closefd=False), sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _text(raw: io.FileIO, like: TextIO | None) -> io.TextIOWrapper:
    encoding = like.encoding if like else "utf-8"
    # What no encoding has, such as the bytes of a file name that are no text, must not stop the work.
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=True)


def print_output(text: str) -> None:
    """Print on the standard output, at once.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: its reader has gone.
    """
    if sys.stdout is None:  # as in `>&-`
        raise unwritable("it is closed")
    click.echo(text)


def drop_output() -> None:
    """Let what is left over of the output go nowhere: at its end Python would complain of what it cannot flush."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, STDOUT)
        os.close(nowhere)


def unwritable(reason: str | None) -> OutputError:
    """The error for a standard output that takes no text."""
    return OutputError(f"cannot write to the standard output: {reason}")
