"""What is right for each sample, from what the data says, held against what the model can answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit_converters.evaluating.dataset import Task
from edgekit_converters.evaluating.reading.tables import is_number, listed
from edgekit_converters.evaluating.subject import Subject

NORMAL = frozenset({"normal", "good", "ok", "0", "negative", "false"})
"""What the samples without an anomaly are called; every other text is an anomaly."""


def choose_task(wanted: Task | None, subject: Subject, labels: NDArray[Any]) -> Task:
    """What the labels are for: as asked, else what the model says that it does, else what fits its output.

    Args:
        wanted: What the user asked for.
        subject: The model.
        labels: Of shape (samples, ...), numbers or texts.
    """
    if wanted:
        return wanted
    if subject.task in ("classification", "anomaly"):
        return "anomaly" if subject.task == "anomaly" else "classification"
    if labels.dtype.kind in "US":
        return "classification"
    whole = labels.dtype.kind in "bui" or not np.any(labels % 1)
    if whole and subject.rebuilds and not set(np.unique(labels)) - {0, 1}:
        return "anomaly"
    scores = len(subject.outputs) == 1 and subject.values > 1
    return "classification" if whole and scores and labels.size == len(labels) else "regression"


def targets_of(task: Task, labels: NDArray[Any], subject: Subject, where: str) -> NDArray[Any] | None:
    """The labels as `Dataset.targets` has them.

    Args:
        task: What they are for.
        labels: Of shape (samples, ...), numbers or texts.
        subject: The model.
        where: Place for messages, such as `y of data.npz`.

    Raises:
        DataError: a label that is no number, that the model has no class for, or of another shape than its output.
        UsageError: the task does not fit such labels.
    """
    if labels.dtype.kind not in "buifUS":
        raise DataError(f"{where} holds {labels.dtype}, where labels are wanted")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        sample = int(np.argwhere(~np.isfinite(labels))[0][0])
        raise DataError(f"{where} holds NaN or infinity, first for sample {sample}", hint="Clean the data first.")
    if task == "classification":
        return class_numbers(labels, subject, where)
    if task == "anomaly":
        return _anomalies(labels, where)
    if task == "regression":
        return _values(labels, subject, where)
    if task == "detection":
        raise UsageError(
            f"task detection needs boxes, and {where} has none", hint="Give annotations in COCO's JSON format."
        )
    return None


def class_numbers(labels: NDArray[Any], subject: Subject, where: str) -> NDArray[np.int64]:
    """Numbers of classes, int64 of shape (samples,), from numbers, names or one-hot rows.

    Raises:
        DataError: the model has no such class.
        UsageError: they are no classes.
    """
    labels = _one_column(labels, subject, where)
    if labels.dtype.kind in "US":
        return _by_name(labels, subject, where)
    if np.any(labels % 1):
        raise UsageError(
            f"{where} holds {labels[labels % 1 != 0][0]:g}, which is no class: accuracy and the like do not fit it",
            hint="Choose --task regression where the model gives such values.",
        )
    wrong = (labels < 0) | (labels >= subject.classes)
    if wrong.any():
        found = listed([f"{label:g}" for label in np.unique(labels[wrong])])
        raise DataError(
            f"{where} holds the labels {found}, and {subject.name} has {subject.classes} classes, 0 to "
            f"{subject.classes - 1}; first for sample {int(np.argmax(wrong))}",
            hint="Classes count from 0, in the order of the model's outputs.",
        )
    return labels.astype(np.int64)


def _one_column(labels: NDArray[Any], subject: Subject, where: str) -> NDArray[Any]:
    if labels.size == len(labels):
        return labels.reshape(-1)
    if labels.ndim == 2 and labels.dtype.kind in "buif" and labels.shape[1] == subject.classes:
        if ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all():
            return np.asarray(labels.argmax(axis=1))
        raise UsageError(f"{where} gives several classes to a sample, or none, and one each is wanted")
    raise DataError(
        f"{where} has the shape {labels.shape}, and a classification needs one label for each sample: "
        f"({len(labels)},), or ({len(labels)}, {subject.classes}) one-hot"
    )


def _by_name(labels: NDArray[Any], subject: Subject, where: str) -> NDArray[np.int64]:
    names, places = np.unique(labels.astype(str), return_inverse=True)
    numbers = numbers_of(list(names), subject, where)
    return np.array(numbers, np.int64)[places]


def numbers_of(names: Sequence[str], subject: Subject, where: str) -> list[int]:
    """Class numbers of names; of a model without labels, or where none is a label, the names may be the numbers.

    Raises:
        DataError: the model has no such classes; the message lists them.
    """
    known = {_plain(label): number for number, label in enumerate(subject.labels) if label}
    missing = [name for name in names if _plain(name) not in known]
    if not missing:
        return [known[_plain(name)] for name in names]
    if len(missing) == len(names) and all(name.isdecimal() and int(name) < subject.classes for name in names):
        return [int(name) for name in names]
    if not known:
        raise DataError(
            f"{where} names classes ({listed(missing)}), and {subject.name} carries no labels",
            hint="Give the model's class names: --labels FILE, one a line.",
        )
    raise DataError(
        f"{where} has classes that {subject.name} has not: {listed(missing)}",
        hint=f"The model knows {listed([label for label in subject.labels if label])}. Name the classes so, or give "
        "its names anew with --labels FILE.",
    )


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())


def _anomalies(labels: NDArray[Any], where: str) -> NDArray[np.int64]:
    if labels.size != len(labels):
        raise DataError(f"{where} has the shape {labels.shape}, and one label for each sample is wanted")
    labels = labels.reshape(-1)
    if labels.dtype.kind in "US":
        if not all(is_number(text) for text in np.unique(labels)):
            return np.array([text.casefold() not in NORMAL for text in labels], np.int64)
        labels = labels.astype(np.float64)
    if set(np.unique(labels)) - {0, 1}:
        found = listed([f"{label:g}" for label in np.unique(labels)])
        raise DataError(f"{where} holds the labels {found}, and an anomaly is 0 (normal) or 1 (anomalous)")
    return labels.astype(np.int64)


def _values(labels: NDArray[Any], subject: Subject, where: str) -> NDArray[np.float64]:
    if labels.dtype.kind in "US":
        wrong = next((text for text in labels.reshape(-1) if not is_number(text)), None)
        if wrong is not None:
            raise UsageError(
                f"{where} holds '{wrong}', which is no number: RMSE and the like do not fit it",
                hint="Choose --task classification where these are names of classes.",
            )
    values = labels.astype(np.float64).reshape(len(labels), -1)
    if values.shape[1] != subject.values:
        raise DataError(
            f"{where} has {values.shape[1]} values for each sample, and {subject.name} gives {subject.values}",
            hint="A regression needs as many target values as the model has output numbers.",
        )
    return values
