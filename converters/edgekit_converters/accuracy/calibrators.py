"""Ways to choose the range that a tensor's integers stand for, from the values that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.accuracy.histograms import Histogram
from edgekit_converters.lowering.quantizing import Range

LEVELS = 256
SHARES = np.linspace(0.2, 1.0, 41)
"""Shares of the whole range that the searches try, on either side."""

Calibrator = Callable[[Histogram], Range]


def minmax(histogram: Histogram) -> Range:
    """From the smallest to the largest value: nothing is clipped."""
    return histogram.low, histogram.high


def percentile(histogram: Histogram, share: float) -> Range:
    """The range that leaves out the same share of the values at either end.

    Args:
        histogram: The values.
        share: Per cent that lie below the upper end, above 50, such as 99.99.
    """
    cumulative = np.concatenate(([0], np.cumsum(histogram.counts)))
    total = cumulative[-1]
    if total == 0:
        return minmax(histogram)
    outside = total * (100 - share) / 100
    low, high = (float(np.interp(at, cumulative, histogram.edges)) for at in (outside, total - outside))
    return max(low, histogram.low), min(high, histogram.high)


def least_squares(histogram: Histogram) -> Range:
    """The range with the least mean squared error of values that are rounded to 256 levels and clipped.

    The upper end is searched first, then the lower one; either may lie at the extreme.
    """
    centres, counts = histogram.centres, histogram.counts.astype(np.float64)
    low, high = _with_zero(minmax(histogram))
    high = min((high * share for share in SHARES), key=lambda end: _squared_error(centres, counts, low, end))
    low = min((low * share for share in SHARES), key=lambda end: _squared_error(centres, counts, end, high))
    return max(low, histogram.low), min(high, histogram.high)


def _squared_error(
    centres: NDArray[np.float64], counts: NDArray[np.float64], low: float, high: float
) -> float:
    step = (high - low) / (LEVELS - 1)
    if step <= 0:
        return float("inf")
    rounded = np.clip(np.round((centres - low) / step), 0, LEVELS - 1) * step + low
    return float(counts @ np.square(rounded - centres))


def least_divergence(histogram: Histogram) -> Range:
    """The range whose 256 levels keep the most of the distribution: the least Kullback-Leibler divergence.

    Source: S. Migacz, 8-bit Inference with TensorRT, GTC 2017. There for ranges around 0; here both ends are shrunk
    by the same share, since ranges need not be symmetric.
    """
    low, high = _with_zero(minmax(histogram))
    ends = [(low * share, high * share) for share in SHARES]
    low, high = min(ends, key=lambda found: _divergence(histogram, found))
    return max(low, histogram.low), min(high, histogram.high)


def _divergence(histogram: Histogram, found: Range) -> float:
    """Of the clipped values, with what lies outside counted at the ends, from their form in 256 levels."""
    inside = (histogram.centres >= found[0]) & (histogram.centres <= found[1])
    if np.count_nonzero(inside) < LEVELS:
        return float("inf")
    first, last = np.flatnonzero(inside)[[0, -1]]
    kept = histogram.counts[first : last + 1].astype(np.float64)
    reference = kept.copy()
    reference[0] += histogram.counts[:first].sum()
    reference[-1] += histogram.counts[last + 1 :].sum()
    level = np.arange(len(kept)) * LEVELS // len(kept)
    filled = np.bincount(level, kept > 0, LEVELS)
    spread = np.where(kept > 0, (np.bincount(level, kept, LEVELS) / np.maximum(filled, 1))[level], 0.0)
    taken = (reference > 0) & (spread > 0)
    lost = reference[~taken].sum()
    p, q = reference[taken] / reference.sum(), spread[taken] / spread.sum()
    return float(np.sum(p * np.log(p / q)) + lost)


def _with_zero(found: Range) -> Range:
    """A range that holds 0, as that of a quantized tensor has to."""
    return min(found[0], 0.0), max(found[1], 0.0)


CALIBRATORS: Mapping[str, Calibrator] = MappingProxyType({
    "minmax": minmax,
    "percentile-99.999": partial(percentile, share=99.999),
    "percentile-99.99": partial(percentile, share=99.99),
    "percentile-99.9": partial(percentile, share=99.9),
    "mse": least_squares,
    "entropy": least_divergence,
})
"""Calibrators by name."""
