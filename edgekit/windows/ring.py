"""A buffer that takes blocks and gives windows without touching single samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

LEAST_ROWS = 4096
"""Rows kept at least: what is left over is moved to the front once for so many, which costs nothing then."""

View = tuple[NDArray[np.float64], NDArray[np.float32]]


class Ring:
    """Rows with their times, of which windows are cut as views.

    Args:
        size: Rows of a window, from 1.
        hop: Rows from the start of a window to the start of the next, from 1; more than `size` leaves rows out.
        channels: Numbers in a row.
    """

    def __init__(self, size: int, hop: int, channels: int) -> None:
        self._size, self._hop = size, hop
        rows = max(4 * size, LEAST_ROWS)
        self._times = np.empty(rows, np.float64)
        self._values = np.empty((rows, channels), np.float32)
        self._start = self._end = 0

    def clear(self) -> None:
        """Forget all rows: the next window starts with the next row."""
        self._start = self._end = 0

    def push(self, times: NDArray[np.float64], values: NDArray[np.float32]) -> Iterator[View]:
        """Take rows, of shape (n,) and (n, channels), and give the windows that they complete.

        The views hold until the next push or step of the iterator.
        """
        room = len(self._times) - self._size
        for at in range(0, len(times), room):
            yield from self._push(times[at : at + room], values[at : at + room])

    def _push(self, times: NDArray[np.float64], values: NDArray[np.float32]) -> Iterator[View]:
        if self._end + len(times) > len(self._times):
            self._make_room()
        end = self._end + len(times)
        self._times[self._end : end], self._values[self._end : end] = times, values
        self._end = end
        while self._start + self._size <= self._end:
            window = slice(self._start, self._start + self._size)
            self._start += self._hop
            yield self._times[window], self._values[window]

    def _make_room(self) -> None:
        """Move what is still wanted to the front. `_start` may lie behind the end: rows to be left out."""
        kept = max(self._end - self._start, 0)
        self._times[:kept] = self._times[self._end - kept : self._end].copy()
        self._values[:kept] = self._values[self._end - kept : self._end].copy()
        self._start, self._end = max(self._start - self._end, 0), kept
