"""How well anomalies stand out by their score."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit_converters.evaluating.metrics.answers import Answers
from edgekit_converters.evaluating.metrics.measured import Measured, resampled
from edgekit_converters.evaluating.metrics.ranking import CURVES, measure_curves
from edgekit_converters.evaluating.running.anomalies import SCORE


def measure_anomaly(answers: Answers, names: Sequence[str]) -> list[Measured]:
    """ROC AUC and average precision of the score; none where all samples are normal, or all anomalous.

    Args:
        answers: With targets 0 and 1, and `SCORE` as output.
        names: Which metrics.
    """
    positive = (answers.targets == 1)[:, None]
    if positive.all() or not positive.any():
        return []
    found = []
    of_models = [measure_curves(CURVES, positive, outputs[SCORE].reshape(-1, 1)) for outputs in answers.models]
    for name in (name for name in CURVES if name in names):
        curves = [one[name] for one in of_models]
        drawn = [None if one.resampled is None else one.resampled[:, 0] for one in curves]
        against = (float(curves[1].values[0]), drawn[1]) if len(curves) > 1 else (None, None)
        found.append(resampled(name, float(curves[0].values[0]), against[0], drawn[0], against[1]))
    return found
