"""Which values each tensor takes, counted over samples, so that ranges can be chosen otherwise than by the extremes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekit_converters.accuracy.correcting import Means
from edgekit_converters.accuracy.running import Network
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.lowering.quantizing import Range
from edgekit_converters.samples.calibration import Feed

BINS = 4096
MOST_VALUES = 1_000_000
"""Values of a tensor that are counted, over all samples; of larger ones a random part (the extremes always count)."""
LEAST_A_SAMPLE = 1024


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often a tensor took which values.

    Attributes:
        counts: Values in each of `BINS` equal steps from `lowest` to `highest`, int64.
        lowest: Where the first step begins.
        highest: Where the last one ends.
        lows: The smallest value of each sample, float64; `low` is the smallest of all.
        highs: The largest of each, alike.
    """

    counts: NDArray[np.int64]
    lowest: float
    highest: float
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]

    @property
    def low(self) -> float:
        """The smallest value of all, which may lie above `lowest`."""
        return float(self.lows.min())

    @property
    def high(self) -> float:
        """The largest value of all."""
        return float(self.highs.max())

    @property
    def edges(self) -> NDArray[np.float64]:
        """Where the steps begin and end: one more than there are steps."""
        return np.linspace(self.lowest, self.highest, len(self.counts) + 1)

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each step."""
        edges = self.edges
        middles: NDArray[np.float64] = (edges[:-1] + edges[1:]) / 2
        return middles

    def clipped(self, found: Range) -> float:
        """Share of the values that lie outside of a range, 0 to 1."""
        centres = self.centres
        outside = (centres < found[0]) | (centres > found[1])
        return float(self.counts[outside].sum() / max(1, self.counts.sum()))


def measured_ranges(measured: bytes) -> dict[str, Range]:
    """The smallest and largest value of each tensor of one range, by its name, from a measured model."""
    graph = schema.Model.GetRootAs(measured, 0).Subgraphs(0)
    found = {}
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        quantization = tensor.Quantization()
        if quantization is not None and quantization.MinLength() == 1:
            found[tensor.Name().decode()] = (float(quantization.Min(0)), float(quantization.Max(0)))
    return found


@dataclass(frozen=True, slots=True)
class Observed:
    """What the tensors of a float model hold over some samples.

    Attributes:
        histograms: By name of the tensor.
        means: By name, the mean over the samples, in the tensor's shape.
        samples: How many there were.
    """

    histograms: Mapping[str, Histogram]
    means: Means
    samples: int = 0

    def __add__(self, other: Observed) -> Observed:
        """What they hold over both lots of samples."""
        count = self.samples + other.samples
        parts = self.samples / count, other.samples / count
        histograms = {name: merged(found, other.histograms[name]) for name, found in self.histograms.items()}
        means = {name: mean * parts[0] + other.means[name] * parts[1] for name, mean in self.means.items()}
        return Observed(histograms, means, count)


class Observer:
    """Looks at what the tensors of a measured model hold.

    Args:
        measured: The model, with the extremes of each tensor.
        names: The tensors whose values are counted.
        averaged: Those whose mean is taken.
        samples: How many samples will come.
    """

    def __init__(self, measured: bytes, names: Collection[str], averaged: Collection[str], samples: int) -> None:
        self._network = Network(measured, inside=True)
        self._ranges = measured_ranges(measured)
        places = {tensor.name: tensor.index for tensor in self._network.file.main.tensors}
        self._places = {name: index for name, index in places.items() if name in names}
        self._averaged = {name: index for name, index in places.items() if name in averaged}
        self._most = max(LEAST_A_SAMPLE, MOST_VALUES // max(1, samples))
        self._random = np.random.default_rng(0)

    def observe(self, samples: Sequence[Feed], report: OnProgress) -> Observed:
        """Run the samples and look. A second call begins anew."""
        counts = {name: np.zeros(BINS, np.int64) for name in self._places}
        extremes = {name: np.zeros((len(samples), 2)) for name in self._places}
        means: dict[str, NDArray[np.float64]] = {name: np.zeros(1) for name in self._averaged}
        for at, sample in enumerate(samples):
            report(Progress("looking at the values", at + 1, len(samples)))
            self._network.run(sample)
            for name, index in self._places.items():
                values = self._network.tensor(index).reshape(-1)
                extremes[name][at] = values.min(), values.max()
                counts[name] += count_values(self._some(values), self._ranges[name])
            for name, index in self._averaged.items():
                means[name] = means[name] + self._network.tensor(index) / len(samples)
        found = {name: Histogram(counts[name], *self._ranges[name], *extremes[name].T) for name in self._places}
        return Observed(found, means, len(samples))

    def _some(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if values.size <= self._most:
            return values
        return values[self._random.integers(values.size, size=self._most)]


def count_values(values: NDArray[np.float32], bounds: Range) -> NDArray[np.int64]:
    """How many values lie in each of `BINS` equal steps between two bounds; those beyond count at the ends."""
    low, high = bounds
    if not low < high:
        return np.zeros(BINS, np.int64)
    steps = (values.astype(np.float64) - low) * (BINS / (high - low))
    return np.bincount(np.clip(steps, 0, BINS - 1).astype(np.intp), minlength=BINS)


def merged(first: Histogram, second: Histogram) -> Histogram:
    """Both together; they have the same steps."""
    lows, highs = np.concatenate((first.lows, second.lows)), np.concatenate((first.highs, second.highs))
    return Histogram(first.counts + second.counts, first.lowest, first.highest, lows, highs)
