"""What is scored: for some samples what is right, and what the models answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outputs = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to the same samples.

    Attributes:
        targets: As `Dataset.targets` has them; None without labels.
        outputs: The model's, by name, along the samples.
        against: The other model's, by the same names; None without one.
        classes: How many classes there are; 0 where there are none.
    """

    targets: Any
    outputs: Outputs
    against: Outputs | None = None
    classes: int = 0

    def __len__(self) -> int:
        return len(next(iter(self.outputs.values())))

    def where(self, chosen: NDArray[np.bool_]) -> Answers:
        """Only these samples."""
        targets = self.targets
        if isinstance(targets, np.ndarray):
            targets = targets[chosen]
        elif targets is not None:
            targets = [target for target, keep in zip(targets, chosen, strict=True) if keep]
        return Answers(
            targets, _chosen(self.outputs, chosen), None if self.against is None else _chosen(self.against, chosen),
            self.classes,
        )

    @property
    def models(self) -> tuple[Outputs, ...]:
        """The outputs of the model, and of the other where there is one."""
        return (self.outputs,) if self.against is None else (self.outputs, self.against)


def _chosen(outputs: Outputs, chosen: NDArray[np.bool_]) -> dict[str, NDArray[np.float32]]:
    return {name: values[chosen] for name, values in outputs.items()}


def scores_of(outputs: Outputs) -> NDArray[np.float32]:
    """The scores of the classes, shape (samples, classes); a single probability is that of class 1."""
    first = next(iter(outputs.values()))
    scores = first.reshape(len(first), -1)
    return np.concatenate((1 - scores, scores), axis=1) if scores.shape[1] == 1 else scores


def best_of(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """The best class of each sample; of equal ones the first."""
    best: NDArray[np.int64] = scores.argmax(axis=1).astype(np.int64)
    return best
