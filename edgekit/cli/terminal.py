"""What a command shows beside its output: a live line, warnings, and no chatter of libraries."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:  # numpy, which is what may be broken
    from edgekit.results import Latency

UPDATE_SECONDS = 0.2
CLEAR_LINE = "\r\x1b[K"
STDERR = 2
CHATTER = b"INFO:"
# Read by OpenCV when it is loaded; both also print what EdgeKit reports in its own words.
QUIET_OPENCV = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}


def quieten_opencv() -> None:
    """Keep OpenCV and its FFmpeg from printing, unless the environment says how much they should."""
    for name, value in QUIET_OPENCV.items():
        os.environ.setdefault(name, value)


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back the standard error, native code's too, and then show it without the lines that start INFO.

    TensorFlow Lite says on it that it made its own delegate for the processor, and heeds no setting.
    """
    try:
        caught = tempfile.TemporaryFile()  # closed below
    except OSError:  # a device need not have a place for temporary files
        yield
        return
    with caught:
        sys.stderr.flush()
        terminal = os.dup(STDERR)
        os.dup2(caught.fileno(), STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, STDERR)
            os.close(terminal)
            _show_rest(caught)


def _show_rest(caught: IO[bytes]) -> None:
    caught.seek(0)
    with suppress(OSError):  # nobody to show it to
        for line in caught:
            if not line.startswith(CHATTER):
                os.write(STDERR, line)


@contextmanager
def plain_warnings(show: Callable[[str], None]) -> Iterator[None]:
    """Show Python's warnings as sentences, without the place in the code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)  # PYTHONWARNINGS=error would end the run
        warnings.showwarning = lambda message, *_details, **_more: show(f"Warning: {message}")
        yield


class LiveLine:
    """A line at the bottom of a terminal that is written over again and again; nothing where there is no terminal.

    Args:
        stream: Where to.
        clock: Seconds, monotonic.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.enabled = stream.isatty()
        self._stream, self._clock = stream, clock
        self._shown = -UPDATE_SECONDS
        self._visible = False

    def show(self, text: str, *, at_once: bool = False) -> None:
        """Put this in the line, where the last update is 0.2 s ago or more.

        Args:
            text: What to show; what is wider than the terminal is cut off.
            at_once: However short ago the last update was.
        """
        now = self._clock()
        if self.enabled and (at_once or now - self._shown >= UPDATE_SECONDS):
            self._write(CLEAR_LINE + text[: shutil.get_terminal_size().columns - 1])
            self._shown, self._visible = now, True

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._visible:
            self._write(CLEAR_LINE)
            self._visible = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class Progress:
    """Figures of a run: a live line on a terminal, and a summary at its end.

    Args:
        stream: Where to; nothing but messages is written where it is no terminal.
        clock: Seconds, monotonic.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.samples = 0
        self.skipped = 0
        self._stream, self._clock = stream, clock
        self._line = LiveLine(stream, clock)
        self._preprocess = self._inference = 0.0
        self._first = 0.0

    def count(self, latency: Latency) -> None:
        """Take one result's figures, and show them."""
        if self.samples == 0:
            self._first = self._clock()
        self.samples += 1
        self._preprocess += latency.preprocess
        self._inference += latency.inference
        if self._line.enabled:
            self._line.show(self.figures())

    def message(self, text: str) -> None:
        """Show a line of its own, above the live one."""
        self.clear()
        click.echo(text, file=self._stream)

    def clear(self) -> None:
        """Take the live line away, so that something else can be printed."""
        self._line.clear()

    def finish(self) -> None:
        """Put the summary in the place of the live line."""
        self.clear()
        if self._line.enabled and self.samples:
            click.echo(self.figures(), file=self._stream)

    def figures(self) -> str:
        """Samples, rate and mean times so far; the rate counts from the first result, without the opening of things."""
        seconds = self._clock() - self._first
        count = max(1, self.samples)
        parts = [
            f"{self.samples} {'sample' if self.samples == 1 else 'samples'}",
            f"{self.skipped} skipped" if self.skipped else "",
            f"{(self.samples - 1) / seconds:.1f} fps" if self.samples > 1 and seconds > 0 else "",
            f"preprocess {self._preprocess / count:.2f} ms",
            f"inference {self._inference / count:.2f} ms",
        ]
        return ", ".join(filter(None, parts))
