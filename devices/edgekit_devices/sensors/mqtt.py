"""Sensors that publish on an MQTT broker."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from edgekit.errors import DeviceError, MissingDependencyError, UsageError
from edgekit.sources import Event
from edgekit.uris import number_of, parts_of, redacted
from edgekit.windows import Block
from edgekit.windows.text import OPTIONS as TEXT_OPTIONS
from edgekit.windows.text import TextOptions, text_options
from edgekit_devices.sensors.lines import LineReader
from edgekit_devices.sensors.live import STALL_SECONDS, Item, LiveStream

PORT, TLS_PORT = 1883, 8883
KEEP_ALIVE = 15
CONNECT_SECONDS = 5.0
MOST_WAITING = 10000
"""Messages that wait to be read; more are lost and counted."""


def open_topic(uri: str, *, shape: tuple[int, ...] | None = None) -> LiveStream:
    """A topic: `mqtt://user:password@broker:1883/robot/imu?format=json&columns=ax,ay,az`.

    A message holds one or more lines. Options: `format` (`json` by default, or `csv`), `columns`, `time`, `unit`,
    `rate` (samples a second, for messages without times), `qos` (0, 1 or 2), `stall` (seconds). `mqtts:` is over TLS.

    Args:
        uri: As above; the topic may hold the wildcards + and, written %23, #.
        shape: What single rows are brought to.

    Raises:
        UsageError: no broker or topic, or an option that does not exist.
    """
    split = urlsplit(uri)
    topic = unquote(split.path.lstrip("/"))
    _, given = parts_of(uri, frozenset({"rate", "qos", "stall", *TEXT_OPTIONS}))
    if not split.hostname or not topic:
        raise UsageError(f"{redacted(uri)} names no broker or no topic", hint="Write mqtt://BROKER/TOPIC.")
    if given.get("qos", "0") not in ("0", "1", "2"):
        raise UsageError(f"{redacted(uri)}: qos has to be 0, 1 or 2, not {given['qos']}")
    rate, secure = number_of(uri, given, "rate", 0.0) or None, split.scheme == "mqtts"
    link = MqttLink(
        redacted(uri), split.hostname, split.port or (TLS_PORT if secure else PORT), unquote(split.username or ""),
        unquote(split.password or ""), topic, int(given.get("qos", "0")), text_options({"format": "json", **given}),
        rate, secure,
    )
    return LiveStream(uri, link, rate=rate, stall=number_of(uri, given, "stall", STALL_SECONDS), shape=shape)


@dataclass(frozen=True)
class MqttLink:
    """Which broker and topic, and how messages are read."""

    source: str
    host: str
    port: int
    user: str
    password: str
    topic: str
    qos: int
    text: TextOptions
    rate: float | None
    secure: bool

    def open(self) -> MqttSession:
        """Connect, and subscribe.

        Raises:
            DeviceError: the broker does not answer, or refuses.
            MissingDependencyError: paho-mqtt is not installed.
        """
        try:
            from paho.mqtt import client as paho
        except ImportError:
            raise MissingDependencyError(
                "MQTT needs paho-mqtt", hint="Install it: pip install 'edgekit-sdk[mqtt]'"
            ) from None
        return MqttSession(self, paho)


class MqttSession:
    """A connection to a broker, which paho's thread keeps up; what happens to it comes as events."""

    def __init__(self, link: MqttLink, paho: Any) -> None:
        self._link, self._lost, self._down = link, 0, False
        self._waiting: queue.Queue[tuple[bytes, float] | Event | str] = queue.Queue(MOST_WAITING)
        self._reader = LineReader(link.source, link.text, link.rate)
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 30)
        if link.secure:
            self._client.tls_set()
        if link.user:
            self._client.username_pw_set(link.user, link.password)
        self._client.on_connect, self._client.on_message = self._connected, self._take
        self._client.on_disconnect = self._disconnected
        self._client.connect_timeout = CONNECT_SECONDS
        try:
            self._client.connect(link.host, link.port, KEEP_ALIVE)
        except OSError as error:
            raise DeviceError(f"{link.source}: the broker does not answer: {error.strerror or error}") from error
        self._client.loop_start()
        self._await_answer()

    def _await_answer(self) -> None:
        try:
            first = self._waiting.get(timeout=CONNECT_SECONDS)
        except queue.Empty:
            first = "the broker does not answer"
        if isinstance(first, str):
            self.close()
            raise DeviceError(f"{self._link.source}: {first}")

    def _connected(self, client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._put(f"the broker refuses: {code}")
            return
        client.subscribe(self._link.topic, self._link.qos)
        back, self._down = self._down, False
        self._put(Event(self._link.source, "recovered" if back else "connected", "the broker is back" if back else ""))

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure and not self._down:
            self._down = True
            self._put(Event(self._link.source, "lost", f"the connection to the broker broke: {code}"))

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
            return (Event(self._link.source, "retrying", item),)
        payload, arrived = item
        found = self._reader.lines(payload.decode("utf-8", "replace").splitlines(), arrived)
        return [replace(entry, lost=self._lost) if isinstance(entry, Block) else entry for entry in found]

    def close(self) -> None:
        """Leave the broker."""
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()
