"""What a step after the model is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from edgekit.errors import UsageError
from edgekit.results import DetectedObject, Detection, Pose, Result

State = TypeVar("State")
MOST_SOURCES = 64
"""Sources that a step remembers."""


class Step(Protocol):
    """Takes results one by one, and gives each on, changed or not, or keeps it.

    A step remembers what it needs of earlier results, of each source on its own. One step serves one pipeline.
    """

    def __call__(self, result: Result, /) -> Result | None:
        """The result to go on with; None where it is not to be passed on."""
        ...


class BySource(Generic[State]):
    """What a step remembers, for each source on its own.

    Args:
        make: Makes the memory of a source that is new.
    """

    def __init__(self, make: Callable[[], State]) -> None:
        self._make = make
        self._states: OrderedDict[tuple[str, str], State] = OrderedDict()

    def of(self, result: Result) -> State:
        """The memory of the result's source, for each of the models that run on it side by side.

        In a folder of pictures each is a source: the oldest are forgotten.
        """
        key = result.source, result.model
        state = self._states.pop(key, None)
        self._states[key] = state = self._make() if state is None else state
        if len(self._states) > MOST_SOURCES:
            self._states.popitem(last=False)
        return state


class Chain:
    """Steps one after another, themselves a step.

    Args:
        steps: In the order in which results go through them.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)

    def __call__(self, result: Result, /) -> Result | None:
        """What the last step gives; None as soon as one keeps the result."""
        for step in self.steps:
            after = step(result)
            if after is None:
                return None
            result = after
        return result


def moment(result: Result) -> float:
    """When the sample was, in seconds: a recording's own time, else the time of its capture on the monotonic clock."""
    return result.captured if result.position is None else result.position


def objects_of(result: Result, step: str) -> tuple[Detection | Pose, tuple[DetectedObject, ...]]:
    """The objects of a result, and the result as what has objects.

    Raises:
        UsageError: it is of a task that finds none.
    """
    if isinstance(result, Detection) or (isinstance(result, Pose) and result.objects is not None):
        return result, result.objects or ()
    raise UsageError(
        f"{step} needs objects with boxes, and task {result.task} gives none here",
        hint="Use it with task detection, or with a pose model that finds several bodies.",
    )
