"""The page as a sink: it takes results, and shows them to who looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from types import TracebackType

from edgekit.pipeline.stats import Figures
from edgekit.results import Result
from edgekit.serving import streams
from edgekit.serving.access import Access, stored_token, token_path
from edgekit.serving.address import Address, parse_address
from edgekit.serving.history import History, problem
from edgekit.serving.html import PAGE
from edgekit.serving.hub import Hub
from edgekit.serving.metrics import CONTENT_TYPE, prometheus
from edgekit.serving.server import Answer, Closed, Server
from edgekit.sinks.types import CountingSink, Sink
from edgekit.sources.types import Event
from edgekit.telemetry import Telemetry, telemetry_reader

PLAIN = "text/plain; charset=utf-8"
POLL_SECONDS = 0.1
DEVICE = "device"
"""Source of events that are not of a source of samples."""


class Page:
    """Serves what a pipeline does, from two threads of its own and one for each viewer.

    Args:
        address: `PORT` or `HOST:PORT`; without a host only this machine can look. Any other needs the token of
            `url`, which is made at random once and kept in the state folder.
        figures: Gives the pipeline's figures.
        sinks: Other sinks of the pipeline; `/metrics` tells of those that count.

    Attributes:
        url: What to open, with the token where one is needed.
        shown: The same for a log: with the token the first time that there is one, and then with the file that has it.

    Raises:
        UsageError: the address is none, or others may read the token.
        OutputError: the address cannot be listened on, or the token not be kept.
    """

    def __init__(
        self, address: str | Address, figures: Callable[[], Figures], sinks: Sequence[Sink] = ()
    ) -> None:
        where = parse_address(address) if isinstance(address, str) else address
        is_known = token_path().exists()
        access = Access(where, "" if where.is_loopback else stored_token())
        self._figures, self._history = figures, History()
        self._read, self._telemetry = telemetry_reader(), Telemetry()
        self._sinks = [sink for sink in sinks if isinstance(sink, CountingSink)]
        self._hub = Hub([source.uri for source in figures().sources])
        self._server = Server(
            access,
            {
                "/": lambda _query, _gone: Answer("text/html; charset=utf-8", PAGE),
                "/stream.mjpg": self._stream,
                "/frame.jpg": self._frame,
                "/events": self._events,
                "/latest.json": self._latest,
                "/metrics": self._metrics,
                "/healthz": self._health,
            },
        )
        url = where.url(self._server.server_port)
        self.url = f"{url}?token={access.token}" if access.token else url
        self.shown = f"{url} (the token is in {token_path()})" if access.token and is_known else self.url
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=f"edgekit page {name}", daemon=True)
            for target, name in ((self._serve, "server"), (self._sample, "figures"))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def port(self) -> int:
        """The one that is listened on."""
        return self._server.server_port

    def write(self, result: Result) -> None:
        """Show this result from now on. Takes some microseconds, whoever looks."""
        self._hub.put(result)

    def event(self, event: Event) -> None:
        """Show what happened to a source or sink."""
        self._hub.put_event(event)

    def close(self) -> None:
        """Send the viewers away and end."""
        self._stopping.set()
        self._hub.close()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(1.0)

    def __enter__(self) -> Page:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        self._server.serve_forever(POLL_SECONDS)

    def _sample(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            self._look(self._read())
            due = max(due + 1, time.monotonic())

    def _look(self, telemetry: Telemetry) -> None:
        """Keep how the device fares, and tell where it begins to run slower than it could, or ends to."""
        before, self._telemetry = self._telemetry.throttled, telemetry
        self._history.add(self._figures(), telemetry)
        if telemetry.throttled != before:
            kind = "throttled" if telemetry.throttled else "recovered"
            self._hub.put_event(Event(DEVICE, kind, ", ".join(telemetry.throttled), time.monotonic()))

    def _stream(self, query: dict[str, str], gone: Closed) -> Answer:
        source = self._source(query)
        if source is None:
            return _no_source()
        return Answer(streams.PICTURES_TYPE, streams.pictures(self._hub, source, gone))

    def _frame(self, query: dict[str, str], _gone: Closed) -> Answer:
        source = self._source(query)
        if source is None:
            return _no_source()
        _, jpeg = self._hub.picture(source, 0)
        return Answer("image/jpeg", jpeg) if jpeg else Answer(PLAIN, b"no picture yet\n", HTTPStatus.NOT_FOUND)

    def _events(self, _query: dict[str, str], gone: Closed) -> Answer:
        return Answer(streams.EVENTS_TYPE, streams.events(self._hub, self._history, self._figures, gone))

    def _latest(self, _query: dict[str, str], _gone: Closed) -> Answer:
        _, result = self._hub.wait(0, 0.0)
        if result is None:
            return Answer(PLAIN, b"no result yet\n", HTTPStatus.NOT_FOUND)
        return Answer("application/json", result.to_json().encode())

    def _metrics(self, _query: dict[str, str], _gone: Closed) -> Answer:
        return Answer(CONTENT_TYPE, prometheus(self._figures(), self._telemetry, self._sinks).encode())

    def _health(self, _query: dict[str, str], _gone: Closed) -> Answer:
        found = problem(self._figures(), time.monotonic())
        if found:
            return Answer(PLAIN, f"{found}\n".encode(), HTTPStatus.SERVICE_UNAVAILABLE)
        return Answer(PLAIN, b"ok\n")

    def _source(self, query: dict[str, str]) -> int | None:
        text = query.get("source", "0")
        return int(text) if text.isdecimal() and int(text) < len(self._hub.uris) else None


def _no_source() -> Answer:
    return Answer(PLAIN, b"no such source\n", HTTPStatus.NOT_FOUND)
