"""One connection to a broker, served by the thread that opened it."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from typing import Any

from edgekit.mqtt import Broker, import_paho, new_client

CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 20
AT_LEAST_ONCE = 1


class LinkLostError(Exception):
    """There is no connection to the broker, or no longer."""


class Link:
    """A connection. Nothing is sent again by itself: what was not acknowledged when it ends is the owner's.

    Args:
        broker: Where to.
        wake: Readable when there is something to do beside the connection; `wait` returns then.
        will: Topic and payload that the broker publishes when the connection ends without a word, retained.
        acknowledged: Called with what `publish` returned, when the broker has a message.

    Raises:
        LinkLostError: the broker is out of reach.
    """

    def __init__(
        self, broker: Broker, wake: socket.socket, will: tuple[str, str], acknowledged: Callable[[int], None]
    ) -> None:
        self._paho = import_paho()
        self._client = new_client(broker)
        self._client.connect_timeout = CONNECT_SECONDS
        self._client.will_set(*will, qos=AT_LEAST_ONCE, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_publish = lambda _client, _data, mid, _reason, _properties: acknowledged(mid)
        self._wake = wake
        self._refused = ""
        self.connected = False
        try:
            self._client.connect(broker.host, broker.port, keepalive=KEEPALIVE_SECONDS)
        except (OSError, ValueError) as error:  # a host that is none is a ValueError
            raise LinkLostError(getattr(error, "strerror", None) or str(error)) from error

    def wait(self, seconds: float) -> None:
        """Read and write until something came, `wake` says so, or time is over.

        Raises:
            LinkLostError: the connection is lost, or the broker refuses it.
        """
        connection = self._client.socket()
        if connection is None:
            raise LinkLostError(self._refused or "the connection is lost")
        with selectors.DefaultSelector() as selector:
            writing = selectors.EVENT_WRITE if self._client.want_write() else 0
            selector.register(connection, selectors.EVENT_READ | writing)
            selector.register(self._wake, selectors.EVENT_READ)
            pending = getattr(connection, "pending", lambda: 0)()  # what TLS has read already
            ready = {key.fileobj: mask for key, mask in selector.select(0 if pending else seconds)}
        if self._wake in ready:
            self._wake.recv(4096)
        happened = ready.get(connection, 0)
        if pending or happened & selectors.EVENT_READ:
            self._check(self._client.loop_read())
        if happened & selectors.EVENT_WRITE:
            self._check(self._client.loop_write())
        self._check(self._client.loop_misc())
        if self._refused:
            raise LinkLostError(self._refused)

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> int:
        """Send a message, at least once. Returns its number on this connection.

        Raises:
            LinkLostError: the connection is lost.
        """
        info = self._client.publish(topic, payload, qos=AT_LEAST_ONCE, retain=retain)
        self._check(info.rc)
        return int(info.mid)

    def close(self) -> None:
        """Say goodbye, so that the broker does not publish the will."""
        self._client.disconnect()

    def drop(self) -> None:
        """Let go of the connection without a word."""
        connection = self._client.socket()
        if connection is not None:
            connection.close()

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refused = f"the broker refuses the connection: {reason}"
        else:
            self.connected = True

    def _check(self, code: int) -> None:
        if code != self._paho.MQTT_ERR_SUCCESS:
            raise LinkLostError(self._refused or self._paho.error_string(code).rstrip("."))
