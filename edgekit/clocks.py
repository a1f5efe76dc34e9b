"""A device's clock on the monotonic clock of this computer, with offset and drift estimated.

All that is known is when messages with device times arrived, and a message is never early: its delay is zero or more.
The true offset therefore lies below all that were observed. The least one of each second is kept; a straight line
through those gives the drift, and lies against them from below. This is the idea of Moon, Skelly and Towsley,
"Estimation and removal of clock skew from network delay measurements" (INFOCOM 1999), with least squares over the
minima in place of a linear program.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

BUCKET = 1.0
"""Seconds of which the least delay is kept."""
MOST_BUCKETS = 120
LEAST_BUCKETS = 10
"""Seconds observed before drift is estimated; it is taken as 0 till then."""
MOST_DRIFT = 1e-3
"""Crystals are better than 100 in a million; what looks like more is the delay."""
STEP = 1.0
"""Seconds by which the device's clock may differ from its estimate before it counts as set anew."""
SLEW = 0.05
"""Share of the elapsed time by which mapped times may catch up: they never run backwards."""


class DeviceClock:
    """Maps a device's times to monotonic ones, block by block.

    Attributes:
        steps: How often the device's clock was set anew, so far.
    """

    def __init__(self) -> None:
        self.steps = 0
        self._clear()

    def _clear(self) -> None:
        self._origin = 0.0
        self._minima: deque[tuple[float, float]] = deque(maxlen=MOST_BUCKETS)
        self._bucket = -1
        self._offset = self._drift = self._used = 0.0
        self._last: float | None = None

    @property
    def drift(self) -> float:
        """Seconds that the device's clock loses in each of its seconds; 1e-6 is one in a million."""
        return self._drift

    def map(self, device: NDArray[np.float64], arrived: float) -> NDArray[np.float64]:
        """Monotonic times of samples.

        Args:
            device: Their times by the device's clock, in seconds, rising; shape (n,), n from 1.
            arrived: When the last of them arrived, on the monotonic clock.
        """
        newest = float(device[-1])
        if self._last is not None and self._is_step(newest, arrived):
            self.steps += 1
            self._clear()
        if self._last is None:
            self._origin = newest
            self._used = arrived - newest
        self._observe(newest - self._origin, arrived - newest)
        before = self._used
        self._used = self._slewed(newest)
        elapsed = newest - (newest if self._last is None else self._last)
        start = newest if self._last is None else self._last
        self._last = newest
        share: NDArray[np.float64] = np.clip((device - start) / elapsed, 0, 1) if elapsed > 0 else np.ones(len(device))
        mapped: NDArray[np.float64] = device + before + (self._used - before) * share
        return mapped

    def _is_step(self, newest: float, arrived: float) -> bool:
        """Whether its time went back, or lies in the future. What comes late may just have been held up."""
        assert self._last is not None
        return newest < self._last - STEP or newest + self._used > arrived + STEP

    def _observe(self, at: float, offset: float) -> None:
        bucket = int(at // BUCKET)
        if bucket != self._bucket or not self._minima:
            self._bucket = bucket
            self._minima.append((at, offset))
        elif offset < self._minima[-1][1]:
            self._minima[-1] = (at, offset)
        else:
            return
        self._fit()

    def _fit(self) -> None:
        times, offsets = np.array(self._minima).T
        slope = 0.0
        if len(times) >= LEAST_BUCKETS:
            centred = times - times.mean()
            slope = float(np.clip((centred * offsets).sum() / np.square(centred).sum(), -MOST_DRIFT, MOST_DRIFT))
        self._drift = slope
        self._offset = float((offsets - slope * times).min())

    def _slewed(self, newest: float) -> float:
        """The offset to use now: the estimate, as near as steady times allow."""
        wanted = self._offset + self._drift * (newest - self._origin)
        if self._last is None:
            return wanted
        most = SLEW * max(newest - self._last, 0.0)
        return float(np.clip(wanted, self._used - most, self._used + most))


class SampleClock:
    """Times for samples that bring none.

    Args:
        rate: Samples a second, where it is known: the count of samples is then the device's clock. Otherwise samples
            that arrive together share out the time since the ones before.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate, self._clock = rate, DeviceClock()
        self._count = 0
        self._last: float | None = None

    def times(self, count: int, arrived: float) -> NDArray[np.float64]:
        """Times of the next `count` samples (1 or more), the last of which arrived at `arrived`."""
        if self._rate is not None:
            self._count += count
            return self._clock.map((self._count - count + 1 + np.arange(count)) / self._rate, arrived)
        last, self._last = self._last, arrived
        start = arrived - count * 1e-6 if last is None or last >= arrived else last
        times: NDArray[np.float64] = start + (arrived - start) * np.arange(1, count + 1) / count
        return times
