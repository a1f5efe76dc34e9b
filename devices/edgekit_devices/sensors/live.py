"""What all live sensors have in common: they vanish, fall silent and come back, and none of it ends the run."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

from edgekit.errors import EdgeKitError
from edgekit.sources import Event, Problem, Sample
from edgekit.uris import redacted
from edgekit.windows import Block, rows_of

POLL_SECONDS = 0.1
"""Longest wait of a read, after which it is seen whether the stream is to stop."""
STALL_SECONDS = 5.0
"""Without a sample for so long, a sensor counts as stalled."""

Item = Block | Problem | Event


class Session(Protocol):
    """An open sensor."""

    def read(self, seconds: float) -> Sequence[Item]:
        """What has come, or comes within that time; nothing where nothing did.

        Raises:
            OSError: the sensor is gone.
            EOFError: it will give no more, and has done so as it should.
        """
        ...

    def close(self) -> None:
        """Let go of it. Does not raise."""
        ...


class Link(Protocol):
    """How to reach a sensor."""

    def open(self) -> Session:
        """Open it.

        Raises:
            OSError: it is not there.
            EdgeKitError: it never will be, as things are.
        """
        ...


class Backoff:
    """Waits that double from one failure to the next, with jitter, so that many devices do not come back at once.

    Args:
        first: Seconds of the first wait; `most` of the longest.
    """

    def __init__(self, first: float = 0.25, most: float = 30.0) -> None:
        self._first, self._most = first, most
        self._failures = 0

    def reset(self) -> None:
        """It worked: begin with the first wait again."""
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait now, from half to all of what the doubling gives."""
        wait = min(self._first * 2.0**self._failures, self._most)
        self._failures = min(self._failures + 1, 30)
        return wait * float(random.uniform(0.5, 1))


class LiveStream:
    """A stream from a sensor that may vanish and come back.

    A sensor that is not there at first is an error: it is mostly a wrong name. One that vanishes later is waited for,
    without end.

    Args:
        uri: What the user wrote.
        link: Reaches the sensor.
        rate: Samples a second, where it is known.
        stall: Seconds without a sample after which it counts as stalled.
        backoff: Waits between attempts.
        shape: What a single row is brought to.
    """

    live = True
    reads_ahead = True

    def __init__(
        self, uri: str, link: Link, *, rate: float | None = None, stall: float = STALL_SECONDS,
        backoff: Backoff | None = None, shape: tuple[int, ...] | None = None,
    ) -> None:
        self.uri, self.rate = uri, rate
        self._link, self._stall, self._shape = link, stall, shape
        self._backoff = backoff or Backoff()
        self._stopped = threading.Event()
        self._called = redacted(uri)

    def stop(self) -> None:
        """Give no more; whoever waits for a sample returns within `POLL_SECONDS`."""
        self._stopped.set()

    def __iter__(self) -> Iterator[Sample | Problem | Event]:
        return rows_of(self, self._shape)

    def blocks(self) -> Iterator[Item]:
        """Blocks as they come, and events: `connected`, `lost`, `retrying`, `stalled`, `recovered`.

        Raises:
            EdgeKitError: the sensor is not there at the start.
        """
        self._stopped.clear()
        session = self._link.open()
        while not self._stopped.is_set():
            yield Event(self._called, "connected", getattr(session, "about", ""))
            self._backoff.reset()
            try:
                yield from self._read(session)
            except OSError as error:
                yield Event(self._called, "lost", error.strerror or str(error))
            except EOFError:
                return
            finally:
                session.close()
            again = yield from self._again()
            if again is None:
                return
            session = again

    def _read(self, session: Session) -> Iterator[Item]:
        heard, silent = time.monotonic(), False
        while not self._stopped.is_set():
            items = session.read(POLL_SECONDS)
            now = time.monotonic()
            if any(isinstance(item, Block) for item in items):
                if silent:
                    yield Event(self._called, "recovered", f"after {now - heard:.1f} s")
                heard, silent = now, False
            elif not silent and now - heard > self._stall:
                silent = True
                yield Event(self._called, "stalled", f"nothing came for {self._stall:g} s")
            yield from items

    def _again(self) -> Generator[Item, None, Session | None]:
        """Open it again, however long that takes; None where the stream is stopped meanwhile."""
        told = ""
        while not self._stopped.wait(self._backoff.next()):
            try:
                return self._link.open()
            except (OSError, EdgeKitError) as error:
                reason = error.message if isinstance(error, EdgeKitError) else str(error)
                if reason != told:
                    yield Event(self._called, "retrying", reason)
                told = reason
        return None
