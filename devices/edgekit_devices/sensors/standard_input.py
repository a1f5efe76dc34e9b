"""Lines from the standard input: any program that prints numbers is a sensor."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.uris import number_of, parts_of, redacted
from edgekit.windows.text import OPTIONS as TEXT_OPTIONS
from edgekit.windows.text import TextOptions, text_options
from edgekit_devices.sensors.lines import LineReader
from edgekit_devices.sensors.live import Item, LiveStream

MOST_BYTES = 1 << 16


class Input(LiveStream):
    """The standard input: the writer waits while the model runs, so that no sample is lost.

    Args:
        live: Whether its times are brought to the clock of this computer, to be joined with other live sources.
            Otherwise it is a log that comes through a pipe, with times of its own, as fast as it is read.
    """

    def __init__(self, uri: str, link: InputLink, live: bool, shape: tuple[int, ...] | None) -> None:
        super().__init__(uri, link, rate=link.rate, stall=float("inf"), shape=shape)
        self.live, self._input = live, link

    def adopt_rate(self, rate: float) -> None:
        """What holds for a log without times, as for a file, where the user says no rate."""
        if not self.live and self.rate is None:
            self._input.rate = self.rate = rate


def open_input(uri: str, *, shape: tuple[int, ...] | None = None) -> LiveStream:
    """The standard input: `-`, or `stdin:?format=json&rate=50`.

    Options: `format` (`csv` or `json`), `columns`, `time`, `unit`, `rate` (samples a second, for lines without times),
    `live` (`no`, or `yes` for a sensor that is joined with other live ones).

    Args:
        uri: As above.
        shape: What single rows are brought to.

    Raises:
        UsageError: an option that does not exist or makes no sense.
    """
    rest, given = parts_of(uri, frozenset({"rate", "live", *TEXT_OPTIONS}))
    if rest not in ("", "-"):
        raise UsageError(f"{redacted(uri)}: the standard input has no name", hint="Write stdin:?OPTION=VALUE.")
    rate = number_of(uri, given, "rate", 0.0) or None
    live = one_of("live", given.get("live", "no"), ("no", "yes")) == "yes"
    return Input(uri, InputLink(text_options(given), rate, live), live, shape)


@dataclass
class InputLink:
    """How lines are read."""

    text: TextOptions
    rate: float | None
    live: bool

    def open(self) -> InputSession:
        """The standard input is open already."""
        return InputSession(LineReader("stdin", self.text, self.rate, live=self.live))


class InputSession:
    """Reads until the end."""

    def __init__(self, reader: LineReader) -> None:
        self._reader, self._file = reader, sys.stdin.fileno()
        self._ended = False

    def read(self, seconds: float) -> Sequence[Item]:
        """Blocks and problems of what came.

        Raises:
            EOFError: nothing more comes.
        """
        if self._ended:
            raise EOFError
        ready, _, _ = select.select([self._file], [], [], seconds)
        if not ready:
            return ()
        data = os.read(self._file, MOST_BYTES)
        if data:
            return self._reader.feed(data, time.monotonic())
        self._ended = True
        return self._reader.finish(time.monotonic())

    def close(self) -> None:
        """It is not ours to close."""
