"""How near numbers are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.evaluating.metrics.agreement import measure_agreement
from edgekit_converters.evaluating.metrics.answers import Answers, Outputs
from edgekit_converters.evaluating.metrics.measured import Measured, resampled
from edgekit_converters.evaluating.metrics.resampling import Weights, affordable, resample

ERRORS = ("rmse", "mae", "r2")


def measure_regression(answers: Answers, names: Sequence[str]) -> list[Measured]:
    """RMSE, MAE and R², each the mean over the output's values, as scikit-learn has it; R² needs targets that vary.

    Args:
        answers: With targets of shape (samples, values).
        names: Which metrics.
    """
    predicted = [_first(outputs) for outputs in answers.models]
    found = []
    for name in (name for name in ERRORS if name in names):
        if name == "r2" and not _varies(answers.targets):
            continue
        values = [_value(name, answers.targets, one) for one in predicted]
        drawn = [_drawn(name, answers.targets, one) for one in predicted]
        against = (values[1], drawn[1]) if len(values) > 1 else (None, None)
        found.append(resampled(name, values[0], against[0], drawn[0], against[1]))
    if answers.against is not None:
        found += [one for one in measure_agreement(answers, names) if one.metric.name == "sqnr"]
    return sorted(found, key=lambda one: names.index(one.metric.name))


def _first(outputs: Outputs) -> NDArray[np.float64]:
    first = next(iter(outputs.values()))
    return first.reshape(len(first), -1).astype(np.float64)


def _varies(targets: NDArray[np.float64]) -> bool:
    return len(targets) > 1 and bool((np.ptp(targets, axis=0) > 0).all())


def _value(name: str, targets: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    from sklearn import metrics

    function = {
        "rmse": metrics.root_mean_squared_error, "mae": metrics.mean_absolute_error, "r2": metrics.r2_score,
    }[name]
    return float(function(targets, predicted))


def _drawn(
    name: str, targets: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """The metric in each resampling, from weighted sums over the samples."""
    errors = targets - predicted
    count = len(targets)

    def statistic(drawn: Weights) -> NDArray[np.float64]:
        weights = drawn.T.astype(np.float64)
        by_value: NDArray[np.float64] = weights @ (np.abs(errors) if name == "mae" else np.square(errors)) / count
        if name == "rmse":
            by_value = np.sqrt(by_value)
        if name == "r2":
            middle = targets - targets.mean(axis=0)  # sums of squares of large numbers would lose the variance
            by_value = 1 - by_value / (weights @ np.square(middle) / count - np.square(weights @ middle / count))
        mean: NDArray[np.float64] = by_value.mean(axis=1)
        return mean

    return resample(count, affordable(errors.size), statistic)
