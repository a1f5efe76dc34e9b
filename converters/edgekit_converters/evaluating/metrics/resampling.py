"""Bootstrap: how often each sample occurs when as many are drawn with replacement. Always the same draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

RESAMPLINGS = 1000
FEWEST = 100
"""Below this many an interval says nothing, and is not given."""
SEED = 20_260_101
WORK = 300_000_000
"""Numbers looked at for one interval at most: a second or two."""
BLOCK = 4_000_000
"""Numbers held at once."""

Weights = NDArray[np.float32]
"""How often each sample was drawn, shape (samples, resamplings): whole numbers, which float32 sums up exactly."""


def affordable(numbers: int) -> int:
    """How many resamplings to make of a statistic that looks at so many numbers; 0 where too few can be made."""
    count = min(RESAMPLINGS, WORK // max(1, numbers))
    return count if count >= FEWEST else 0


def draws(samples: int, count: int) -> Iterator[Weights]:
    """Weights of the samples in blocks of resamplings: float32 of shape (samples, resamplings)."""
    random = np.random.default_rng(SEED)
    most = max(1, BLOCK // max(1, samples))
    for first in range(0, count, most):
        now = min(most, count - first)
        cells = random.integers(samples, size=(samples, now)) * now + np.arange(now)
        yield np.bincount(cells.ravel(), minlength=now * samples).reshape(samples, now).astype(np.float32)


def resample(
    samples: int, count: int, statistic: Callable[[Weights], NDArray[np.float64]]
) -> NDArray[np.float64] | None:
    """A statistic in each of `count` resamplings; None where none are made.

    Args:
        samples: How many samples there are.
        count: How many resamplings.
        statistic: Of weights (samples, resamplings): an array (resamplings, ...).
    """
    if not count or samples < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.concatenate([statistic(weights) for weights in draws(samples, count)])
