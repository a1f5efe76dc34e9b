"""The figures of an evaluation: values as scikit-learn has them, intervals that hold what they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit_converters.evaluating.flags import judge
from edgekit_converters.evaluating.metrics.answers import Answers
from edgekit_converters.evaluating.metrics.intervals import Discordance, difference, mcnemar, paired_change, wilson
from edgekit_converters.evaluating.metrics.measured import Measured, share
from edgekit_converters.evaluating.metrics.names import OF_TASK
from edgekit_converters.evaluating.metrics.ranking import Ranking
from edgekit_converters.evaluating.metrics.resampling import affordable, draws
from edgekit_converters.evaluating.scoring import measure

metrics = pytest.importorskip("sklearn.metrics", reason="needs the evaluate extra: pip install 'edgekit-sdk[evaluate]'")
stats = pytest.importorskip("scipy.stats")


def answers(seed: int, samples: int, classes: int, *, noise: float | None = None) -> Answers:
    """Random targets, scores that mostly fit them, rounded so that there are ties, and those of a second model."""
    random = np.random.default_rng(seed)
    targets = random.integers(classes, size=samples)
    scores = random.random((samples, classes))
    scores[np.arange(samples), targets] += 0.4
    scores = np.round(scores, 1)
    other: dict[str, NDArray[np.float32]] | None = None
    if noise is not None:
        other = {"scores": (scores + random.normal(scale=noise, size=scores.shape)).astype(np.float32)}
    return Answers(targets, {"scores": scores.astype(np.float32)}, other, classes)


def figures(task: Any, given: Answers) -> dict[str, Measured]:
    return {one.metric.name: one for one in measure(task, given, OF_TASK[task])[0]}


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilson_s_interval_is_scipy_s(successes: int, more: int) -> None:
    count = successes + more
    expected = stats.binomtest(successes, count).proportion_ci(method="wilson")
    found = wilson(successes, count)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_s_test_is_the_binomial_one(lost: int, won: int) -> None:
    expected = stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert mcnemar(Discordance(lost, won, 1000)) == pytest.approx(expected)


def test_many_discordant_samples_are_tested_as_few_are() -> None:
    assert mcnemar(Discordance(560, 460, 5000)) == pytest.approx(stats.binomtest(460, 1020).pvalue, rel=0.05)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 500))
def test_the_interval_of_a_change_holds_the_change_and_narrows_with_samples(lost: int, won: int, rest: int) -> None:
    few, many = (paired_change(Discordance(lost * k, won * k, (lost + won + rest) * k)) for k in (1, 20))
    for found in (few, many):
        assert found.low is not None and found.high is not None
        assert found.low <= found.value + 0.06 and found.value - 0.06 <= found.high
    assert (many.high or 0) - (many.low or 0) < (few.high or 0) - (few.low or 0)


def test_the_interval_of_a_change_covers_the_truth_in_95_of_100_cases() -> None:
    random = np.random.default_rng(4)
    drawn = random.multinomial(200, [0.06, 0.03, 0.91], size=2000)
    held = 0
    for lost, won, _ in drawn.tolist():
        found = paired_change(Discordance(lost, won, 200))
        held += (found.low or 0) <= -0.03 <= (found.high or 0)
    assert held / len(drawn) == pytest.approx(0.95, abs=0.015)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(12, 60), st.integers(2, 4))
def test_classification_s_values_are_scikit_learn_s(seed: int, samples: int, classes: int) -> None:
    given = answers(seed, samples, classes)
    given.targets[:classes] = range(classes)
    found, scores = figures("classification", given), given.outputs["scores"]
    best = scores.argmax(axis=1)
    assert found["accuracy"].metric.model.value == pytest.approx(metrics.accuracy_score(given.targets, best))
    for name, function in (("precision", metrics.precision_score), ("recall", metrics.recall_score),
                           ("f1", metrics.f1_score)):
        expected = function(given.targets, best, average="macro", zero_division=0)
        assert found[name].metric.model.value == pytest.approx(expected)
    if classes > 2:
        expected = metrics.roc_auc_score(np.eye(classes)[given.targets], scores, average="macro")
    else:
        expected = metrics.roc_auc_score(given.targets, scores[:, 1])
    assert found["roc_auc"].metric.model.value == pytest.approx(expected)


def test_top_5_counts_the_true_class_among_the_best_five() -> None:
    given = answers(3, 200, 12)
    scores = given.outputs["scores"] + np.linspace(0, 1e-3, 12, dtype=np.float32)  # no ties: they are ranked otherwise
    found = figures("classification", Answers(given.targets, {"scores": scores}, None, 12))["top_5"]
    expected = metrics.top_k_accuracy_score(given.targets, scores, k=5)
    assert found.metric.model.value == pytest.approx(expected)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(4, 50))
def test_resampled_curves_are_scikit_learn_s_of_weighted_samples(seed: int, samples: int) -> None:
    random = np.random.default_rng(seed)
    positive, scores = random.random(samples) < 0.4, np.round(random.random(samples), 1)
    weights: NDArray[np.float32] = random.integers(0, 4, size=(samples, 3)).astype(np.float32)
    positive[:2], weights[:2] = (True, False), 1
    found = Ranking(positive, scores).measure(weights)
    for row, weight in zip(found, weights.T, strict=True):
        assert row[0] == pytest.approx(metrics.roc_auc_score(positive, scores, sample_weight=weight), rel=1e-5)
        expected = metrics.average_precision_score(positive, scores, sample_weight=weight)
        assert row[1] == pytest.approx(expected, rel=1e-5)


def test_resampled_rates_spread_as_drawing_the_samples_anew_would_have_it() -> None:
    given = answers(5, 300, 3)
    best = given.outputs["scores"].argmax(axis=1)
    drawn = []
    for weights in draws(300, 300):
        drawn += [metrics.f1_score(given.targets, best, average="macro", sample_weight=one) for one in weights.T]
    found = figures("classification", given)["f1"].metric.model
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.01)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.integers(20, 60), st.integers(1, 3))
def test_regression_s_values_are_scikit_learn_s(seed: int, samples: int, values: int) -> None:
    random = np.random.default_rng(seed)
    targets = random.normal(50, 3, size=(samples, values))
    predicted = (targets + random.normal(size=targets.shape)).astype(np.float32)
    found = figures("regression", Answers(targets, {"y": predicted}))
    for name, function in (("rmse", metrics.root_mean_squared_error), ("mae", metrics.mean_absolute_error),
                           ("r2", metrics.r2_score)):
        figure = found[name].metric.model
        assert figure.value == pytest.approx(function(targets, predicted), rel=1e-6)
        assert figure.low is not None and figure.high is not None
        assert figure.low <= figure.value <= figure.high


def test_a_change_that_both_models_share_has_a_narrow_interval() -> None:
    """Errors of the two go together, sample by sample: resampling them together knows it."""
    random = np.random.default_rng(6)
    targets = random.normal(size=(200, 1))
    error = random.normal(size=(200, 1))
    found = figures("regression", Answers(
        targets, {"y": (targets + 1.1 * error).astype(np.float32)}, {"y": (targets + error).astype(np.float32)},
    ))["rmse"].metric
    change = found.change
    assert change is not None and change.low is not None and change.high is not None
    assert change.value == pytest.approx(0.1 * (found.against.value if found.against else 0), rel=0.01)
    assert change.high - change.low < 0.05 < (found.model.high or 0) - (found.model.low or 0)


def test_agreement_and_sqnr_compare_the_outputs() -> None:
    given = answers(7, 500, 4, noise=0.1)
    found = figures("agreement", given)
    assert given.against is not None
    signal, noise = given.against["scores"], given.outputs["scores"] - given.against["scores"]
    expected = 10 * np.log10((signal.astype(float) ** 2).sum() / (noise.astype(float) ** 2).sum())
    assert found["sqnr"].metric.model.value == pytest.approx(expected, abs=1e-4)
    assert found["agreement"].metric.loss > 0


def test_equal_models_have_no_noise_at_all() -> None:
    given = answers(8, 50, 3, noise=0.0)
    sqnr = figures("agreement", given)["sqnr"].metric
    assert sqnr.model.value == float("inf")
    assert sqnr.to_dict()["model"]["value"] is None


def test_the_same_draws_every_time_and_none_where_they_take_too_long() -> None:
    assert all(np.array_equal(a, b) for a, b in zip(draws(30, 50), draws(30, 50), strict=True))
    assert affordable(1000) == 1000
    assert affordable(10**8) == 0


def losing(lost: int, won: int, count: int) -> Measured:
    """Accuracy of samples on which the two models differ so often."""
    right, against = np.ones(count, bool), np.ones(count, bool)
    right[:lost], against[lost : lost + won] = False, False
    return share("accuracy", right, against)


def test_a_part_is_flagged_where_it_surely_loses_more_than_the_rest() -> None:
    assert judge(losing(12, 0, 100), losing(9, 6, 900), 100)[0]
    assert not judge(losing(2, 1, 100), losing(9, 6, 900), 100)[0]
    assert not judge(losing(0, 12, 100), losing(9, 6, 900), 100)[0]


def test_a_model_that_loses_everywhere_flags_nothing() -> None:
    assert judge(losing(20, 0, 100), losing(180, 0, 900), 100) == (False, "")


def test_small_parts_say_that_they_are() -> None:
    assert judge(losing(0, 0, 5), losing(9, 6, 900), 5) == (False, "only 5 samples: too few to tell")
    flagged, note = judge(losing(20, 0, 20), losing(9, 6, 900), 20)
    assert flagged and note.endswith("on 20 samples only")


def test_the_difference_of_two_changes_is_surer_with_more_samples() -> None:
    few, many = (difference(Discordance(5 * k, 0, 50 * k), Discordance(0, 0, 500 * k)) for k in (1, 10))
    assert few.value == many.value == pytest.approx(-0.1)
    assert (many.high or 0) < (few.high or 0)
