"""Sinks of a run without end: a disk that is full for a while costs results, and not the run."""

from __future__ import annotations

from edgekit.errors import OutputError
from edgekit.results import Result
from edgekit.sinks.reporting import log_event
from edgekit.sinks.types import CountingSink, EventHandler, EventSink, Sink, SinkCounts
from edgekit.sources.types import Event
from edgekit.uris import redacted


class TolerantSink:
    """Passes results on; one that cannot be written is counted, and the first of several told of.

    Args:
        sink: The one that writes.
        uri: What the user wrote.
    """

    def __init__(self, sink: Sink, uri: str) -> None:
        self.on_event: EventHandler = log_event
        self.shown = redacted(uri)
        self._sink = sink
        self._lost = self._lost_before = 0

    def write(self, result: Result) -> None:
        """Pass on one result, or count it."""
        try:
            self._sink.write(result)
        except OutputError as error:
            if self._lost == self._lost_before:
                self.on_event(Event(self.shown, "refused", error.message))
            self._lost += 1
            return
        if self._lost > self._lost_before:
            missing = self._lost - self._lost_before
            self._lost_before = self._lost
            what = "1 result is" if missing == 1 else f"{missing} results are"
            self.on_event(Event(self.shown, "recovered", f"{what} missing"))

    def counts(self) -> SinkCounts:
        """How many could not be written."""
        return SinkCounts(pending=0, dropped=0, refused=self._lost)

    def close(self) -> None:
        """Close the sink that writes."""
        self._sink.close()


class TolerantEventSink(TolerantSink):
    """The same for a sink that takes events."""

    def event(self, event: Event) -> None:
        """Pass on one event; one that cannot be written is shown elsewhere anyway."""
        assert isinstance(self._sink, EventSink)
        try:
            self._sink.event(event)
        except OutputError:
            return


def tolerant(sink: Sink, uri: str) -> Sink:
    """The sink for a run without end; as it is where it keeps what it cannot pass on."""
    if isinstance(sink, CountingSink):
        return sink
    return TolerantEventSink(sink, uri) if isinstance(sink, EventSink) else TolerantSink(sink, uri)
