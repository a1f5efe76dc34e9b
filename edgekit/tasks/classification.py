"""Which class it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.results import Classification, Latency, ScoredClass
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.types import TOP_CLASSES, Head, Output, Settings, Tensors
from edgekit.tasks.view import View

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

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, _view: View) -> Classification:
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


def _fits(tensors: Tensors) -> bool:
    """Whether there is one output, and it is one vector."""
    return len(tensors.outputs) == 1 and _is_vector(tensors.outputs[0].shape)


def _is_vector(shape: tuple[int, ...]) -> bool:
    return len(shape) > 1 and all(size == 1 for size in shape[:-1])


def _certain(tensors: Tensors) -> bool:
    if not _fits(tensors):
        return False
    output = tensors.outputs[0]
    if output.shape[-1] == 1:
        return output.activation == "LOGISTIC"
    # Many sigmoids alone say nothing: an autoencoder ends in them too.
    return output.activation == "SOFTMAX" or bool(output.labels)


def _build(tensors: Tensors, settings: Settings) -> ClassificationTask:
    """A `ClassificationTask`.

    Raises:
        UsageError: one number that is no sigmoid.
        DataError: there are labels, but not one for each class.
    """
    HeadOptions("scores", {}, settings.options)
    output = tensors.outputs[0]
    if output.shape[-1] == 1 and output.activation != "LOGISTIC":
        raise UsageError(
            f"task classification needs a sigmoid where there is one output number, and {output.describe()} "
            "ends in none",
            hint="Use task values for the number itself.",
        )
    if settings.score is not None:
        raise UsageError("task classification names its best classes, of any score", hint="Leave score out; use top.")
    check_labels(output)
    return ClassificationTask(output.labels, settings.top or TOP_CLASSES)


def check_labels(output: Output) -> None:
    """See that an output has labels for all classes, or none.

    Raises:
        DataError: it has not.
    """
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


HEADS = (
    Head(name="scores", expects="one output of shape [1, classes]", fits=_fits, certain=_certain, build=_build),
)
