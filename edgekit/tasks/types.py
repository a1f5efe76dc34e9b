"""What a task is given, and what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.results import Result


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a model, as tasks see it.

    Attributes:
        name: Its name, for messages and results.
        shape: With the batch dimension, such as (1, 1001).
        activation: `SOFTMAX` or `LOGISTIC` where that ends it, else None.
        labels: Class names, index by index; empty where there are none.
    """

    name: str
    shape: tuple[int, ...]
    activation: str | None = None
    labels: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name and shape, for messages."""
        return f"{self.name} {list(self.shape)}"


class Task(Protocol):
    """Turns the real-valued output tensors of one sample into a result."""

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str) -> Result:
        """Interpret the outputs.

        Args:
            outputs: float32, in the order of the graph's outputs, each of its `Output`'s shape.
            device: Name for the result.
        """
        ...


def describe(outputs: Sequence[Output]) -> str:
    """All outputs, for messages."""
    return ", ".join(output.describe() for output in outputs)
