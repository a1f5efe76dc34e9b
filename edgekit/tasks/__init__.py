"""What to make of a model's outputs: which task it is, and the code that does it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.tasks.classification import build_classification, fits_classification
from edgekit.tasks.types import Output, Task
from edgekit.tasks.values import build_values

__all__ = ["TASKS", "Output", "Task", "build_task", "choose_task"]

TASKS: Mapping[str, Callable[[Sequence[Output], int], Task]] = MappingProxyType(
    {"classification": build_classification, "values": build_values}
)
"""Tasks by name; each is built from the outputs and the number of classes to name."""


def choose_task(
    outputs: Sequence[Output], *, wanted: str | None, from_file: str | None, labelled: bool
) -> str:
    """Name the task of a model.

    Args:
        outputs: The model's outputs.
        wanted: What the user asked for.
        from_file: What the model file says.
        labelled: Whether the user gave labels, which only a classification has.

    Returns:
        What was asked for, else what the file says (a task that is not in `TASKS` gives `values` and a
        warning), else `classification` where labels are given, or where one vector of scores ends in a
        softmax, is one sigmoid, or has labels; else `values`.

    Raises:
        UsageError: the task asked for is not in `TASKS`, or has no use for labels.
    """
    if wanted is not None:
        one_of("task", wanted, tuple(TASKS))
    if wanted == "values" and labelled:
        raise UsageError(
            "labels were given, and task values has no use for them", hint="Leave one of the two."
        )
    if wanted is not None:
        return wanted
    if labelled:
        return "classification"
    if from_file is not None and from_file not in TASKS:
        warnings.warn(
            f"the model's task is {from_file}, which this version cannot do: giving the output values",
            stacklevel=3,
        )
        return "values"
    return from_file or _guess(outputs)


def _guess(outputs: Sequence[Output]) -> str:
    if not fits_classification(outputs):
        return "values"
    output = outputs[0]
    if output.shape[-1] == 1:
        return "classification" if output.activation == "LOGISTIC" else "values"
    # Many sigmoids alone say nothing: an autoencoder ends in them too.
    return "classification" if output.activation == "SOFTMAX" or output.labels else "values"


def build_task(name: str, outputs: Sequence[Output], *, top: int) -> Task:
    """Make the task of that name ready.

    Args:
        name: One of `TASKS`.
        outputs: The model's outputs.
        top: How many classes a classification names.

    Raises:
        UsageError: the task does not fit the outputs.
        DataError: the labels do not.
    """
    return TASKS[name](outputs, top)
