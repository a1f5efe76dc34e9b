"""ROC AUC and average precision: the values by scikit-learn, and the same of weighted samples for resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.evaluating.metrics.resampling import Weights, affordable, resample

ROC_AUC, AVERAGE_PRECISION = CURVES = ("roc_auc", "average_precision")


@dataclass(frozen=True, slots=True)
class Curves:
    """One metric of several rankings: its value for each, shape (rankings,), and in resamplings (rows, rankings)."""

    values: NDArray[np.float64]
    resampled: NDArray[np.float64] | None


def measure_curves(
    names: Sequence[str], positive: NDArray[np.bool_], scores: NDArray[np.floating[Any]]
) -> dict[str, Curves]:
    """ROC AUC and average precision of several rankings of the same samples, by name.

    Args:
        names: Which of `CURVES`.
        positive: Whether a sample is of the class, shape (samples, rankings); each column has both.
        scores: How much it looks so, of the same shape.
    """
    from sklearn import metrics

    functions = {ROC_AUC: metrics.roc_auc_score, AVERAGE_PRECISION: metrics.average_precision_score}
    columns = range(positive.shape[1])
    rankings = [Ranking(positive[:, at], scores[:, at]) for at in columns]

    def statistic(weights: Weights) -> NDArray[np.float64]:
        return np.stack([ranking.measure(weights) for ranking in rankings], axis=1)

    drawn = resample(len(positive), affordable(positive.size), statistic)
    return {
        name: Curves(
            np.array([functions[name](positive[:, at], scores[:, at]) for at in columns], np.float64),
            None if drawn is None else drawn[..., CURVES.index(name)],
        )
        for name in names
    }


class Ranking:
    """Samples in the order of their scores.

    Args:
        positive: Whether each is of the class, shape (samples,).
        scores: Shape (samples,).
    """

    def __init__(self, positive: NDArray[np.bool_], scores: NDArray[Any]) -> None:
        self._order = np.argsort(scores, kind="stable")
        ordered = scores[self._order]
        self._positive = np.flatnonzero(positive[self._order])
        own = ordered[self._positive]
        # For each positive sample how many of all, and of the positive ones, have a lower score, and a lower or equal.
        self._lower, self._not_higher = np.searchsorted(ordered, own), np.searchsorted(ordered, own, "right")
        self._own_lower, self._own_not_higher = np.searchsorted(own, own), np.searchsorted(own, own, "right")

    def measure(self, weights: Weights) -> NDArray[np.float64]:
        """ROC AUC and average precision in each resampling, shape (resamplings, 2); NaN where a kind is missing.

        The first is the share of pairs of a positive and a negative sample that are ranked right, ties half; the
        second the mean over the positive samples of the precision among those that score as high.
        """
        ordered = weights[self._order]
        own = ordered[self._positive]
        below, own_below = _sums_before(ordered), _sums_before(own)
        total, positive = below[-1], own_below[-1]
        lower = below[self._lower] - own_below[self._own_lower]
        not_higher = below[self._not_higher] - own_below[self._own_not_higher]
        right = (own * (lower + not_higher)).sum(axis=0, dtype=np.float64) / 2
        taken, found = total - below[self._lower], positive - own_below[self._own_lower]
        precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
        precise = (own * precision).sum(axis=0, dtype=np.float64)
        return np.stack((right / (positive.astype(np.float64) * (total - positive)), precise / positive), axis=1)


def _sums_before(weights: Weights) -> Weights:
    """The sum of the weights before each place, and of all: one more than there are weights."""
    sums = np.zeros((len(weights) + 1, weights.shape[1]), np.float32)
    np.cumsum(weights, axis=0, out=sums[1:])
    return sums
