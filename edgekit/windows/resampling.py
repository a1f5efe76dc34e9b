"""Samples at the times when they were taken, brought to a fixed rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SNAP = 1e-3
"""Share of a period within which a time of the grid counts as that of a sample, whose values are then kept as they are:
times are sums of floats."""

Rows = tuple[NDArray[np.float64], NDArray[np.float32]]


class Resampler:
    """Linear interpolation onto the grid t0 + k / rate, where t0 is the time of the first sample.

    What comes out does not depend on how the samples are cut into blocks. There is no low-pass filter: a sensor that
    is much faster than the rate has to be filtered before (most have a filter of their own).

    Args:
        rate: Samples a second that come out.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.clear()

    def clear(self) -> None:
        """Start anew with the next sample."""
        self._next = 0
        self._origin: float | None = None
        self._last_time = np.empty(0, np.float64)
        self._last_values = np.empty((0, 0), np.float32)

    def push(self, times: NDArray[np.float64], values: NDArray[np.float32]) -> Rows:
        """Take samples, their times rising, and give the rows of the grid that lie before the last of them.

        Args:
            times: Seconds, shape (n,), n from 1.
            values: Shape (n, channels).
        """
        if self._origin is None:
            self._origin = float(times[0])
        else:
            times = np.concatenate((self._last_time, times))
            values = np.concatenate((self._last_values, values))
        self._last_time, self._last_values = times[-1:].copy(), values[-1:].copy()
        grid = self._grid(float(times[-1]))
        return grid, interpolate(times, values, grid, SNAP / self._rate)

    def _grid(self, until: float) -> NDArray[np.float64]:
        assert self._origin is not None
        count = int((until - self._origin) * self._rate) + 2
        grid = self._origin + np.arange(self._next, max(count, self._next), dtype=np.float64) / self._rate
        grid = grid[grid <= until + SNAP / self._rate]
        self._next += len(grid)
        return grid


def interpolate(
    times: NDArray[np.float64], values: NDArray[np.float32], wanted: NDArray[np.float64], snap: float = 0.0
) -> NDArray[np.float32]:
    """Values at other times, by straight lines between neighbours.

    Args:
        times: Rising, shape (n,), n from 1.
        values: Shape (n, channels).
        wanted: Times from `times[0] - snap` to `times[-1] + snap`, shape (m,).
        snap: Seconds within which the values of a sample are taken as they are.

    Returns:
        float32 of shape (m, channels).
    """
    last = len(times) - 1
    before = np.clip(np.searchsorted(times, wanted, "right") - 1, 0, last)
    after = np.minimum(before + 1, last)
    passed, ahead = wanted - times[before], times[after] - wanted
    nearest = np.where((passed > snap) & (ahead <= snap), after, before)
    result: NDArray[np.float32] = values[nearest]
    between = np.flatnonzero((passed > snap) & (ahead > snap))
    if between.size:
        low, high = values[before[between]], values[after[between]]
        share = passed[between] / (passed[between] + ahead[between])
        result[between] = low + share.astype(np.float32)[:, None] * (high - low)
    return result
