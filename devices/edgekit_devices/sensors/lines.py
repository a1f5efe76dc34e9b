"""Bytes as they come, cut into lines and read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.clocks import DeviceClock, SampleClock
from edgekit.sources import Event, Problem
from edgekit.windows import Block
from edgekit.windows.text import Parsed, TextOptions, TextParser

LONGEST = 1 << 16
"""Bytes without an end of line after which they are no line."""


class Timed:
    """Gives what was parsed its times.

    Args:
        source: For blocks, events and problems, without passwords.
        rate: Samples a second, for senders that give no times.
        live: Whether times are those of the monotonic clock. Otherwise they are the sender's own; without any its
            samples are numbered, one a second where there is no rate.
    """

    def __init__(self, source: str, rate: float | None, live: bool = True) -> None:
        self._source, self._rate, self._live = source, rate, live
        self._device, self._samples = DeviceClock(), SampleClock(rate)
        self._steps = self._count = self._rows = 0

    def items(self, parsed: Parsed, channels: tuple[str, ...], arrived: float) -> list[Block | Problem | Event]:
        """A block of what is good, a problem for each of what is not, and an event where the sender's clock was set."""
        found: list[Block | Problem | Event] = [
            Problem(self._source, self._count + at, reason) for at, reason in parsed.bad
        ]
        rows = len(parsed.values)
        self._count += rows + len(parsed.bad)
        if not rows:
            return found
        times = self._times(parsed.times, rows, arrived)
        if self._device.steps > self._steps:
            self._steps = self._device.steps
            found.append(Event(self._source, "clock", "the sender's clock was set anew"))
        return [*found, Block(times, parsed.values, self._source, channels)]

    def _times(self, given: NDArray[np.float64] | None, rows: int, arrived: float) -> NDArray[np.float64]:
        if self._live:
            return self._samples.times(rows, arrived) if given is None else self._device.map(given, arrived)
        numbers = self._rows + np.arange(rows)
        self._rows += rows
        return numbers / (self._rate or 1.0) if given is None else given


class LineReader:
    """Turns the bytes of a sender of lines into blocks.

    Args:
        source: For messages, without passwords.
        options: How lines are read.
        rate: Samples a second, for lines without times.
        joins: Whether the first line may be half of one, because the sender was speaking already. It is left out then:
            a number that lacks its first digits cannot be told from another.
        live: As in `Timed`.
    """

    def __init__(
        self, source: str, options: TextOptions, rate: float | None = None, *, joins: bool = False, live: bool = True
    ) -> None:
        self._source, self._half = source, joins
        self._parser, self._timed = TextParser(options), Timed(source, rate, live)
        self._rest = b""

    def feed(self, data: bytes, arrived: float) -> list[Block | Problem | Event]:
        """What the bytes complete."""
        *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        problems: list[Block | Problem | Event] = []
        if len(self._rest) > LONGEST:
            problems.append(Problem(self._source, 0, f"{len(self._rest)} bytes without an end of line are left out"))
            self._rest, self._half = b"", True
        if self._half and lines:
            lines, self._half = lines[1:], False
        return [*problems, *self.lines([line.decode("utf-8", "replace") for line in lines], arrived)]

    def lines(self, lines: Sequence[str], arrived: float) -> list[Block | Problem | Event]:
        """The same for whole lines."""
        return self._timed.items(self._parser.parse(lines), self._parser.channels, arrived) if lines else []

    def finish(self, arrived: float) -> list[Block | Problem | Event]:
        """The last line, where the sender ended without its end."""
        rest, self._rest = self._rest, b""
        return self.lines([rest.decode("utf-8", "replace")], arrived) if rest else []


