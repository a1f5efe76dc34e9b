"""Statistics of each channel of a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgekit.choices import one_of

Column = NDArray[np.float64]


def _moment(values: Column, order: int) -> Column:
    """Standardized central moment; 0 for a channel that does not change."""
    centred = values - values.mean(axis=0)
    deviation = values.std(axis=0)
    return np.where(deviation > 0, (centred**order).mean(axis=0) / np.where(deviation > 0, deviation, 1) ** order, 0.0)


def _crossings(values: Column) -> Column:
    """Share of neighbours between which the channel crosses its mean."""
    above = values > values.mean(axis=0)
    return np.asarray((above[1:] != above[:-1]).mean(axis=0) if len(values) > 1 else np.zeros(values.shape[1]))


STATISTICS: Mapping[str, Callable[[Column], Column]] = MappingProxyType({
    "mean": lambda values: values.mean(axis=0),
    "std": lambda values: values.std(axis=0),
    "min": lambda values: values.min(axis=0),
    "max": lambda values: values.max(axis=0),
    "median": lambda values: np.median(values, axis=0),
    "rms": lambda values: np.sqrt(np.square(values).mean(axis=0)),
    "peak": lambda values: values.max(axis=0) - values.min(axis=0),
    "skew": lambda values: _moment(values, 3),
    "kurtosis": lambda values: _moment(values, 4),
    "crossings": _crossings,
})
"""Statistics by name: each takes (samples, channels) and gives (channels,). `std` divides by the number of samples;
`kurtosis` is 3 for a normal distribution."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Statistics, shape (channels, statistics). `of` names them, joined by +."""

    of: tuple[str, ...] = ("mean", "std", "min", "max", "rms")

    def __post_init__(self) -> None:
        for name in self.of:
            one_of("features stats: of", name, tuple(STATISTICS))

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 of shape (channels, statistics)."""
        exact = values.astype(np.float64)
        return np.stack([STATISTICS[name](exact) for name in self.of], axis=1).astype(np.float32)

    def __str__(self) -> str:
        from edgekit.features.parsing import declaration

        return declaration("stats", self)
