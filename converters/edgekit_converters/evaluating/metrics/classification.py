"""How well classes are told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.evaluating.metrics.agreement import measure_agreement
from edgekit_converters.evaluating.metrics.answers import Answers, best_of, scores_of
from edgekit_converters.evaluating.metrics.confusion import RATES, measure_rates
from edgekit_converters.evaluating.metrics.measured import ByClass, Measured, OfClass, resampled, share
from edgekit_converters.evaluating.metrics.ranking import CURVES, Curves, measure_curves

TOP = 5
MOST_CURVES = 100
"""Classes up to which curves are drawn for each without being asked for."""
BINARY = 2


def measure_classification(
    answers: Answers, names: Sequence[str], *, all_asked: bool = False
) -> tuple[list[Measured], ByClass]:
    """The metrics of all samples, and those of each class that has samples.

    Precision, recall, F1, ROC AUC and average precision of the whole are means over the classes that have samples; of
    two classes, ROC AUC and average precision are those of class 1.

    Args:
        answers: With class numbers as targets.
        names: Which metrics.
        all_asked: Whether nobody chose the metrics, so that those that take long may be left out.
    """
    classes = np.unique(answers.targets)
    by_class = {int(number): _of_class(int(number), answers) for number in classes}
    measured = _shares(answers, names)
    measured += _rates(answers, [name for name in RATES if name in names], classes, by_class)
    if answers.classes <= MOST_CURVES or not all_asked:
        measured += _curves(answers, [name for name in CURVES if name in names], by_class)
    if answers.against is not None:
        measured += measure_agreement(answers, names)
    return sorted(measured, key=lambda one: names.index(one.metric.name)), by_class


def _of_class(number: int, answers: Answers) -> OfClass:
    """The recall of a class, which is the accuracy on its samples."""
    right = [best_of(scores_of(outputs)) == answers.targets for outputs in answers.models]
    own = answers.targets == number
    others = None if own.all() else share("accuracy", *_pair([one[~own] for one in right]))
    return OfClass(int(own.sum()), [share("recall", *_pair([one[own] for one in right]))], others)


def _shares(answers: Answers, names: Sequence[str]) -> list[Measured]:
    scores = [scores_of(outputs) for outputs in answers.models]
    found = []
    if "accuracy" in names:
        found.append(share("accuracy", *_pair([best_of(one) == answers.targets for one in scores])))
    if "top_5" in names and answers.classes > TOP:
        found.append(share("top_5", *_pair([_among_best(one, answers.targets) for one in scores])))
    return found


def _pair(right: list[NDArray[np.bool_]]) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None]:
    return right[0], right[1] if len(right) > 1 else None


def _among_best(scores: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the true class is among the best five; of equal scores the lower class comes first."""
    own = scores[np.arange(len(scores)), targets][:, None]
    before = np.arange(scores.shape[1]) < targets[:, None]
    rank = (scores > own).sum(axis=1) + ((scores == own) & before).sum(axis=1)
    among: NDArray[np.bool_] = rank < TOP
    return among


def _rates(
    answers: Answers, names: Sequence[str], classes: NDArray[np.int64], by_class: ByClass
) -> list[Measured]:
    if not names:
        return []
    answered = [best_of(scores_of(outputs)) for outputs in answers.models]
    rates = measure_rates(answers.targets, answered, classes)
    found = []
    for name in names:
        values = [one.values[name] for one in rates]
        drawn = [None if one.resampled is None else one.resampled[name] for one in rates]
        for at, number in enumerate(classes) if name != "recall" else ():
            one = _resampled(name, [v[at] for v in values], [_at(d, at) for d in drawn])
            by_class[int(number)].measured.append(one)
        found.append(_resampled(name, [v.mean() for v in values], [_mean(d) for d in drawn]))
    return found


def _at(drawn: NDArray[np.float64] | None, column: int) -> NDArray[np.float64] | None:
    return None if drawn is None else drawn[:, column]


def _mean(drawn: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """Over the classes that a resampling has samples of: there is always one."""
    return _means(drawn)


def _resampled(
    name: str, values: Sequence[float], drawn: Sequence[NDArray[np.float64] | None]
) -> Measured:
    against = (values[1], drawn[1]) if len(values) > 1 else (None, None)
    return resampled(name, values[0], against[0], drawn[0], against[1])


def _curves(answers: Answers, names: Sequence[str], by_class: ByClass) -> list[Measured]:
    """By class against all others; there is none where all samples are of one class."""
    if len(by_class) < BINARY or not names:
        return []
    ranked = [1] if answers.classes == BINARY else list(by_class)
    positive = answers.targets[:, None] == np.array(ranked)
    scores = [scores_of(outputs)[:, ranked] for outputs in answers.models]
    found = []
    of_models = [measure_curves(names, positive, one) for one in scores]
    for name in names:
        curves = [one[name] for one in of_models]
        for at, number in enumerate(ranked) if len(ranked) > 1 else ():
            by_class[number].measured.append(_of_curves(name, [_column(one, at) for one in curves]))
        found.append(_of_curves(name, curves))
    return found


def _column(curves: Curves, at: int) -> Curves:
    drawn = curves.resampled
    return Curves(curves.values[at : at + 1], None if drawn is None else drawn[:, at : at + 1])


def _of_curves(name: str, curves: Sequence[Curves]) -> Measured:
    drawn = [_means(one.resampled) for one in curves]
    return _resampled(name, [float(one.values.mean()) for one in curves], drawn)


def _means(drawn: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """A resampling without samples of a class has no curve of it: the mean is over the others."""
    if drawn is None:
        return None
    known = np.isfinite(drawn)
    sums = np.where(known, drawn, 0).sum(axis=1)
    mean: NDArray[np.float64] = sums / np.maximum(known.sum(axis=1), 1)
    return np.where(known.any(axis=1), mean, np.nan)
