"""Watches a source for a moment: whether samples come, how fast, how old, and whether anything is on them."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.sources import Sample

WATCH_SECONDS = 1.0
"""For so long a live source is watched from its first sample on."""
MOST_SAMPLES, LEAST_ALIKE = 60, 5
DARK = 3.0
"""Mean of a picture's pixels, of 255, below which nothing is to be seen in it."""


class Watched:
    """A source's first sample, and of a live source those of a second more. Only the last one is kept.

    Args:
        source: What `open_source` or `open_sources` gives; it is iterated at once.
        seconds: Longest wait for the first sample.

    Attributes:
        last: The last sample; None where none came.
    """

    def __init__(self, source: Any, seconds: float) -> None:
        self._source, self._seconds = source, seconds
        self._began = time.monotonic()
        self._count, self._captured, self._age = 0, 0.0, 0.0
        self._marks: list[int] = []
        self._problems: list[str] = []
        self._events: list[str] = []
        self._first: float | None = None
        self.last: Sample | None = None
        self._watch()

    def _watch(self) -> None:
        from edgekit.sources import Problem, Sample

        timer = threading.Timer(self._seconds, getattr(self._source, "stop", lambda: None))
        timer.daemon = True
        timer.start()
        try:
            for item in self._source:
                if isinstance(item, Sample):
                    self._take(item)
                else:
                    (self._problems if isinstance(item, Problem) else self._events).append(str(item))
                if self._is_enough():
                    break
        finally:
            timer.cancel()

    def _take(self, sample: Sample) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._captured = now - self._began, sample.captured
        self._count += 1
        self._age, self.last = now - sample.captured, sample
        if not isinstance(sample.data, Mapping):
            self._marks.append(zlib.crc32(sample.data.tobytes()))

    def _is_enough(self) -> bool:
        if self._first is None:
            return time.monotonic() - self._began > self._seconds
        return (
            not self._source.live or self._count >= MOST_SAMPLES
            or time.monotonic() - self._began > self._first + WATCH_SECONDS
        )

    def facts(self) -> dict[str, Any]:
        """What was seen."""
        last, live = self.last, bool(self._source.live)
        span = last.captured - self._captured if last else 0.0
        return {
            "first": self._first, "problems": self._problems[:3], "events": self._events[-5:], "live": live,
            "what": _described(last) if last else "", "fps": (self._count - 1) / span if live and span > 0 else None,
            "age": self._age if live else None, "lost": last.lost if last else 0,
            "alike": live and self._count >= LEAST_ALIKE and len(set(self._marks)) == 1,
            "dark": _is_dark(last) if last else False,
            "apart": max(map(abs, last.slack.values()), default=0.0) if last else 0.0,
        }


def _described(sample: Sample) -> str:
    """The sample's form, such as `640 x 480 pixels` or `float32 (50, 3)`."""
    if isinstance(sample.data, Mapping):
        return f"{len(sample.data)} inputs"
    height, width = (*sample.data.shape, 0, 0)[:2]
    return f"{width} x {height} pixels" if _is_picture(sample) else f"{sample.data.dtype} {sample.data.shape}"


def _is_picture(sample: Sample) -> bool:
    return not isinstance(sample.data, Mapping) and sample.data.ndim == 3 and str(sample.data.dtype) == "uint8"


def _is_dark(sample: Sample) -> bool:
    return _is_picture(sample) and float(sample.data.mean()) < DARK  # type: ignore[union-attr]
