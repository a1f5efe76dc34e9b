"""Sensors that have to be asked for each sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from edgekit.errors import UsageError
from edgekit.sources import Problem
from edgekit.windows import Block
from edgekit_devices.sensors.live import Item

MOST_RATE = 2000.0
FAILURES = 5
"""Failed readings in a row after which the sensor counts as gone."""


class PolledSession:
    """Asks at a fixed rate; each sample has the time of its reading.

    Readings that come too late, because the computer was busy, are left out and counted as lost: no burst makes up for
    them.

    Args:
        source: For blocks and problems.
        channels: Names of what `read` gives.
        read: Asks the sensor; may raise OSError.
        rate: How often, in hertz.
        release: Called at the end.

    Raises:
        UsageError: a rate that cannot be kept.
    """

    def __init__(
        self, source: str, channels: tuple[str, ...], read: Callable[[], Sequence[float]], rate: float,
        release: Callable[[], None] | None = None,
    ) -> None:
        if rate > MOST_RATE:
            raise UsageError(f"{source}: a rate of {rate:g} Hz is too fast for asking; {MOST_RATE:g} is the most")
        self.about = f"asked {rate:g} times a second"
        self._source, self._channels, self._read, self._period = source, channels, read, 1 / rate
        self._release = release or (lambda: None)
        self._next = time.monotonic()
        self._lost = self._count = self._failures = 0

    def read(self, seconds: float) -> Sequence[Item]:
        """One sample, when its time has come.

        Raises:
            OSError: it failed several times in a row.
        """
        wait = self._next - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, seconds))
        now = time.monotonic()
        if now < self._next:
            return ()
        late = int((now - self._next) / self._period)
        self._lost += late
        self._next += (late + 1) * self._period
        self._count += late + 1
        return (self._sample(),)

    def _sample(self) -> Item:
        try:
            values = self._read()
        except (OSError, ValueError) as error:
            self._failures += 1
            if self._failures >= FAILURES:
                raise OSError(f"{FAILURES} readings in a row failed: {error}") from error
            return Problem(self._source, self._count - 1, f"a reading failed: {error}")
        self._failures = 0
        times = np.array([time.monotonic()])
        return Block(times, np.array([values], np.float32), self._source, self._channels, self._lost)

    def close(self) -> None:
        """Let go of the sensor."""
        self._release()
