"""What a sink is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from edgekit.results import Result
from edgekit.sources.types import Event

STDOUT = "-"

EventHandler = Callable[[Event], None]


class Sink(Protocol):
    """Takes results one by one; `close` is called once, at the end."""

    def write(self, result: Result) -> None:
        """Take one result, and pass it on before returning, or keep it to be passed on by a thread of its own.

        Raises:
            OutputError: it could not be written.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


@runtime_checkable
class EventSink(Protocol):
    """A sink that also takes what happens to sources and sinks."""

    def event(self, event: Event) -> None:
        """Take one event.

        Raises:
            OutputError: it could not be written.
        """
        ...


@runtime_checkable
class ReportingSink(Protocol):
    """A sink to which things happen too: a broker that goes away and comes back.

    Attributes:
        on_event: Called with each such event, from the sink's own thread; by default events are logged as
            warnings of `edgekit.sinks`.
    """

    on_event: EventHandler


@dataclass(frozen=True, slots=True)
class SinkCounts:
    """What became of the results given to a sink that keeps them for a while.

    Attributes:
        pending: Kept, and not yet where they should go.
        dropped: Lost because there was no room for more.
        refused: Lost because the disk, or the other side, did not take them.
    """

    pending: int
    dropped: int
    refused: int


@runtime_checkable
class CountingSink(Protocol):
    """A sink that says what became of its results."""

    @property
    def shown(self) -> str:
        """Its URI without passwords."""
        ...

    def counts(self) -> SinkCounts:
        """As they are now. May be called from any thread."""
        ...
