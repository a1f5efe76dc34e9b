"""What a source yields, and what it is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Protocol

from numpy.typing import NDArray

from edgekit.metadata.types import ColourOrder


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class Sample:
    """One thing to run a model on.

    Attributes:
        data: A picture, uint8 of shape (H, W, 3); or numbers, float32; or a mapping of them by input name, for
            a model with several inputs.
        source: Where it comes from: a path or URI.
        sequence: Its number within the source, from 0; samples that could not be read are counted too.
        channels: Order of a picture's colours.
        captured: When it was taken or read, in seconds on the monotonic clock.
        time: The same by the wall clock, in UTC.
        lost: Samples of this source that were lost before they reached us, so far: gaps in the kernel's
            numbering, overruns.
        position: Seconds from the start of a recording, such as a video file, whose own time that is; None for what
            is captured as it happens.
        slack: Of a sample that several sources made, by input name: seconds from the end of what was taken of that
            source to the moment of the sample, below zero where it is later.
    """

    data: NDArray[Any] | Mapping[str, NDArray[Any]]
    source: str
    sequence: int = 0
    channels: ColourOrder = "rgb"
    captured: float = field(default_factory=time.monotonic)
    time: datetime = field(default_factory=now)
    lost: int = 0
    position: float | None = None
    slack: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A sample that could not be read.

    Attributes:
        source: Where it should have come from, with a line number where there is one.
        sequence: The number it would have had.
        reason: What is wrong, in one sentence.
    """

    source: str
    sequence: int
    reason: str

    def __str__(self) -> str:
        return self.reason if self.source in self.reason else f"{self.source}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a source or a sink, and is no sample.

    Attributes:
        source: Path or URI of what it happened to, without passwords.
        kind: One word: `connected`, `lost`, `retrying`, `stalled`, `gap`, `recovered`, ...
        detail: What happened, in one sentence.
        captured: When, in seconds on the monotonic clock.
    """

    source: str
    kind: str
    detail: str = ""
    captured: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return f"{self.source}: {self.kind}{f' ({self.detail})' if self.detail else ''}"


class Source(Protocol):
    """Yields samples, problems in the place of those that cannot be read, and events, in order.

    Leaving its iterator (`close` of a generator) lets go of what it opened. A source that may wait long for its next
    sample also has `stop()`, which another thread calls, more than once if need be, to end the iteration soon.
    """

    @property
    def uri(self) -> str:
        """What the user wrote."""
        ...

    @property
    def reads_ahead(self) -> bool:
        """Whether getting a sample takes so long that a thread should do it while the model runs."""
        ...

    @property
    def live(self) -> bool:
        """Whether samples come when they come, as those of a camera do: the newest is worth more than each of them."""
        ...

    def __iter__(self) -> Iterator[Sample | Problem | Event]: ...
