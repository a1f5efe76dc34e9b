"""The sink itself: results into the spool, and a thread that brings the spool to the broker."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections import deque
from contextlib import suppress

from edgekit.errors import OutputError
from edgekit.mqtt import Broker
from edgekit.results import Result, to_json
from edgekit.sinks.lines import event_json
from edgekit.sinks.mqtt.discovery import discovery
from edgekit.sinks.mqtt.link import CONNECT_SECONDS, Link, LinkLostError
from edgekit.sinks.reporting import log_event
from edgekit.sinks.types import EventHandler, SinkCounts
from edgekit.sources.live import Backoff
from edgekit.sources.types import Event
from edgekit.spool import Entry, Spool

WINDOW = 20
"""Messages on their way at a time."""
MOST_PAUSE = 10.0
"""Longest wait before another try to connect, in seconds."""
KEPT_EVENTS = 100
SYNC_SECONDS = 1.0
"""While messages wait, the disk has them after so long."""
FLUSH_SECONDS = 1.0
"""Longest wait at the end for what is on its way; the rest stays in the spool."""
ONLINE, OFFLINE = "online", "offline"


class MqttSink:
    """Publishes results with quality of service 1, in order; none is lost while the spool has room.

    A result is in the spool when `write` returns, and leaves it when the broker has acknowledged it. Each message is
    the result's JSON with a `message_id`; one that may have been delivered before has `"duplicate": true` too.
    `TOPIC/status` says `online`, and `offline` when the sink is closed or the connection breaks (last will); both are
    retained.

    Args:
        broker: Where to.
        spool: Where results wait; it is closed with the sink.
        discovery: `homeassistant`, or empty for none.
        backoff: How long to wait before connecting again.
        on_event: Called from the sink's thread with what happens to the connection.
    """

    def __init__(
        self,
        broker: Broker,
        spool: Spool,
        *,
        discovery: str = "",
        backoff: Backoff | None = None,
        on_event: EventHandler = log_event,
    ) -> None:
        self.on_event = on_event
        self._broker, self._spool, self._discovers = broker, spool, bool(discovery)
        self._backoff = backoff or Backoff(most=MOST_PAUSE)
        self._status = f"{broker.topic}/status"
        self._run_id, self._count, self._refused = secrets.token_hex(4), 0, 0
        self._entities: list[tuple[str, str]] = []
        self._events: deque[str] = deque(maxlen=KEPT_EVENTS)
        self._on_the_way: dict[int, int] = {}
        self._synced = 0.0
        self._connected = False
        self._wake, self._wakes = socket.socketpair()
        self._wakes.setblocking(False)
        self._closing = threading.Event()
        self._give_up = 0.0
        self._thread = threading.Thread(target=self._run, name=f"edgekit sink {broker.shown}", daemon=True)
        self._thread.start()

    @property
    def shown(self) -> str:
        """The URI without what is secret."""
        return self._broker.shown

    def counts(self) -> SinkCounts:
        """What the broker has not acknowledged; what the spool dropped over its life; what no disk took."""
        return SinkCounts(self._spool.pending, self._spool.dropped, self._refused)

    def write(self, result: Result) -> None:
        """Put one result into the spool. A disk that is full costs the result, which is counted and told of."""
        self._count += 1
        if self._discovers and not self._entities:
            self._entities = discovery(result, self._broker.topic, self._status)
        content = {**result.to_dict(), "message_id": f"{self._run_id}-{self._count}"}
        try:
            self._spool.append(to_json(content, separators=(",", ":")).encode())
        except OutputError as error:
            if self._refused == 0:
                self._tell("refused", error.message)
            self._refused += 1
        self._wake_up()

    def close(self) -> None:
        """Wait a moment for what is on its way; what is left then stays in the spool for the next run."""
        self._give_up = time.monotonic() + FLUSH_SECONDS
        self._closing.set()
        self._wake_up()
        self._thread.join(FLUSH_SECONDS + 0.25)

    def _wake_up(self) -> None:
        with suppress(BlockingIOError, OSError):  # it is awake, or has ended
            self._wakes.send(b".")

    def _tell(self, kind: str, detail: str = "") -> None:
        self.on_event(Event(self._broker.shown, kind, detail))

    def _run(self) -> None:
        failures, told = 0, ""
        try:
            while True:
                self._connected = False
                try:
                    return self._serve_connection(recovering=failures > 0)
                except (LinkLostError, OSError) as error:  # the disk of the spool may fail too
                    reason = str(error)
                self._spool.rewind()
                self._on_the_way.clear()
                if self._closing.is_set():
                    return None
                failures = 1 if self._connected else failures + 1
                if reason != told or self._connected:  # not each try of an outage that lasts for days
                    self._tell("lost" if self._connected else "retrying", reason)
                    told = reason
                self._pause(self._backoff.pause(failures))
        finally:
            self._end()

    def _serve_connection(self, *, recovering: bool) -> None:
        """Bring the spool to the broker until the sink is closed.

        Raises:
            LinkLostError: there is no connection, or no longer.
        """
        link = Link(self._broker, self._wake, (self._status, OFFLINE), self._acknowledge)
        try:
            self._await_connection(link)
            self._connected = True
            self._tell("recovered" if recovering else "connected")
            link.publish(self._status, ONLINE, retain=True)
            told = 0
            while not self._is_over():
                for topic, entity in self._entities[told:]:
                    link.publish(topic, entity, retain=True)
                told = len(self._entities)
                while self._events:
                    link.publish(f"{self._broker.topic}/events", self._events.popleft())
                self._send(link)
                link.wait(self._patience())
                self._sync()
            link.publish(self._status, OFFLINE, retain=True)
            link.close()
        finally:
            link.drop()

    def _await_connection(self, link: Link) -> None:
        late = time.monotonic() + CONNECT_SECONDS
        while not link.connected:
            if time.monotonic() > late or (self._closing.is_set() and time.monotonic() > self._give_up):
                raise LinkLostError(f"the broker does not answer within {CONNECT_SECONDS:g} s")
            link.wait(0.25)

    def _send(self, link: Link) -> None:
        while len(self._on_the_way) < WINDOW and (entry := self._spool.take()):
            self._on_the_way[link.publish(self._broker.topic, _payload(entry))] = entry.number

    def _acknowledge(self, message: int) -> None:
        number = self._on_the_way.pop(message, None)
        if number is not None:  # else it was a status or a discovery
            self._spool.acknowledge(number)

    def _is_over(self) -> bool:
        return self._closing.is_set() and (self._spool.pending == 0 or time.monotonic() > self._give_up)

    def _patience(self) -> float:
        return 0.1 if self._closing.is_set() else SYNC_SECONDS

    def _sync(self) -> None:
        """Put what waits on the disk, once in a while; what is acknowledged at once never gets there by us."""
        now = time.monotonic()
        if self._spool.pending and now - self._synced >= SYNC_SECONDS:
            self._synced = now
            with suppress(OutputError):  # the next append says it
                self._spool.sync()

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._closing.wait(min(left, SYNC_SECONDS)):
            self._sync()

    def _end(self) -> None:
        left = self._spool.pending
        self._sync()
        self._spool.close()
        self._wake.close()
        self._wakes.close()
        if left:
            what = "1 result is" if left == 1 else f"{left} results are"
            self._tell("kept", f"{what} kept in {self._spool.folder} for the next run")


class MqttEventSink(MqttSink):
    """Results, and events of sources, sinks and devices: each of these is published to `TOPIC/events`.

    They are not in the spool: while the broker is away the newest hundred are kept.
    """

    def event(self, event: Event) -> None:
        """Have one event published."""
        self._events.append(event_json(event))
        self._wake_up()


def _payload(entry: Entry) -> bytes:
    return entry.message[:-1] + b',"duplicate":true}' if entry.duplicate else entry.message
