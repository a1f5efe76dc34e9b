"""Intervals of shares, and of the change of a share when the same samples are answered twice."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekit_converters.evaluating.results import Figure

Z = 1.959963984540054
"""The normal distribution has 95 % within so many deviations."""
EXACT_UP_TO = 1000
"""Discordant samples up to which the binomial distribution is summed up; above, the normal one is as good."""


@dataclass(frozen=True, slots=True)
class Discordance:
    """Samples on which two models differ: `lost` is right in the other alone, `won` in the model alone."""

    lost: int
    won: int
    count: int

    @property
    def change(self) -> float:
        """The share won less the share lost."""
        return (self.won - self.lost) / self.count if self.count else 0.0

    def adjusted(self) -> tuple[float, float]:
        """Estimate and variance of the change, half a sample added to each of the four cells.

        Agresti and Min, Simple improved confidence intervals for comparing matched proportions, Statistics in
        Medicine 24 (2005).
        """
        count, lost, won = self.count + 2, self.lost + 0.5, self.won + 0.5
        change = (won - lost) / count
        return change, ((won + lost) / count - change**2) / count


def wilson(successes: int, count: int) -> Figure:
    """A share with Wilson's score interval (Wilson 1927), which holds near 0 and 1 and for few samples."""
    if not count:
        return Figure(math.nan)
    share, z2 = successes / count, Z * Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    return Figure(share, max(0.0, middle - half), min(1.0, middle + half))


def paired_change(found: Discordance) -> Figure:
    """The change of a share with its paired interval, after Agresti and Min."""
    middle, variance = found.adjusted()
    half = Z * math.sqrt(variance)
    return Figure(found.change, max(-1.0, middle - half), min(1.0, middle + half))


def mcnemar(found: Discordance) -> float:
    """Two-sided p-value of McNemar's exact test: as many samples are won as lost."""
    count, least = found.lost + found.won, min(found.lost, found.won)
    if not count:
        return 1.0
    if count > EXACT_UP_TO:
        return math.erfc((abs(found.won - found.lost) - 1) / math.sqrt(2 * count))
    tail = sum(math.comb(count, k) for k in range(least + 1))
    return min(1.0, float(2 * tail / 2**count))


def difference(one: Discordance, other: Discordance) -> Figure:
    """How much more a share has changed on some samples than on others, with its interval."""
    (change, variance), (change_other, variance_other) = one.adjusted(), other.adjusted()
    half = Z * math.sqrt(variance + variance_other)
    middle = change - change_other
    return Figure(one.change - other.change, middle - half, middle + half)
