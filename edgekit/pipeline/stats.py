"""What a pipeline counts while it runs: results, drops by cause, reconnections, and times as histograms.

::

    figures = pipeline.stats()
    figures.fps, figures.stages["inference"].percentile(99), figures.sources[0].drops["busy"]
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from edgekit.results import Result
from edgekit.sources.types import Event

CAUSES = ("source", "busy", "age")
"""Of drops: lost before it reached us; a newer sample came while the model was busy; older than `max_age`."""

STAGES = ("preprocess", "inference", "postprocess", "age")
"""What is timed, in milliseconds; `age` is from the capture of a sample to the moment its result is handed out."""

BOUNDS = tuple(10 ** (step / 10) for step in range(-20, 51))
"""Upper ends of the buckets, in milliseconds: ten a decade, from 0.01 ms to 100 s."""

RATE_SECONDS = 5.0
"""The rate is that of the last results, over so long."""
MOST_MOMENTS = 256

DOWN = ("lost", "retrying", "stalled")
UP = ("connected", "recovered")


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long.

    Attributes:
        counts: One a bucket of `BOUNDS`, and one for what is above them all.
        total: Sum of all, in milliseconds.
    """

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    total: float = 0.0

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Their mean, in milliseconds; 0 where there were none."""
        return self.total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> float:
        """The upper end of the bucket that holds it, in milliseconds, which is at most 26 % too much.

        0 where there were none.
        """
        wanted, seen = self.count * percent / 100, 0
        for bound, count in zip(BOUNDS, self.counts, strict=False):
            seen += count
            if seen and seen >= wanted:
                return bound
        return BOUNDS[-1] if self.count else 0.0

    def below(self, bound: float) -> int:
        """How many took no longer, to the precision of the buckets: what Prometheus calls a cumulative bucket."""
        return sum(self.counts[: bisect_left(BOUNDS, bound * (1 + 1e-9))])


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """One source at one moment.

    Attributes:
        uri: What it is, without passwords.
        state: `starting`, `running`, `ended`, or the kind of the last event that says what it is doing: `retrying`.
        results: Results made of its samples.
        problems: Samples that could not be read.
        drops: Samples dropped so far, by cause.
        reconnects: How often it came back.
        captured: When the sample of its newest result was taken, on the monotonic clock; 0 before the first one.
        events: How often something happened to it, by kind: `lost`, `gap`, `clock`, ...
    """

    uri: str
    state: str
    results: int
    problems: int
    drops: Mapping[str, int]
    reconnects: int
    captured: float
    events: Mapping[str, int] = field(default_factory=dict)

    @property
    def dropped(self) -> int:
        """All drops."""
        return sum(self.drops.values())


@dataclass(frozen=True, slots=True)
class Figures:
    """A pipeline at one moment.

    Attributes:
        seconds: How long it has run.
        results: Results so far.
        fps: Results a second over the last five seconds.
        stages: Times by the names of `STAGES`.
        sources: One for each source, in their order.
        devices: How often something happened to a device, by its name and kind: `hung`, `reloaded`, ...
    """

    seconds: float
    results: int
    fps: float
    stages: Mapping[str, Histogram]
    sources: tuple[SourceFigures, ...]
    devices: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def dropped(self) -> int:
        """All drops of all sources."""
        return sum(source.dropped for source in self.sources)


@dataclass(slots=True)
class SourceCounts:
    """What is counted of one source while it runs; `Stats` holds the lock."""

    uri: str
    state: str = "starting"
    results: int = 0
    problems: int = 0
    busy: int = 0
    age: int = 0
    lost: int = 0
    reconnects: int = 0
    captured: float = 0.0
    events: dict[str, int] = field(default_factory=dict)

    @property
    def drops(self) -> dict[str, int]:
        """By cause."""
        return dict(zip(CAUSES, (self.lost, self.busy, self.age), strict=True))

    def heed(self, kind: str) -> None:
        """Count an event, and take its kind as the state where it says something of it."""
        self.events[kind] = self.events.get(kind, 0) + 1
        if kind in UP:
            self.reconnects += self.state in DOWN
            self.state = "running"
        elif kind in DOWN or kind == "ended":
            self.state = kind

    def figures(self) -> SourceFigures:
        """As they are now."""
        return SourceFigures(
            self.uri, self.state, self.results, self.problems, MappingProxyType(self.drops), self.reconnects,
            self.captured, MappingProxyType(dict(self.events)),
        )


@dataclass(slots=True)
class _Times:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, milliseconds: float) -> None:
        self.counts[bisect_left(BOUNDS, milliseconds)] += 1
        self.total += milliseconds


class Stats:
    """Counts what a pipeline does. For any number of threads.

    Args:
        uris: The sources, without passwords.
        clock: Seconds, monotonic.
    """

    def __init__(self, uris: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._started, self._results = clock(), 0
        self._sources = [SourceCounts(uri) for uri in uris]
        self._times = {stage: _Times() for stage in STAGES}
        self._moments: deque[float] = deque(maxlen=MOST_MOMENTS)
        self._devices: Counter[tuple[str, str]] = Counter()

    def add_result(self, source: int, result: Result) -> None:
        """Count a result that is handed out now, of the source of that number."""
        latency, now = result.latency, self._clock()
        with self._lock:
            counts = self._sources[source]
            counts.results += 1
            counts.captured = result.captured
            self._results += 1
            self._moments.append(now)
            for stage in STAGES[:-1]:
                self._times[stage].add(getattr(latency, stage))
            self._times["age"].add(result.age * 1000)

    def arrived(self, source: int, lost: int) -> dict[str, int]:
        """Count what a source says it lost so far, with a sample that arrived; returns all its drops."""
        with self._lock:
            counts = self._sources[source]
            counts.lost = max(counts.lost, lost)
            if counts.state == "starting":
                counts.state = "running"
            return counts.drops

    def dropped(self, source: int, cause: Literal["busy", "age"]) -> None:
        """Count a sample that was dropped."""
        with self._lock:
            counts = self._sources[source]
            setattr(counts, cause, getattr(counts, cause) + 1)

    def add_problem(self, source: int) -> None:
        """Count a sample that could not be read."""
        with self._lock:
            self._sources[source].problems += 1

    def add_event(self, source: int, event: Event) -> None:
        """Take an event for the state of a source."""
        with self._lock:
            self._sources[source].heed(event.kind)

    def add_device_event(self, event: Event) -> None:
        """Count what happened to a device."""
        with self._lock:
            self._devices[event.source, event.kind] += 1

    def ended(self, source: int) -> None:
        """A source gives no more."""
        with self._lock:
            self._sources[source].heed("ended")

    def snapshot(self) -> Figures:
        """All of it, as it is now."""
        with self._lock:
            stages = {stage: Histogram(tuple(times.counts), times.total) for stage, times in self._times.items()}
            now = self._clock()
            return Figures(
                now - self._started, self._results, self._rate(now), MappingProxyType(stages),
                tuple(counts.figures() for counts in self._sources), MappingProxyType(dict(self._devices)),
            )

    def _rate(self, now: float) -> float:
        """Of the results of the last seconds, with the time since the last of them where that is longer than usual."""
        recent = [moment for moment in self._moments if now - moment <= RATE_SECONDS]
        if len(recent) < 2:
            return 0.0
        pause = (recent[-1] - recent[0]) / (len(recent) - 1)
        waiting = max(0.0, now - recent[-1] - pause)
        span = recent[-1] - recent[0] + waiting
        return (len(recent) - 1) / span if span > 0 else 0.0
