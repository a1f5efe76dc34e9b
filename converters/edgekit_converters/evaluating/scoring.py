"""From answers to figures: of all samples, of each class, of each group."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, MissingDependencyError, UsageError
from edgekit_converters.evaluating.dataset import Dataset, Task
from edgekit_converters.evaluating.flags import judge
from edgekit_converters.evaluating.metrics.agreement import measure_agreement
from edgekit_converters.evaluating.metrics.anomaly import measure_anomaly
from edgekit_converters.evaluating.metrics.answers import Answers, Outputs, best_of, scores_of
from edgekit_converters.evaluating.metrics.classification import measure_classification
from edgekit_converters.evaluating.metrics.detection import measure_detection
from edgekit_converters.evaluating.metrics.measured import ByClass, Measured
from edgekit_converters.evaluating.metrics.names import check_metrics
from edgekit_converters.evaluating.metrics.regression import measure_regression
from edgekit_converters.evaluating.results import Evaluation, Grouping, Part
from edgekit_converters.evaluating.running.answers import Predictions
from edgekit_converters.evaluating.subject import CLASSIFICATION, Subject

NAMED = 5
MOST_CONFUSED = 100
"""Classes up to which the confusion matrix is given."""


def score(
    predictions: Predictions, dataset: Dataset, subject: Subject, *, against: Predictions | None = None,
    against_name: str = "", metrics: Sequence[str] = (),
) -> Evaluation:
    """Score a model's answers, and what has changed against another model's.

    Args:
        predictions: Of `predict`, for this dataset.
        dataset: What is right, and the groups.
        subject: The model: its name and labels.
        against: The other model's answers to the same dataset.
        against_name: What the other model is called.
        metrics: Names of those to compute, the main one first; by default all of the task.

    Raises:
        UsageError: a metric does not fit, or there are neither labels nor another model.
        DataError: the models' outputs are not alike, or an answer is NaN.
        MissingDependencyError: scikit-learn is not installed.
    """
    require_sklearn()
    names = check_possible(dataset, metrics, subject, compared=against is not None)
    chosen, answers = _common(predictions, against, dataset, subject)
    measured, by_class = measure(dataset.task, answers, names, all_asked=not metrics)
    if not measured:
        raise DataError(
            f"{dataset.name} does not allow for {', '.join(names)}",
            hint="ROC AUC and average precision need samples of both kinds; agreement and SQNR another model.",
        )
    return Evaluation(
        model=subject.name, against=against_name or ("the other model" if against else ""), data=dataset.name,
        task=dataset.task, samples=len(answers), metrics=tuple(one.metric for one in measured),
        classes=_classes(by_class, subject.labels), labels=_labels(dataset.task, subject),
        confusion=_confusion(dataset.task, answers, answers.outputs),
        confusion_against=_confusion(dataset.task, answers, answers.against),
        groupings=tuple(
            Grouping(by, _groups(dataset.task, answers, of_sample[chosen], names))
            for by, of_sample in dataset.groups.items()
        ),
        skipped=_skipped(predictions, against), warnings=(*dataset.warnings, *_warnings(dataset, answers, subject)),
        device=predictions.device, seconds=predictions.seconds, seconds_against=against.seconds if against else 0.0,
    )


def check_possible(dataset: Dataset, metrics: Sequence[str], subject: Subject, *, compared: bool) -> tuple[str, ...]:
    """The metrics to compute, where the data allows for them: found out before the models run.

    Args:
        dataset: The data.
        metrics: What the user wants.
        subject: The model.
        compared: Whether there is another model.

    Raises:
        UsageError: a metric does not fit, or there are neither labels nor another model.
        DataError: there are more or fewer labels than classes.
    """
    if dataset.task == "agreement" and not compared:
        raise UsageError(
            f"{dataset.name} has no labels, so that there is nothing to hold {subject.name} against",
            hint="Give another model with --against, such as the float model; or labels: a folder for each class, y "
            "in the .npz, --target-column for a table or another array.",
        )
    labels = len(subject.labels)
    if dataset.task == CLASSIFICATION and labels not in (0, subject.classes):
        raise DataError(f"{labels} labels for the {subject.classes} classes of {subject.name}")
    return check_metrics(metrics, dataset.task)


def require_sklearn() -> None:
    """See that metrics can be computed here.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    if find_spec("sklearn") is None:
        raise MissingDependencyError(
            "metrics need scikit-learn, not installed here", hint="Install it with pip install 'edgekit-sdk[evaluate]'."
        )


def measure(
    task: Task, answers: Answers, names: Sequence[str], *, all_asked: bool = False
) -> tuple[list[Measured], ByClass]:
    """The metrics of some samples, and where there are classes those of each; what they do not allow for is left out.

    Args:
        task: Whose metrics they are.
        answers: The samples.
        names: Of the metrics, the main one first.
        all_asked: Whether nobody chose the metrics.
    """
    if task == "classification":
        return measure_classification(answers, names, all_asked=all_asked)
    if task == "regression":
        return measure_regression(answers, names), {}
    if task == "anomaly":
        return measure_anomaly(answers, names), {}
    if task == "detection":
        return measure_detection(answers, names)
    return measure_agreement(answers, names), {}


