"""A stream's blocks to windows, with an account of everything that went wrong between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError
from edgekit.metadata.types import Window
from edgekit.sources.types import Event
from edgekit.windows.resampling import Resampler
from edgekit.windows.ring import Ring
from edgekit.windows.segments import Piece, Segmenter
from edgekit.windows.types import Block
from edgekit.windows.validity import Policy, Validity

GAP_PERIODS = 2.5
"""Periods of the rate without a sample from which on it is a gap, where nobody says: one lost sample is bridged."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One window.

    Attributes:
        values: float32 of shape (size, channels), a view that holds until the next step.
        start: Time of its first sample, in seconds; `end` that of its last.
        valid: Whether all of it is finite numbers, which only the policy `refuse` leaves open.
    """

    values: NDArray[np.float32]
    start: float
    end: float
    valid: bool


class Windower:
    """Cuts windows. No work is done sample by sample, and no window spans a gap.

    What comes out does not depend on how the samples are cut into blocks: it is what one block of all of them gives.

    Args:
        window: Size, hop, rate, limits, and the longest time that is bridged.
        invalid: What becomes of values that are NaN or out of range.
    """

    def __init__(self, window: Window, invalid: Policy = "drop") -> None:
        self._window, self._refuses = window, invalid == "refuse"
        self._validity = Validity(invalid, window.limits)
        most = window.max_gap
        if most is None and window.rate is not None:
            most = GAP_PERIODS / window.rate
        self._segmenter = Segmenter(most)
        self._resampler = Resampler(window.rate) if window.rate is not None else None
        self._ring: Ring | None = None
        self._width = self._since = 0
        self._slow = False
        self._first = self._last = 0.0
        self.samples = 0
        """Samples without the invalid ones that are dropped, so far."""
        self.gaps = 0
        """Gaps and steps of the clock so far."""

    @property
    def late(self) -> int:
        """Samples that came too late and were left out, so far."""
        return self._segmenter.late

    @property
    def invalid(self) -> int:
        """Samples with a value that is NaN or out of range, so far."""
        return self._validity.invalid

    @property
    def heard(self) -> str:
        """What came so far, in words."""
        gaps = f", with {self.gaps} gaps" if self.gaps else ""
        return f"{self.samples} samples over {self._last - self._first:.6g} s{gaps}"

    def push(self, block: Block) -> Iterator[Cut | Event]:
        """Take a block and give the windows that it completes, and an event for each gap and step of the clock.

        Raises:
            DataError: the number of channels changes.
        """
        times, values = self._validity.apply(block.times, block.values)
        ring = self._ring_for(block)
        if not len(times):
            return
        self._first = self._first if self.samples else float(times[0])
        self._last, self.samples = float(times[-1]), self.samples + len(times)
        for piece in self._segmenter.pieces(times):
            if piece.begins:
                yield from self._restart(ring, piece, block.source)
            self._since += piece.rows.stop - piece.rows.start
            rows = times[piece.rows], values[piece.rows]
            for at, window in ring.push(*(self._resampler.push(*rows) if self._resampler else rows)):
                yield Cut(window, float(at[0]), float(at[-1]), not self._refuses or bool(np.isfinite(window).all()))

    def _ring_for(self, block: Block) -> Ring:
        width = block.values.shape[1]
        if self._ring is None:
            self._width, self._ring = width, Ring(self._window.size, self._window.hop, width)
        if width != self._width:
            raise DataError(f"{block.source} gave {width} channels after {self._width}")
        return self._ring

    def _restart(self, ring: Ring, piece: Piece, source: str) -> Iterator[Event]:
        """Start anew. Of a sensor all of whose samples lie too far apart only the first gap is told, with a cure."""
        ring.clear()
        if self._resampler:
            self._resampler.clear()
        self.gaps += 1
        alone, told = self._since == 1, self._slow
        self._since, self._slow = 0, alone
        if piece.begins == "clock":
            yield Event(source, "clock", f"its clock went back by {-piece.step:.6g} s: windows start anew")
        elif not alone:
            yield Event(source, "gap", f"nothing came for {piece.step:.6g} s: windows start anew")
        elif not told:
            yield Event(source, "gap", f"samples come {piece.step:.6g} s apart, more than is bridged (see max_gap)")


def offline_windows(blocks: Iterable[Block], window: Window, invalid: Policy = "drop") -> Iterator[Cut]:
    """All windows of a recording, as the device would cut them. `values` are copies here."""
    windower = Windower(window, invalid)
    for block in blocks:
        for item in windower.push(block):
            if isinstance(item, Cut):
                yield Cut(item.values.copy(), item.start, item.end, item.valid)
