"""Hands a task what it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.inputs import Input
from edgekit.results import Result
from edgekit.tasks.types import Task
from edgekit.tasks.view import view_of


def check_alone(task: Task, name: str, chips: int) -> None:
    """See that a task that remembers earlier samples gets them all, in their order.

    Raises:
        UsageError: several chips would share them.
    """
    if chips > 1 and getattr(task, "remembers", False):
        raise UsageError(
            f"task {name} remembers earlier samples, and {chips} chips would share them", hint="Choose one device."
        )


def interpret(
    task: Task, outputs: Sequence[NDArray[np.float32]], device: str, inputs: Sequence[Input], data: Any
) -> Result:
    """What a task makes of the outputs.

    Args:
        task: The task. One that has `needs_data` set gets the first input's numbers in the place of the view.
        outputs: Real numbers, in the order of the model's outputs.
        device: For the result.
        inputs: The model's.
        data: The sample as it was given.
    """
    if getattr(task, "needs_data", False):
        first: Any = data[inputs[0].name] if isinstance(data, Mapping) else data
        return task(outputs, device, first)
    return task(outputs, device, view_of(inputs, data))
