"""Precision, recall and F1 by class, from how often each true class is answered as each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.evaluating.metrics.resampling import SEED, affordable

RATES = ("precision", "recall", "f1")
_DRAW_COST = 4
"""A draw from a multinomial distribution takes as long as looking at so many numbers."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Precision, recall and F1 of some classes: each of shape (classes,), resampled (rows, classes)."""

    values: dict[str, NDArray[np.float64]]
    resampled: dict[str, NDArray[np.float64]] | None


def measure_rates(
    targets: NDArray[np.int64], answers: Sequence[NDArray[np.int64]], classes: NDArray[np.int64]
) -> list[Rates]:
    """The rates of each model's answers. Resamplings are the same for all models, so that changes are paired.

    Args:
        targets: True classes, shape (samples,).
        answers: For each model the classes that it answered, shape (samples,).
        classes: Those to measure: all that have samples.
    """
    from sklearn.metrics import precision_recall_fscore_support

    cells, counts = np.unique(np.stack([targets, *answers], axis=1), axis=0, return_counts=True)
    drawn = _draw(counts)
    found = []
    for at, answered in enumerate(answers, 1):
        precision, recall, f1, _ = precision_recall_fscore_support(targets, answered, labels=classes, zero_division=0)
        resampled = None if drawn is None else _rates(drawn, cells[:, 0], cells[:, at], classes)
        found.append(Rates({"precision": precision, "recall": recall, "f1": f1}, resampled))
    return found


def _draw(counts: NDArray[np.intp]) -> NDArray[np.int64] | None:
    """How often each cell occurs in resamplings: as drawing samples would have it, at a fraction of the cost."""
    samples, rows = int(counts.sum()), affordable(_DRAW_COST * len(counts))
    if not rows or samples < 2:
        return None
    return np.random.default_rng(SEED).multinomial(samples, counts / samples, size=rows)


def _rates(
    drawn: NDArray[np.int64], true: NDArray[np.int64], answered: NDArray[np.int64], classes: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """The rates in each resampling; NaN for a class that it has no samples of."""
    hits = _by_class(drawn * (true == answered), true, classes)
    samples, answers = _by_class(drawn, true, classes), _by_class(drawn, answered, classes)
    with np.errstate(divide="ignore", invalid="ignore"):
        absent = np.where(samples > 0, 0.0, np.nan)
        return {
            "precision": np.where(answers > 0, hits / answers, 0.0) + absent,
            "recall": hits / samples,
            "f1": 2 * hits / (samples + answers) + absent,
        }


def _by_class(
    counts: NDArray[np.int64], of_cell: NDArray[np.int64], classes: NDArray[np.int64]
) -> NDArray[np.float64]:
    from scipy import sparse

    places = {int(number): at for at, number in enumerate(classes)}
    known = np.array([cell for cell, number in enumerate(of_cell) if int(number) in places], np.int64)
    columns = np.array([places[int(of_cell[cell])] for cell in known], np.int64)
    shape = (counts.shape[1], len(classes))
    matrix: Any = sparse.csr_matrix((np.ones(len(known)), (known, columns)), shape=shape)
    summed: NDArray[np.float64] = np.asarray((matrix.T @ counts.T).T, np.float64)
    return summed
