"""What all live sources have in common: they are opened with a time-out, and again after they were lost.

A source gives a function that opens a `Link`. A link yields what it grabs, and raises `LinkError` where it is lost or
stands still; everything else is done here: events, waiting longer and longer with some jitter, numbering.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from edgekit.errors import DeviceError
from edgekit.metadata.types import ColourOrder
from edgekit.sources.types import Event, Problem, Sample
from edgekit.uris import redacted

READ_SECONDS = 5.0
"""Without a sample for so long a source counts as stalled."""
FIRST_SECONDS = 30.0
"""How long a source may be out of reach before it first gives something."""


class LinkError(Exception):
    """A source is out of reach, was lost, or stands still.

    Attributes:
        kind: Of the event that tells of it: `lost` or `stalled`.
        hint: What to do about it, where nothing was ever read.
    """

    def __init__(self, reason: str, *, kind: str = "lost", hint: str = "") -> None:
        super().__init__(reason)
        self.kind, self.hint = kind, hint


@dataclass(frozen=True, slots=True)
class Grab:
    """What a link read.

    Attributes:
        data: As in `Sample`.
        channels: Order of a picture's colours.
        captured: On the monotonic clock; None for now.
        missed: Samples that were lost between the one before and this one, as the numbers of the driver tell.
    """

    data: NDArray[Any] | Mapping[str, NDArray[Any]]
    channels: ColourOrder = "bgr"
    captured: float | None = None
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Bad:
    """Something that a link read and that is no sample."""

    reason: str


class Link(Protocol):
    """An open connection to a camera, a stream or a child process."""

    def read(self) -> Grab | Bad | None:
        """The next sample; None at the end.

        Raises:
            LinkError: it was lost, or nothing came within the time-out.
        """
        ...

    def interrupt(self) -> None:
        """Let a `read` that waits in another thread raise `LinkError` soon."""
        ...

    def close(self) -> None:
        """Let go of it, in the thread that reads."""
        ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next try, in seconds: doubled each time, with jitter so that many devices that lost
    the same server do not come back all at once.
    """

    first: float = 0.5
    most: float = 30.0
    jitter: float = 0.25

    def pause(self, failures: int) -> float:
        """After so many failures in a row, from 1."""
        pause = min(self.most, self.first * 2.0 ** min(failures - 1, 30))
        return pause * random.uniform(1 - self.jitter, 1 + self.jitter)


@dataclass(slots=True)
class Live:
    """A source that comes back.

    Attributes:
        uri: What the user wrote.
        connect: Opens a link, or raises `LinkError`.
        first_seconds: How long it may be out of reach before it first gives something; 0 for one try.
        backoff: How long to wait between tries.
        ends: Whether the end of a link is the end of the source: a file that is read over the network.
    """

    uri: str
    connect: Callable[[], Link]
    first_seconds: float = FIRST_SECONDS
    backoff: Backoff = field(default_factory=Backoff)
    ends: bool = False
    _stopped: threading.Event = field(default_factory=threading.Event, repr=False)
    _link: Link | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def reads_ahead(self) -> bool:
        """Somebody has to be there when a sample comes."""
        return True

    @property
    def live(self) -> bool:
        """Unless it is a file elsewhere."""
        return not self.ends

    def stop(self) -> None:
        """End an iteration in another thread, soon."""
        with self._lock:
            self._stopped.set()
            if self._link is not None:
                self._link.interrupt()

    def __iter__(self) -> Iterator[Sample | Problem | Event]:
        self._stopped.clear()
        return self._items()

    def _items(self) -> Iterator[Sample | Problem | Event]:
        name, count = redacted(self.uri), _Count()
        while True:
            try:
                yield from self._connected(name, count)
                if self.ends:
                    return
                error = LinkError("it ended")
            except LinkError as caught:
                error = caught
            if self._stopped.is_set():
                return
            pause = self._pause(name, count, error)
            yield Event(name, error.kind, str(error))
            yield Event(name, "retrying", f"in {pause:.1f} s")
            self._stopped.wait(pause)

    def _connected(self, name: str, count: _Count) -> Iterator[Sample | Problem | Event]:
        """Everything between a connection and its end."""
        connected = False
        with _Opened(self) as link:
            while not self._stopped.is_set() and (grab := link.read()) is not None:
                if not connected:  # told with the first sample: a child that starts is no picture yet
                    connected = True
                    yield Event(name, "connected")
                if isinstance(grab, Bad):
                    yield Problem(name, count.next(), grab.reason)
                else:
                    count.skip(grab.missed)
                    moment = time.monotonic() if grab.captured is None else grab.captured
                    yield Sample(grab.data, self.uri, count.next(), grab.channels, moment, lost=count.lost)

    def _pause(self, name: str, count: _Count, error: LinkError) -> float:
        """Seconds until the next try.

        Raises:
            DeviceError: nothing was ever read and time is over, or a file is lost half read.
        """
        count.failures += 1
        pause = self.backoff.pause(count.failures)
        late = time.monotonic() + pause - count.begun > self.first_seconds
        if (count.number == 0 and late) or (count.number and self.ends):
            raise DeviceError(f"{name}: {error}", hint=error.hint) from error
        return pause


@dataclass(slots=True)
class _Count:
    """Numbers of a source's samples, which go on over reconnections.

    Attributes:
        number: Of the next one.
        lost: How many never reached us.
        failures: Tries since the last one.
        begun: When the source was opened, on the monotonic clock.
    """

    number: int = 0
    lost: int = 0
    failures: int = 0
    begun: float = field(default_factory=time.monotonic)

    def next(self) -> int:
        self.failures = 0
        self.number += 1
        return self.number - 1

    def skip(self, missed: int) -> None:
        self.lost += missed
        self.number += missed


class _Opened:
    """The link of a source while it is open, so that `stop` finds it."""

    def __init__(self, source: Live) -> None:
        self._source = source

    def __enter__(self) -> Link:
        link = self._source.connect()
        with self._source._lock:
            self._source._link = link
            if self._source._stopped.is_set():
                link.interrupt()
        return link

    def __exit__(self, *_error: object) -> None:
        with self._source._lock:
            link, self._source._link = self._source._link, None
        if link is not None:
            link.close()
