"""A metric with what is needed to hold its change against that of other samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.evaluating.metrics.intervals import Discordance, mcnemar, paired_change, wilson
from edgekit_converters.evaluating.metrics.names import METRICS
from edgekit_converters.evaluating.results import CONFIDENCE, Figure, Metric

TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of some samples.

    Attributes:
        metric: The figures.
        discordance: For a share of samples: on which of them the two models differ.
        changes: For other metrics: the change in each resampling of the samples, shape (resamplings,).
    """

    metric: Metric
    discordance: Discordance | None = None
    changes: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class OfClass:
    """The metrics of one class.

    Attributes:
        samples: How many samples it has; of a detection, objects.
        measured: Its metrics, the main one first.
        others: The main metric of all other classes; None where there are none.
    """

    samples: int
    measured: list[Measured]
    others: Measured | None


ByClass = Mapping[int, OfClass]


def share(name: str, right: NDArray[np.bool_], right_against: NDArray[np.bool_] | None) -> Measured:
    """A share of samples, such as accuracy.

    Args:
        name: Of the metric.
        right: For each sample whether the model is right.
        right_against: Alike, for the other model.
    """
    count = len(right)
    if right_against is None:
        return Measured(_metric(name, wilson(int(right.sum()), count)))
    found = Discordance(int((right_against & ~right).sum()), int((right & ~right_against).sum()), count)
    metric = _metric(
        name, wilson(int(right.sum()), count), wilson(int(right_against.sum()), count), paired_change(found),
        mcnemar(found),
    )
    return Measured(metric, found)


def resampled(
    name: str, value: float, against: float | None, values: NDArray[np.float64] | None,
    values_against: NDArray[np.float64] | None,
) -> Measured:
    """A metric whose interval comes from resampling the samples (percentile bootstrap).

    Args:
        name: Of the metric.
        value: Of the model; `against` of the other.
        values: In each resampling, of the model; None where it was not resampled. `values_against` alike, in the same
            resamplings, so that the change is paired.
    """
    if against is None:
        return Measured(_metric(name, percentiles(value, values)))
    changes = None if values is None or values_against is None else values - values_against
    metric = _metric(
        name, percentiles(value, values), percentiles(against, values_against), percentiles(value - against, changes)
    )
    return Measured(metric, changes=changes)


def percentiles(value: float, values: NDArray[np.float64] | None) -> Figure:
    """A value with the interval that holds 95 % of the resamplings; those without a value do not count."""
    known = None if values is None else values[np.isfinite(values)]
    if known is None or not len(known):
        return Figure(float(value))
    low, high = np.quantile(known, TAILS)
    return Figure(float(value), float(low), float(high))


def _metric(
    name: str, model: Figure, against: Figure | None = None, change: Figure | None = None, p_value: float | None = None
) -> Metric:
    about = METRICS[name]
    return Metric(name, about.unit, about.higher_is_better, model, against, change, p_value)
