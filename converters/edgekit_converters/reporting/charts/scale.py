"""From values to places along an axis, with round numbers as marks."""

from __future__ import annotations

import math
from dataclasses import dataclass

_ROUND = (1, 2, 2.5, 5, 10)
_LEAST_SPAN = 1e-30


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear axis.

    Attributes:
        low: Value at its start; `high` at its end.
        start: Place of its start, in pixels; `end` alike.
    """

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a value; what lies outside is put at the nearer end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def marks(self, most: int = 6) -> list[float]:
        """Round values within the axis."""
        step = _step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def axis(values: list[float], start: float, end: float, *, zero: bool = False) -> Axis:
    """An axis that holds all values, with some room at the ends.

    Args:
        values: At least one.
        start: In pixels.
        end: In pixels.
        zero: Whether 0 is to be on it.
    """
    low, high = min(values), max(values)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < _LEAST_SPAN:
        low, high = low - 0.5, high + 0.5
    room = 0.04 * (high - low)
    return Axis(low if zero and low == 0 else low - room, high + room, start, end)


def _step(least: float) -> float:
    size = 10.0 ** math.floor(math.log10(least))
    return next(size * factor for factor in _ROUND if size * factor >= least * (1 - 1e-9))


def shown(value: float) -> str:
    """A number in few letters."""
    if value == 0:
        return "0"
    return f"{value:.4g}" if 1e-4 <= abs(value) < 1e6 else f"{value:.2e}"
