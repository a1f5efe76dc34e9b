"""Where readers leave what they read, and the model takes it: a lane for each source, and everything bounded."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edgekit.model import Prepared
from edgekit.pipeline.flow import QUEUE_LENGTH
from edgekit.pipeline.stats import Stats
from edgekit.sources.types import Event, Problem, Sample

MOST_NOTICES = 64
"""Problems and events of a source that may wait to be seen; under `freshest` the oldest then make room."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A sample that the network can take.

    Attributes:
        sample: What the source gave.
        prepared: Its tensors, for each of the models.
        release: Called once nobody reads the tensors any more.
    """

    sample: Sample
    prepared: tuple[Prepared, ...]
    release: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """What ended a reader; it is raised again where it is seen."""

    error: BaseException


Item = Ready | Problem | Event | Failure


@dataclass(slots=True)
class Lane:
    """What waits of one source.

    Attributes:
        replaces: Whether a new sample takes the place of the one that waits.
        waiting: In order; under `replaces` at most one of them is a sample.
        ended: Whether nothing more comes.
    """

    replaces: bool
    waiting: deque[Item] = field(default_factory=deque)
    ended: bool = False

    @property
    def full(self) -> bool:
        """Whether a reader has to wait."""
        return not self.replaces and len(self.waiting) >= QUEUE_LENGTH

    def put(self, item: Item) -> Ready | None:
        """Add an item; returns the sample that it replaces."""
        replaced = self._take_sample() if self.replaces and isinstance(item, Ready) else None
        if self.replaces and len(self.waiting) >= MOST_NOTICES and not isinstance(item, Failure):
            self.waiting.popleft()
        self.waiting.append(item)
        return replaced

    def _take_sample(self) -> Ready | None:
        for item in self.waiting:
            if isinstance(item, Ready):
                self.waiting.remove(item)
                return item
        return None


class Exchange:
    """Lanes with one lock. Readers put, one taker takes, by turns from the lanes that have something.

    Args:
        lanes: One for each source.
        stats: Told of what is dropped.
        max_age: As in `Flow`.
    """

    def __init__(self, lanes: Sequence[Lane], stats: Stats, max_age: float | None = None) -> None:
        self._lanes, self._stats, self._max_age = list(lanes), stats, max_age
        self._lock = threading.Lock()
        self._filled, self._emptied = threading.Condition(self._lock), threading.Condition(self._lock)
        self._turn, self._nudged, self._closed = 0, False, False

    @property
    def closed(self) -> bool:
        """Whether nothing is taken any more."""
        return self._closed

    def put(self, lane: int, item: Item) -> bool:
        """Leave an item; waits for room where the lane keeps every sample. False where nothing is taken any more."""
        with self._lock:
            while self._lanes[lane].full and not self._closed:
                self._emptied.wait()
            if self._closed:
                return False
            replaced = self._lanes[lane].put(item)
            self._filled.notify()
        if replaced:
            self._stats.dropped(lane, "busy")
            replaced.release()
        return True

    def end(self, lane: int) -> None:
        """Nothing more comes in this lane."""
        with self._lock:
            self._lanes[lane].ended = True
            self._filled.notify()

    def nudge(self) -> None:
        """Let `take` return, with nothing if need be: something else needs the taker."""
        with self._lock:
            self._nudged = True
            self._filled.notify()

    def take(self) -> tuple[int, Item] | None:
        """The next item and its lane; None where `nudge` was called, or all lanes have ended (see `finished`)."""
        with self._lock:
            while True:
                found = self._next()
                if found or self._nudged or self._closed or self._done():
                    self._nudged = False
                    return found
                self._filled.wait()

    @property
    def finished(self) -> bool:
        """Whether nothing waits and nothing comes."""
        with self._lock:
            return self._closed or self._done()

    def _done(self) -> bool:
        return all(lane.ended and not lane.waiting for lane in self._lanes)

    def _next(self) -> tuple[int, Item] | None:
        for at in range(len(self._lanes)):
            number = (self._turn + at) % len(self._lanes)
            lane = self._lanes[number]
            while lane.waiting:
                item = lane.waiting.popleft()
                self._emptied.notify_all()
                if isinstance(item, Ready) and self._too_old(item.sample):
                    self._stats.dropped(number, "age")
                    item.release()
                    continue
                self._turn = number + 1
                return number, item
        return None

    def _too_old(self, sample: Sample) -> bool:
        return self._max_age is not None and time.monotonic() - sample.captured > self._max_age

    def close(self) -> None:
        """Let everybody go who waits; what is left is dropped uncounted."""
        with self._lock:
            self._closed = True
            for lane in self._lanes:
                lane.waiting.clear()
            self._filled.notify_all()
            self._emptied.notify_all()
