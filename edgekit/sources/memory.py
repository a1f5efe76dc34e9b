"""A source for scripts: what a program has in its hands goes in, and results come out of the pipeline."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.metadata.types import ColourOrder
from edgekit.sources.types import Sample, now


class Memory:
    """A source that a program fills.

    ::

        frames = edgekit.sources.Memory()
        with edgekit.Pipeline("model.tflite", frames) as pipeline:
            frames.push(picture)
            result = pipeline.latest()

    Args:
        live: Whether the newest is worth more than each of them: `push` then never waits, and what the pipeline does
            not take in time is dropped and counted. Else `push` waits until there is room.
        length: How many may wait to be read.
        uri: What its results are called by.

    Raises:
        UsageError: `length` is below 1.
    """

    def __init__(self, *, live: bool = True, length: int = 2, uri: str = "memory:") -> None:
        if length < 1:
            raise UsageError(f"length has to be 1 or more, not {length}")
        self.uri, self.live, self.reads_ahead = uri, live, True
        self._waiting: deque[Sample] = deque()
        self._length, self._changed = length, threading.Condition()
        self._number, self._lost, self._closed, self._stopped = 0, 0, False, False

    def push(
        self, data: NDArray[Any] | Mapping[str, NDArray[Any]], *, channels: ColourOrder = "rgb",
        captured: float | None = None, time_: datetime | None = None,
    ) -> None:
        """Give a sample, which the pipeline reads later: do not write to it any more.

        Args:
            data: As in a call of the model.
            channels: Order of a picture's colours.
            captured: When it was taken, in seconds on the monotonic clock; now by default.
            time_: The same by the wall clock.

        Raises:
            UsageError: the source is closed.
        """
        with self._changed:
            self._check_open()
            if not self.live:
                self._changed.wait_for(lambda: len(self._waiting) < self._length or self._closed or self._stopped)
                self._check_open()
            elif len(self._waiting) == self._length:
                self._waiting.popleft()
                self._lost += 1
            moment = time.monotonic() if captured is None else captured
            self._waiting.append(
                Sample(data, self.uri, self._number, channels, moment, time_ or now(), lost=self._lost)
            )
            self._number += 1
            self._changed.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError(f"{self.uri} is closed, and takes no more samples")

    def close(self) -> None:
        """Say that no more comes: the pipeline ends with what is there."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """End an iteration in another thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Sample]:
        self._stopped = False  # now, and not with the first sample
        return iter(self._next, None)

    def _next(self) -> Sample | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed or self._stopped)
            if self._stopped or not self._waiting:
                return None
            self._changed.notify_all()
            return self._waiting.popleft()
