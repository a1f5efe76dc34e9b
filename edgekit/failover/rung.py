"""A device that may run a model, and one that does: what a ladder is made of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edgekit.errors import DeviceError
from edgekit.failover.pace import Pace
from edgekit.failover.watching import Watched

if TYPE_CHECKING:
    from edgekit.device import Runner

PROVEN = 1000
"""Inferences after which a device that was opened again may be so once more."""
MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True)
class Rung:
    """A device that may run the model.

    Attributes:
        name: In the user's words.
        open: Opens it, as `Device.open`.
        accelerates: Whether it is an accelerator, which may hang or be lost; the processor is neither watched nor
            opened again.
    """

    name: str
    open: Callable[[], Mapping[str, Runner]]
    accelerates: bool = True


class _Gone:
    """In the place of a runner that was let go of."""

    threads = 1

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        raise DeviceError("the device was let go of")

    def reset(self) -> None:
        """It remembers nothing."""


@dataclass(slots=True)
class Place:
    """One of a device's runners.

    Attributes:
        name: As results carry it.
        runner: Watched, where it may hang.
        pace: Notices where it slows down; None where nobody wants to know.
        lock: Keeps those apart who were given the same place.
    """

    name: str
    runner: Runner
    pace: Pace | None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, inputs: Sequence[NDArray[Any]]) -> tuple[list[NDArray[Any]], tuple[str, str] | None]:
        """The outputs, and what is to be told of the time that it took."""
        with self.lock:
            started = time.perf_counter()
            outputs = self.runner.run(inputs)
            took = (time.perf_counter() - started) * MILLISECONDS
        return outputs, self.pace.feed(took) if self.pace else None

    def let_go(self) -> None:
        """Free the device, as far as that can be done."""
        close = getattr(self.runner, "close", None)
        self.runner = _Gone()
        if close is not None:
            close()


class Level:
    """A rung that is open.

    Args:
        rung: Which.
        runners: What its `open` gave.
        seconds: Time limit for one inference.
        is_second: Whether it was open before, and failed.

    Attributes:
        places: Its runners.
        runs: How many inferences it has done.
    """

    def __init__(self, rung: Rung, runners: Mapping[str, Runner], seconds: float, *, is_second: bool = False) -> None:
        self.rung, self.is_second, self.runs = rung, is_second, 0
        self.places = tuple(
            Place(name, _watched(name, runner, seconds), Pace()) if rung.accelerates else Place(name, runner, None)
            for name, runner in runners.items()
        )

    def place(self, number: int) -> Place:
        """Where the seat of that number runs its samples."""
        places = self.places
        return places[number % len(places)]

    @property
    def may_reload(self) -> bool:
        """Whether it is to be opened again, should it fail now."""
        return not self.is_second or self.runs >= PROVEN

    def let_go(self) -> None:
        """Free the device, as far as that can be done."""
        for place in self.places:
            place.let_go()


def _watched(name: str, runner: Runner, seconds: float) -> Runner:
    return runner if getattr(runner, "keeps_limit", False) else Watched(name, runner, seconds)
