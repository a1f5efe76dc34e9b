"""Sensors that publish on an MQTT broker."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekit.errors import DeviceError, UsageError
from edgekit.mqtt import Broker, new_client, parse_broker
from edgekit.sources import Event
from edgekit.uris import number_of
from edgekit.windows import Block
from edgekit.windows.text import OPTIONS as TEXT_OPTIONS
from edgekit.windows.text import TextOptions, text_options
from edgekit_devices.sensors.lines import LineReader
from edgekit_devices.sensors.live import STALL_SECONDS, Item, LiveStream

KEEP_ALIVE = 15
CONNECT_SECONDS = 5.0
MOST_WAITING = 10000
"""Messages that wait to be read; more are lost and counted."""


def open_topic(uri: str, *, shape: tuple[int, ...] | None = None) -> LiveStream:
    """A topic: `mqtt://user:password@broker:1883/robot/imu?format=json&columns=ax,ay,az`.

    A message holds one or more lines. Options: `format` (`json` by default, or `csv`), `columns`, `time`, `unit`,
    `rate` (samples a second, for messages without times), `qos` (0, 1 or 2), `stall` (seconds), and those of
    `edgekit.mqtt.parse_broker`. `mqtts:` is over TLS.

    Args:
        uri: As above; the topic may hold the wildcards + and, written %23, #.
        shape: What single rows are brought to.

    Raises:
        MissingFileError: the file of certificates is not there.
        UsageError: no broker or topic, or an option that does not exist.
    """
    broker = parse_broker(uri, frozenset({"rate", "qos", "stall", *TEXT_OPTIONS}))
    given = dict(broker.options)
    if given.get("qos", "0") not in ("0", "1", "2"):
        raise UsageError(f"{broker.shown}: qos has to be 0, 1 or 2, not {given['qos']}")
    rate = number_of(uri, given, "rate", 0.0) or None
    link = MqttLink(broker, int(given.get("qos", "0")), text_options({"format": "json", **given}), rate)
    return LiveStream(uri, link, rate=rate, stall=number_of(uri, given, "stall", STALL_SECONDS), shape=shape)


@dataclass(frozen=True)
class MqttLink:
    """Which broker and topic, and how messages are read."""

    broker: Broker
    qos: int
    text: TextOptions
    rate: float | None

    def open(self) -> MqttSession:
        """Connect, and subscribe.

        Raises:
            DeviceError: the broker does not answer, or refuses.
            MissingDependencyError: paho-mqtt is not installed.
            UsageError: the file of certificates is none.
        """
        return MqttSession(self)


class MqttSession:
    """A connection to a broker, which paho's thread keeps up; what happens to it comes as events."""

    def __init__(self, link: MqttLink) -> None:
        broker = link.broker
        self._link, self._source, self._lost, self._down = link, broker.shown, 0, False
        self._waiting: queue.Queue[tuple[bytes, float] | Event | str] = queue.Queue(MOST_WAITING)
        self._reader = LineReader(broker.shown, link.text, link.rate)
        self._client: Any = new_client(broker)
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect, self._client.on_message = self._connected, self._take
        self._client.on_disconnect = self._disconnected
        self._client.connect_timeout = CONNECT_SECONDS
        try:
            self._client.connect(broker.host, broker.port, KEEP_ALIVE)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DeviceError(
                f"{broker.shown}: the broker does not answer: {reason}",
                hint=f"See whether it runs, and listens on port {broker.port}.",
            ) from error
        self._client.loop_start()
        self._await_answer()

    def _await_answer(self) -> None:
        try:
            first = self._waiting.get(timeout=CONNECT_SECONDS)
        except queue.Empty:
            first = "the broker does not answer"
        if isinstance(first, str):
            self.close()
            raise DeviceError(f"{self._source}: {first}")

    def _connected(self, client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._put(f"the broker refuses: {code}")
            return
        client.subscribe(self._link.broker.topic, self._link.qos)
        back, self._down = self._down, False
        self._put(Event(self._source, "recovered" if back else "connected", "the broker is back" if back else ""))

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure and not self._down:
            self._down = True
            self._put(Event(self._source, "lost", f"the connection to the broker broke: {code}"))

    def _take(self, _client: Any, _data: Any, message: Any) -> None:
        self._put((bytes(message.payload), time.monotonic()))

    def _put(self, item: tuple[bytes, float] | Event | str) -> None:
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            self._lost += 1

    def read(self, seconds: float) -> Sequence[Item]:
        """Blocks and problems of the messages that came, and events."""
        try:
            item = self._waiting.get(timeout=seconds)
        except queue.Empty:
            return ()
        if isinstance(item, Event):
            return (item,)
        if isinstance(item, str):  # refused after it was taken before: the password changed, say
            return (Event(self._source, "retrying", item),)
        payload, arrived = item
        found = self._reader.lines(payload.decode("utf-8", "replace").splitlines(), arrived)
        return [replace(entry, lost=self._lost) if isinstance(entry, Block) else entry for entry in found]

    def close(self) -> None:
        """Leave the broker."""
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()
