"""What a task is given, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.results import Result
from edgekit.tasks.view import View

if TYPE_CHECKING:
    from edgekit.tasks.enrolled import Enrolled

TOP_CLASSES, TOP_OBJECTS = 5, 100
"""How many classes and objects a result names where nobody says."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a model, as tasks see it.

    Attributes:
        name: Its name, for messages and results.
        shape: With the batch dimension, such as (1, 1001).
        activation: `SOFTMAX` or `LOGISTIC` where that ends it, else None.
        labels: Class names, index by index; empty where there are none.
        operator: The operation that computes it, such as `CONV_2D` or `TFLite_Detection_PostProcess`, seen through
            quantizing and reshaping; empty where that is not known.
        place: Which of that operation's outputs it is, from 0.
    """

    name: str
    shape: tuple[int, ...]
    activation: str | None = None
    labels: tuple[str, ...] = ()
    operator: str = ""
    place: int = 0

    def describe(self) -> str:
        """Name and shape, for messages."""
        return f"{self.name} {list(self.shape)}"


@dataclass(frozen=True, slots=True)
class Tensors:
    """What is known of a model before it runs, by which heads are chosen and checked.

    Attributes:
        outputs: In the order of the graph's.
        width: Columns of the picture that the network takes; 0 where it takes none.
        height: Its rows.
    """

    outputs: tuple[Output, ...]
    width: int = 0
    height: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, whichever output has them."""
        return next((output.labels for output in self.outputs if output.labels), ())

    def describe(self) -> str:
        """All outputs, for messages."""
        return describe(self.outputs)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user says of a task.

    Attributes:
        top: How many classes or objects to name; None for 5 classes, or 100 objects.
        score: The least score that counts, from 0 to 1; None for the head's own, mostly 0.5.
        iou: Boxes of a class that overlap by more are the same object; from 0 to 1.
        options: The head's own options, by name, as text or as values.
        enrolled: Labels that were taught on the device, for the task embedding.
    """

    top: int | None = None
    score: float | None = None
    iou: float = 0.5
    options: Mapping[str, object] = field(default_factory=dict)
    enrolled: Enrolled | None = None


class Task(Protocol):
    """Turns the real-valued output tensors of one sample into a result."""

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, view: View, /) -> Result:
        """Interpret the outputs.

        Args:
            outputs: float32, in the order of the graph's outputs, each of its `Output`'s shape.
            device: Name for the result.
            view: Where the network's picture lies in the frame that it was made of.
        """
        ...


def _never(_tensors: Tensors) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Head:
    """A form in which networks give the answers of a task.

    Attributes:
        name: Such as `yolov8`; no two heads of any task share one.
        expects: The tensors it needs, in words, for messages and docs.
        fits: Whether tensors may be of this form, by their number and shapes.
        build: Makes the task ready. Raises UsageError or DataError where options or labels do not fit.
        certain: Whether tensors leave no doubt that they are of this form; names, shapes and operations are looked at.
        options: Names and meanings of its options.
    """

    name: str
    expects: str
    fits: Callable[[Tensors], bool]
    build: Callable[[Tensors, Settings], Task]
    certain: Callable[[Tensors], bool] = _never
    options: Mapping[str, str] = field(default_factory=dict)


def describe(outputs: Sequence[Output]) -> str:
    """All outputs, for messages."""
    return ", ".join(output.describe() for output in outputs) or "none"
