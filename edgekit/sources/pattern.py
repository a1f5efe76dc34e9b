"""A camera that is always there: `test:pattern?size=640x480&fps=30&frames=100`, a ball over a moving background."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.sources.types import Sample
from edgekit.uris import number_of, parts_of

OPTIONS = frozenset(("size", "fps", "frames"))
MOST_SIDE = 8192
BALL = (40, 90, 250)
"""Blue, green, red of the ball."""


@dataclass(slots=True)
class Pattern:
    """Pictures at a steady rate, each as it would be at its time, so that a slow taker sees jumps as of a camera.

    Attributes:
        uri: What the user wrote.
        width: Columns.
        height: Rows.
        fps: Pictures a second.
        frames: How many; None for no end.
    """

    uri: str
    width: int = 640
    height: int = 480
    fps: float = 30.0
    frames: int | None = None
    _stopped: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def reads_ahead(self) -> bool:
        """It waits for the next picture's time."""
        return True

    @property
    def live(self) -> bool:
        """As a camera."""
        return True

    def stop(self) -> None:
        """End an iteration in another thread."""
        self._stopped.set()

    def __iter__(self) -> Iterator[Sample]:
        self._stopped.clear()
        return self._samples()

    def _samples(self) -> Iterator[Sample]:
        begun, number, lost = time.monotonic(), 0, 0
        while self.frames is None or number < self.frames:
            late = time.monotonic() - begun - number / self.fps
            if late < 0 and self._stopped.wait(-late):
                return
            missed = max(0, int(late * self.fps))  # as a camera, whose buffers are full
            if self.frames is not None:
                missed = min(missed, self.frames - 1 - number)
            number, lost = number + missed, lost + missed
            yield Sample(self.picture(number), self.uri, number, "bgr", begun + number / self.fps, lost=lost)
            number += 1
            if self._stopped.is_set():
                return

    def picture(self, number: int) -> NDArray[np.uint8]:
        """The picture of that number, BGR, (height, width, 3); the same each time."""
        rows, columns = np.ogrid[: self.height, : self.width]
        frame = np.empty((self.height, self.width, 3), np.uint8)
        frame[..., 0] = (columns + number) % 256
        frame[..., 1] = (rows * 255) // max(1, self.height - 1)
        frame[..., 2] = 64
        left, top, radius = self.ball(number)
        frame[(columns - left) ** 2 + (rows - top) ** 2 <= radius**2] = BALL
        return frame

    def ball(self, number: int) -> tuple[int, int, int]:
        """Column and row of the ball's middle, and its radius, in the picture of that number."""
        radius = max(1, min(self.width, self.height) // 8)
        return (
            _bounce(number * 4, radius, self.width - radius), _bounce(number * 3, radius, self.height - radius), radius
        )


def _bounce(way: int, first: int, last: int) -> int:
    """Where something is that goes to and fro between two walls."""
    span = max(1, last - first)
    at = way % (2 * span)
    return first + (at if at < span else 2 * span - at)


def open_pattern(uri: str, *, shape: tuple[int, ...] | None = None) -> Pattern:
    """A test pattern. Options: `size=640x480`, `fps=30`, `frames=N`.

    Raises:
        UsageError: another pattern, an unknown option, or a value that cannot be.
    """
    name, options = parts_of(uri, OPTIONS)
    if name != "pattern":
        hint = "There are test:pattern, such as test:pattern?fps=30, and test:sine."
        raise UsageError(f"no test source '{uri}'", hint=hint)
    width, height = _size(uri, options.get("size", "640x480"))
    frames = number_of(uri, options, "frames", 0)
    if frames != int(frames):
        raise UsageError(f"{uri}: frames has to be a whole number")
    return Pattern(uri, width, height, number_of(uri, options, "fps", 30.0), int(frames) or None)


def _size(uri: str, text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if not found or not all(1 <= int(side) <= MOST_SIDE for side in found.groups()):
        raise UsageError(f"{uri}: size has to be WIDTHxHEIGHT, such as 640x480, not '{text}'")
    return int(found[1]), int(found[2])
