"""What a source yields, and what it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
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
        data: A picture, uint8 of shape (H, W, 3); or numbers, float32.
        source: Where it comes from: a path or URI.
        sequence: Its number within the source, from 0; samples that could not be read are counted too.
        channels: Order of a picture's colours.
        captured: When it was taken or read, in seconds on the monotonic clock.
        time: The same by the wall clock, in UTC.
    """

    data: NDArray[Any]
    source: str
    sequence: int = 0
    channels: ColourOrder = "rgb"
    captured: float = field(default_factory=time.monotonic)
    time: datetime = field(default_factory=now)


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


class Source(Protocol):
    """Yields samples, and problems in the place of those that cannot be read, in order and once."""

    @property
    def uri(self) -> str:
        """What the user wrote."""
        ...

    @property
    def reads_ahead(self) -> bool:
        """Whether getting a sample takes so long that a thread should do it while the model runs."""
        ...

    def __iter__(self) -> Iterator[Sample | Problem]: ...
