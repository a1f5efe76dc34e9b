"""Power of each channel in bands of frequency."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.features.framing import taper

LOGS = ("ln", "none")


@dataclass(frozen=True, slots=True)
class Bands:
    """Power in bands, shape (channels, bands): of the window without its mean, under a Hann window.

    A sine of amplitude 1 has power 1/2 in the bands that hold its peak.

    Attributes:
        rate: Samples a second.
        edges: Limits of the bands in hertz, joined by `..`: `0..2..5..10` makes three. Empty for four equal ones up to
            half the rate.
        log: `ln` (of values from 1e-12 on) or `none`.
    """

    rate: float = 100.0
    edges: tuple[float, ...] = ()
    log: str = "none"

    def __post_init__(self) -> None:
        one_of("features bands: log", self.log, LOGS)
        if len(self.edges) == 1 or any(low >= high for low, high in pairwise(self.edges)):
            raise UsageError("features bands: edges have to rise, such as 0..2..5..10")

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 of shape (channels, bands)."""
        exact = values.astype(np.float64)
        window = taper("hann", len(exact))
        power = np.square(np.abs(np.fft.rfft((exact - exact.mean(axis=0)) * window[:, None], axis=0)))
        power *= 2 / (len(exact) * np.square(window).sum())
        edges = self.edges or tuple(np.linspace(0, self.rate / 2, 5))
        places = np.searchsorted(np.fft.rfftfreq(len(exact), 1 / self.rate), edges)
        places[-1] += edges[-1] >= self.rate / 2  # half the rate itself belongs to the last band
        sums = np.stack([power[low:high].sum(axis=0) for low, high in pairwise(places)], axis=1)
        return (np.log(np.maximum(sums, 1e-12)) if self.log == "ln" else sums).astype(np.float32)

    def __str__(self) -> str:
        from edgekit.features.parsing import declaration

        return declaration("bands", self)
