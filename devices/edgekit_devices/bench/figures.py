"""Statistics of latencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

PERCENTILES = (50, 90, 99)
RESAMPLES = 2000
LEVEL = 0.95
SINGLE_STREAM, CONFIDENCE = 0.9, 0.99
"""The percentile by which MLPerf judges a single stream, and how sure its estimate has to be."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long something takes as something else.

    Attributes:
        value: The ratio.
        low: Lower end of its interval of 95 % confidence; None where there are too few rounds for one.
        high: Upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


def summary(values: ArrayLike) -> dict[str, float]:
    """Mean, percentiles, least and most of some numbers, which must not be none."""
    array = np.asarray(values, np.float64)
    told = dict(zip((f"p{share}" for share in PERCENTILES), np.percentile(array, PERCENTILES), strict=True))
    ends = {"min": array.min(), "mean": array.mean(), "max": array.max()}
    return {name: float(value) for name, value in (told | ends).items()}


def ratio(first: Sequence[float], other: Sequence[float], *, resamples: int = RESAMPLES) -> Ratio:
    """The geometric mean of the ratios of two measures, which were taken round by round in turn.

    What slows the machine down for a while slows both in the same round, and leaves their ratio nearly alone. The
    interval is that of the bootstrap (Efron 1979, percentiles) over rounds.

    Args:
        first: One positive number for each round, such as the median of its runs.
        other: Likewise; a round that only one of them has is left out.
        resamples: How often rounds are drawn.
    """
    count = min(len(first), len(other))
    logs = np.log(np.asarray(other[:count])) - np.log(np.asarray(first[:count]))
    value = float(np.exp(logs.mean()))
    if count < 2:
        return Ratio(value)
    drawn = np.random.default_rng(0).integers(0, count, (resamples, count))
    tail = (1 - LEVEL) / 2 * 100
    low, high = np.exp(np.percentile(logs[drawn].mean(axis=1), [tail, 100 - tail]))
    return Ratio(value, float(low), float(high))


def single_stream(values: ArrayLike) -> float | None:
    """A latency that 90 % of all runs stay below, with a confidence of 99 %.

    MLPerf's single stream is judged by an estimate of this kind ("early stopping"): the fewer the runs, the more of the
    slowest ones count. It is the smallest k-th value of n with P(Binomial(n, 0.9) < k) >= 0.99.

    Returns:
        None where there are too few runs, fewer than 44.
    """
    array = np.sort(np.asarray(values, np.float64))
    below = np.cumsum(_binomial(len(array), SINGLE_STREAM))[:-1]  # P(Binomial < k) for k = 1 ... n
    enough = np.flatnonzero(below >= CONFIDENCE)
    return float(array[enough[0]]) if len(enough) else None


def _binomial(count: int, share: float) -> NDArray[np.float64]:
    """Probabilities of 0 ... count successes."""
    factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, count + 1)))))
    successes = np.arange(count + 1)
    logs = (
        factorials[-1] - factorials - factorials[::-1]
        + successes * np.log(share) + (count - successes) * np.log1p(-share)
    )
    probabilities: NDArray[np.float64] = np.exp(logs)
    return probabilities
