"""Vectors that lie near those of similar samples, and the nearest of the labels that were taught on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.results import Classification, Embedding, Latency, ScoredClass
from edgekit.tasks.classification import best_indices
from edgekit.tasks.enrolled import Enrolled
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.types import TOP_CLASSES, Head, Settings, Task, Tensors
from edgekit.tasks.view import View


@dataclass(frozen=True, slots=True)
class EmbeddingTask:
    """The output as one vector."""

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, _view: View) -> Embedding:
        """An `Embedding`."""
        return Embedding(task="embedding", device=device, latency=Latency(), embedding=outputs[0].reshape(-1))


@dataclass(frozen=True, slots=True)
class EnrolledTask:
    """The nearest of the labels that were taught.

    Attributes:
        enrolled: The labels.
        score: The least cosine; a sample that is like none of them has no class.
        top: How many labels to name.
    """

    enrolled: Enrolled
    score: float
    top: int

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, _view: View) -> Classification:
        """A `Classification`, whose scores are cosines."""
        found = self.enrolled.similarities(outputs[0].reshape(-1))
        classes = tuple(
            ScoredClass(int(at), self.enrolled.labels[at], float(found[at]))
            for at in best_indices(found, self.top) if found[at] >= self.score
        )
        return Classification(task="classification", device=device, latency=Latency(), classes=classes)


def _fits(tensors: Tensors) -> bool:
    shape = tensors.outputs[0].shape if len(tensors.outputs) == 1 else ()
    return len(shape) > 1 and max(shape) > 1 and sum(size != 1 for size in shape) == 1


def _build(tensors: Tensors, settings: Settings) -> Task:
    HeadOptions("vector", {}, settings.options)
    enrolled = settings.enrolled
    if enrolled is None:
        if settings.score is not None:
            raise UsageError("a vector has no score", hint="Leave score out, or give labels with --enrolled.")
        return EmbeddingTask()
    size = max(tensors.outputs[0].shape)
    if enrolled.means.shape[1] != size:
        raise DataError(
            f"labels were enrolled with vectors of {enrolled.means.shape[1]} numbers, "
            f"and {tensors.describe()} has {size}",
            hint="Enroll them again with this model.",
        )
    return EnrolledTask(enrolled, settings.score or 0.0, settings.top or TOP_CLASSES)


HEADS = (
    Head(name="vector", expects="one output [1, n], or [1, 1, 1, n]: a vector of two numbers or more",
         fits=_fits, build=_build),
)
