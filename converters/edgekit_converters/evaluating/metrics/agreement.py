"""How like another model's the answers are, whether right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.evaluating.metrics.answers import Answers, Outputs, best_of, scores_of
from edgekit_converters.evaluating.metrics.measured import Measured, resampled, share
from edgekit_converters.evaluating.metrics.resampling import Weights, affordable, resample

TEN = 10.0


def measure_agreement(answers: Answers, names: Sequence[str]) -> list[Measured]:
    """`agreement`, the share of samples with the same best class, and `sqnr`.

    The other model agrees with itself in all: the change of `agreement` is what is missing to that.

    The SQNR is 10·log10(Σf² / Σ(f-q)²) over all outputs, f the other model's values and q this one's.
    """
    found = []
    if "agreement" in names and answers.classes and answers.against is not None:
        same = best_of(scores_of(answers.outputs)) == best_of(scores_of(answers.against))
        measured = share("agreement", same, np.ones(len(same), bool))
        found.append(replace(measured, metric=replace(measured.metric, p_value=None)))  # nobody expects none lost
    if "sqnr" in names and answers.against is not None:
        found.append(_sqnr(answers.outputs, answers.against))
    return found


def _sqnr(outputs: Outputs, against: Outputs) -> Measured:
    """Resampled, like everything that is no share of samples: sums over samples, weighted."""
    count = len(next(iter(outputs.values())))
    sums = np.zeros((count, 2))
    for name, values in outputs.items():
        reference = against[name].reshape(count, -1).astype(np.float64)
        noise = reference - values.reshape(count, -1)
        sums += np.stack((np.square(reference).sum(axis=1), np.square(noise).sum(axis=1)), axis=1)

    def statistic(weights: Weights) -> NDArray[np.float64]:
        return _decibels(weights.T @ sums)

    value = float(_decibels(sums.sum(axis=0)[None])[0])
    return resampled("sqnr", value, None, resample(count, affordable(2 * count), statistic), None)


def _decibels(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of signal and noise, shape (rows, 2); infinite where there is no noise."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels: NDArray[np.float64] = TEN * np.log10(sums[:, 0] / sums[:, 1])
    return decibels
