"""What a command shows beside its output: a live line, warnings, and no chatter of libraries."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import click

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
    if sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    terminal, caught = os.dup(STDERR), os.memfd_create("stderr")
    os.dup2(caught, STDERR)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, STDERR)
        os.close(terminal)
        _show_rest(caught)


def _show_rest(caught: int) -> None:
    with os.fdopen(caught, "rb") as stream:
        stream.seek(0)
        for line in stream:
            if not line.startswith(CHATTER):
                os.write(STDERR, line)


@contextmanager
def plain_warnings(show: Callable[[str], None]) -> Iterator[None]:
    """Show Python's warnings as sentences, without the place in the code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_details, **_more: show(f"Warning: {message}")
        yield


class Progress:
    """Figures of a run: a live line on a terminal, one update in 0.2 s at most, and a summary at its end.

    Args:
        stream: Where to; nothing but messages is written where it is no terminal.
        clock: Seconds, monotonic.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.samples = 0
        self.skipped = 0
        self._stream, self._clock = stream, clock
        self._live = stream.isatty()
        self._preprocess = self._inference = 0.0
        self._started = clock()
        self._shown = -UPDATE_SECONDS
        self._visible = False

    def count(self, latency: Latency) -> None:
        """Take one result's figures, and show them where the last update is long enough ago."""
        self.samples += 1
        self._preprocess += latency.preprocess
        self._inference += latency.inference
        now = self._clock()
        if self._live and now - self._shown >= UPDATE_SECONDS:
            self._write(CLEAR_LINE + self.figures())
            self._shown, self._visible = now, True

    def message(self, text: str) -> None:
        """Show a line of its own, above the live one."""
        self.clear()
        click.echo(text, file=self._stream)

    def clear(self) -> None:
        """Take the live line away, so that something else can be printed."""
        if self._visible:
            self._write(CLEAR_LINE)
            self._visible = False

    def finish(self) -> None:
        """Put the summary in the place of the live line."""
        self.clear()
        if self._live and self.samples:
            click.echo(self.figures(), file=self._stream)

    def figures(self) -> str:
        """Samples, rate and mean times so far."""
        seconds = self._clock() - self._started
        parts = (
            [f"{self.samples} samples", f"{self.skipped} skipped"]
            if self.skipped
            else [f"{self.samples} samples"]
        )
        if seconds > 0:
            parts.append(f"{self.samples / seconds:.1f} fps")
        count = max(1, self.samples)
        parts.append(f"preprocess {self._preprocess / count:.2f} ms")
        parts.append(f"inference {self._inference / count:.2f} ms")
        return ", ".join(parts)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
