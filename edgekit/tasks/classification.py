"""Which class it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.results import Classification, Latency, ScoredClass
from edgekit.tasks.types import Output, describe

BINARY_CLASSES = 2


@dataclass(frozen=True, slots=True)
class ClassificationTask:
    """The best classes of one vector of scores.

    A vector of one number is the probability of class 1; class 0 has what is left of 1.

    Attributes:
        labels: One a class, or none.
        top: How many classes to name.
    """

    labels: tuple[str, ...]
    top: int

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str) -> Classification:
        """A `Classification`, best first; of classes with the same score the lower index comes first."""
        scores = outputs[0].reshape(-1)
        if scores.size == 1:
            scores = np.concatenate((1 - scores, scores))
        classes = tuple(self._scored(int(index), scores) for index in best_indices(scores, self.top))
        return Classification(task="classification", device=device, latency=Latency(), classes=classes)

    def _scored(self, index: int, scores: NDArray[np.float32]) -> ScoredClass:
        return ScoredClass(index, self.labels[index] if self.labels else "", float(scores[index]))


def best_indices(scores: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Indices of the highest scores, best first, ties by index as argmax has it; NaN comes last.

    Args:
        scores: Shape (classes,).
        count: How many; all where there are fewer.
    """
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    count = min(count, ranked.size)
    threshold = np.partition(ranked, ranked.size - count)[ranked.size - count]
    candidates = np.flatnonzero(ranked >= threshold)
    return candidates[np.argsort(-ranked[candidates], kind="stable")[:count]]


def fits_classification(outputs: Sequence[Output]) -> bool:
    """Whether there is one output, and it is one vector."""
    return len(outputs) == 1 and _is_vector(outputs[0].shape)


def _is_vector(shape: tuple[int, ...]) -> bool:
    return len(shape) > 1 and all(size == 1 for size in shape[:-1])


def build_classification(outputs: Sequence[Output], top: int) -> ClassificationTask:
    """A `ClassificationTask` for a model's outputs.

    Raises:
        UsageError: the outputs are no vector of scores.
        DataError: there are labels, but not one for each class.
    """
    if not fits_classification(outputs):
        raise UsageError(
            f"task classification needs one output of shape [1, classes], and there is {describe(outputs)}",
            hint="Use task values for the numbers themselves.",
        )
    output = outputs[0]
    if output.shape[-1] == 1 and output.activation != "LOGISTIC":
        raise UsageError(
            f"task classification needs a sigmoid where there is one output number, and {output.describe()} "
            "ends in none",
            hint="Use task values for the number itself.",
        )
    _check_labels(output)
    return ClassificationTask(output.labels, top)


def _check_labels(output: Output) -> None:
    classes = max(BINARY_CLASSES, output.shape[-1])
    found = len(output.labels)
    if found in (0, classes):
        return
    hint = f"Give a labels file of {classes} lines, one a class."
    if found == classes - 1:
        hint += " A list that is one short often lacks the class for the background, which comes first."
    if output.shape[-1] == 1:
        hint = "A sigmoid has two classes: name the negative one first, then the positive one."
    raise DataError(f"{found} labels for {classes} outputs ({output.describe()})", hint=hint)
