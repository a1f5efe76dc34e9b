"""What systemd is told of a service of `Type=notify`, by its socket (sd_notify(3)); nothing where there is none."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

READY, STOPPING, WATCHDOG = "READY=1", "STOPPING=1", "WATCHDOG=1"
MICROSECONDS = 1e-6
PARTS = 4
"""The watchdog is fed that often within its time, where results come that fast."""


class Notifier:
    """Tells systemd how the service is. What cannot be told is no reason to stop.

    Args:
        environment: With `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, as systemd sets them.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, environment: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._clock = clock
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._period = int(environment.get("WATCHDOG_USEC", "0")) * MICROSECONDS / PARTS if ours else 0.0
        self._fed = clock()

    @property
    def enabled(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def ready(self) -> None:
        """The model, the sources and the sinks are open."""
        self._send(READY)

    def progress(self, status: Callable[[], str]) -> None:
        """The pipeline got on: feed the watchdog, and say how it is, but not more often than need be."""
        if self.enabled and self._clock() - self._fed >= (self._period or 1.0):
            self._fed = self._clock()
            self._send(f"{WATCHDOG}\nSTATUS={status()}" if self._period else f"STATUS={status()}")

    def stopping(self) -> None:
        """It ends."""
        self._send(STOPPING)

    def _send(self, text: str) -> None:
        if not self.enabled:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.sendto(text.encode(), address)
