"""Numbers as people wrote them, and numbers that mean something."""

from __future__ import annotations

import math
from collections.abc import Sequence
from struct import pack

from edgekit.metadata.types import Normalization

_FEWEST, _MOST = 6, 9
"""Decimal digits: six survive float32 always, nine tell any two apart."""
_LARGEST = 3.4028234e38
"""Decimals beyond it do not fit a float32, though they may be what its largest is rounded to."""


def shortest(value: float) -> float:
    """The float with fewest decimal digits that is stored as the same float32: 123.675, not 123.67500305."""
    if not math.isfinite(value):
        return value
    wanted = pack("<f", value)
    candidates = (float(f"{value:.{digits}g}") for digits in range(_FEWEST, _MOST))
    return next((c for c in candidates if abs(c) < _LARGEST and pack("<f", c) == wanted), value)


def normalization(mean: Sequence[float], std: Sequence[float]) -> Normalization | None:
    """The rule that these numbers make; None where they make none (a zero to divide by, say)."""
    means, stds = tuple(map(shortest, mean)), tuple(map(shortest, std))
    fit = means and stds and (len(means) == len(stds) or 1 in {len(means), len(stds)})
    if not fit or not all(map(math.isfinite, (*means, *stds))) or 0.0 in stds:
        return None
    return Normalization(means, stds)
