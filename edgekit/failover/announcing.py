"""Tells of what happens to the devices of a model, to those who listen."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edgekit.sources.types import Event

Listener = Callable[[Event], object]


def warn_of(event: Event) -> None:
    """Tell of an event that nobody listens to."""
    warnings.warn(str(event), stacklevel=2)


class Announcer:
    """Passes events on to all who listen; where nobody does, each is a Python warning. For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()

    def tell(self, device: str, kind: str, detail: str) -> None:
        """Tell of an event.

        Args:
            device: The device's name.
            kind: One word, such as `hung`.
            detail: What happened, in one sentence.
        """
        event = Event(device, kind, detail)
        for listener in self._listeners or (warn_of,):
            listener(event)

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Call this with each event, from the thread in which it happens, while the context lasts."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
        try:
            yield
        finally:
            with self._lock:
                at = self._listeners.index(listener)
                self._listeners = (*self._listeners[:at], *self._listeners[at + 1 :])