def _common(
    predictions: Predictions, against: Predictions | None, dataset: Dataset, subject: Subject
) -> tuple[NDArray[np.intp], Answers]:
    """The samples that all models have answered, and the answers."""
    chosen = predictions.answered if against is None else np.intersect1d(predictions.answered, against.answered)
    if not len(chosen):
        raise DataError(f"no sample of {dataset.name} was answered by both models")
    outputs = predictions.at(chosen)
    others = None if against is None else aligned(against.at(chosen), outputs)
    if dataset.task != "detection":  # where NaN stands for objects that there are not
        _refuse_nan(outputs, subject.name)
        _refuse_nan(others or {}, "the other model")
    targets = dataset.targets
    if targets is not None:
        targets = targets[chosen] if isinstance(targets, np.ndarray) else [targets[at] for at in chosen]
    classes = subject.classes if CLASSIFICATION in (dataset.task, subject.task) else 0
    return chosen, Answers(targets, outputs, others, classes)


def _refuse_nan(outputs: Outputs, name: str) -> None:
    for key, values in outputs.items():
        broken = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if broken.any():
            raise DataError(
                f"{name} answers {int(broken.sum())} of {len(values)} samples with NaN or infinity (output '{key}')",
                hint="Look for such weights in the model, or for samples unlike any that it was trained on.",
            )


def aligned(outputs: Outputs, like: Outputs) -> dict[str, NDArray[np.float32]]:
    """Outputs of one model by the names of another's: by name, or where the names differ by place.

    Raises:
        DataError: the two do not give the same.
    """
    names = list(like) if set(like) == set(outputs) else list(outputs)
    if [outputs[name].size for name in names] != [values.size for values in like.values()]:
        raise DataError(
            f"the two models do not give the same: {', '.join(like)}, and {', '.join(outputs)}, of other sizes",
            hint="Evaluate a model against the one that it was made from.",
        )
    return {name: outputs[own].reshape(values.shape) for (name, values), own in zip(like.items(), names, strict=True)}


def _classes(by_class: ByClass, labels: Sequence[str]) -> tuple[Part, ...]:
    parts = []
    for number, found in by_class.items():
        flagged, note = judge(found.measured[0], found.others, found.samples)
        name = labels[number] if number < len(labels) and labels[number] else str(number)
        metrics = tuple(one.metric for one in found.measured)
        parts.append(Part(name, number, found.samples, metrics, flagged, note))
    return tuple(parts)


def _groups(
    task: Task, answers: Answers, of_sample: NDArray[np.str_], names: Sequence[str]
) -> tuple[Part, ...]:
    parts = []
    for name in np.unique(of_sample):
        inside = of_sample == name
        count = int(inside.sum())
        measured = measure(task, answers.where(inside), names, all_asked=True)[0]
        if not measured:
            parts.append(Part(str(name), None, count, (), False, "its samples do not allow for the metrics"))
            continue
        main = measured[0].metric.name
        others = [] if inside.all() else measure(task, answers.where(~inside), (main,))[0]
        flagged, note = judge(measured[0], others[0] if others else None, count)
        parts.append(Part(str(name), None, count, tuple(one.metric for one in measured), flagged, note))
    return tuple(parts)


def _labels(task: Task, subject: Subject) -> tuple[str, ...]:
    if task != "classification":
        return subject.labels if task == "detection" else ()
    return subject.labels or tuple(str(number) for number in range(subject.classes))


def _confusion(task: Task, answers: Answers, outputs: Outputs | None) -> tuple[tuple[int, ...], ...]:
    if task != "classification" or outputs is None or answers.classes > MOST_CONFUSED:
        return ()
    from sklearn.metrics import confusion_matrix

    matrix = confusion_matrix(answers.targets, best_of(scores_of(outputs)), labels=range(answers.classes))
    return tuple(tuple(int(count) for count in row) for row in matrix)


def _skipped(predictions: Predictions, against: Predictions | None) -> tuple[str, ...]:
    failed = {**(against.failed if against else {}), **predictions.failed}
    return tuple(failed[number] for number in sorted(failed))


def _warnings(dataset: Dataset, answers: Answers, subject: Subject) -> list[str]:
    if dataset.task != "classification":
        return []
    present = set(np.unique(answers.targets).tolist())
    absent = [number for number in range(subject.classes) if number not in present]
    if not absent:
        return []
    named = [subject.labels[n] if n < len(subject.labels) and subject.labels[n] else str(n) for n in absent[:NAMED]]
    more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
    return [f"no samples of {len(absent)} of the model's {subject.classes} classes: {', '.join(named)}{more}"]
