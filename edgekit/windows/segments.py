"""Where a stream is one piece: its gaps, its late samples and the steps of its clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Break = Literal["", "gap", "clock"]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Samples whose times rise and follow one another.

    Attributes:
        rows: Their places in the block.
        begins: Why a new piece begins with the first of them: `gap` (nothing came for too long), `clock` (time went
            back by more than that); empty where it goes on with the one before.
        step: Seconds from the last sample before to the first of these.
    """

    rows: slice
    begins: Break
    step: float


class Segmenter:
    """Cuts blocks into pieces.

    Args:
        most: Seconds between samples from which on it is a gap; None never calls it one, whatever time passes.
    """

    def __init__(self, most: float | None) -> None:
        self._most = np.inf if most is None else most
        self._last: float | None = None
        self.late = 0
        """Samples left out because they came with the time of an earlier one, so far."""

    def pieces(self, times: NDArray[np.float64]) -> Iterator[Piece]:
        """The pieces of a block, of times of shape (n,); samples in none of them came late."""
        at, first = 0, self._last is None
        last = times[0] if self._last is None else self._last
        while at < len(times):
            step = float(times[at] - last)
            if not first and 0 >= step >= -self._most:
                at += self._skip_late(times[at:], last)
                continue
            begins: Break = "" if first or 0 < step <= self._most else "gap" if step > 0 else "clock"
            end = self._end(times, at)
            yield Piece(slice(at, end), begins, step)
            self._last = last = float(times[end - 1])
            at, first = end, False

    def _skip_late(self, times: NDArray[np.float64], last: float) -> int:
        """How many samples from here on are late."""
        other = np.flatnonzero((times > last) | (times < last - self._most))
        count = int(other[0]) if other.size else len(times)
        self.late += count
        return count

    def _end(self, times: NDArray[np.float64], at: int) -> int:
        steps = np.diff(times[at:])
        broken = np.flatnonzero((steps <= 0) | (steps > self._most))
        return at + 1 + int(broken[0]) if broken.size else len(times)
