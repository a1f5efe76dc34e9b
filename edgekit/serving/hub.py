"""The newest result of each source, for any number of viewers who take it when they can.

A pipeline leaves a reference here and goes on. What is drawn and encoded is so once for all viewers of a frame, by one
of them, and not at all when nobody looks.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgekit.drawing import annotate
from edgekit.images import import_cv2
from edgekit.results import Result, to_json
from edgekit.sources.types import Event
from edgekit.uris import redacted

JPEG_QUALITY = 80
MOST_WIDTH, LEAST_WIDTH = 960, 480
KEPT_EVENTS = 20


PICTURE_SECONDS = 1 / 20
"""Shortest time between two pictures of a source, for all viewers together; an eye needs no more."""
MOST_TEXT = 50_000
LONG_VALUE = 5_000


@dataclass(slots=True)
class _Encoded:
    """What viewers get, and which result it shows."""

    version: int = 0
    at: float = -PICTURE_SECONDS
    jpeg: bytes = b""
    text: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Hub:
    """Where the pipeline and the viewers meet.

    Args:
        uris: The sources in their order, without passwords. A result of none of them counts as one of the first.
    """

    def __init__(self, uris: Sequence[str]) -> None:
        self.uris = tuple(uris) or ("",)
        self.closed = False
        self.events: deque[tuple[int, Event]] = deque(maxlen=KEPT_EVENTS)
        self.encodings = 0
        self._changed = threading.Condition()
        self._numbers: dict[str, int] = {}
        self._newest: list[tuple[int, Result | None]] = [(0, None)] * len(self.uris)
        self._encoded = [_Encoded() for _ in self.uris]
        self._text = _Encoded()
        self._versions = 0

    def put(self, result: Result) -> None:
        """Leave a result in the place of the one before."""
        number = self._number(result.source)
        with self._changed:
            self._versions += 1
            self._newest[number] = (self._versions, result)
            self._changed.notify_all()

    def put_event(self, event: Event) -> None:
        """Leave an event with those before."""
        with self._changed:
            self._versions += 1
            self.events.append((self._versions, event))
            self._changed.notify_all()

    def close(self) -> None:
        """Send all viewers away."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def pictured(self) -> list[int]:
        """The numbers of the sources whose newest result has a frame."""
        return [at for at, (_, result) in enumerate(self._newest) if result is not None and result.frame is not None]

    def wait(self, seen: int, seconds: float, source: int | None = None) -> tuple[int, Result | None]:
        """The newest result of a source, or of all, once it is newer than what was seen, or after so many seconds.

        Args:
            seen: What this returned before, 0 the first time.
            seconds: Longest wait.
            source: Which source; None for any of them.

        Returns:
            Its version, which is `seen` where nothing came, and the result.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._find(source)[0] > seen, seconds)
            version, result = self._find(source)
            return (version, result) if version > seen else (seen, None)

    def picture(self, source: int, seen: int) -> tuple[int, bytes]:
        """The annotated frame of a newest result as JPEG, and its version; empty where there is none.

        Whoever asks first draws it, at most 20 times a second; the others wait for that and get the same.

        Args:
            source: Which source.
            seen: The version that the viewer has; what it gets is newer, where there is a newer one.

        Raises:
            MissingDependencyError: OpenCV is not installed.
        """
        encoded = self._encoded[source]
        with encoded.lock:
            rest = encoded.at + PICTURE_SECONDS - time.monotonic()
            if encoded.version <= seen or rest <= 0:
                time.sleep(max(0.0, rest))
                self._draw(encoded, *self._newest[source])
            return encoded.version, encoded.jpeg

    def _draw(self, encoded: _Encoded, version: int, result: Result | None) -> None:
        if result is not None and encoded.version < version:
            encoded.jpeg = encode(result)
            encoded.version, encoded.at = version, time.monotonic()
            self.encodings += 1

    def text(self, version: int, result: Result) -> str:
        """A result as one line of JSON, made once for all viewers. What is too long to look at is left out of it."""
        with self._text.lock:
            if self._text.version < version:
                self._text.text = _short_json(result)
                self._text.version = version
            return self._text.text

    def _find(self, source: int | None) -> tuple[int, Result | None]:
        return max(self._newest, key=lambda entry: entry[0]) if source is None else self._newest[source]

    def _number(self, uri: str) -> int:
        """Which source a result is of."""
        if uri not in self._numbers:
            shown = redacted(uri)
            number = self.uris.index(shown) if shown in self.uris else 0
            if len(self._numbers) >= 1000:  # a folder of pictures: each is a source of its own name
                self._numbers.clear()
            self._numbers[uri] = number
        return self._numbers[uri]


def encode(result: Result) -> bytes:
    """A result drawn on its frame, in a size for a page; empty where it has no frame."""
    if result.frame is None:
        return b""
    cv2 = import_cv2()
    height, width = result.frame.shape[:2]
    scale = min(MOST_WIDTH / width, max(1.0, LEAST_WIDTH / width))
    drawn = annotate(result, (round(width * scale), max(1, round(height * scale))))
    _, jpeg = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(jpeg)


def _short_json(result: Result) -> str:
    content = result.to_dict()
    if len(text := to_json(content, separators=(",", ":"))) <= MOST_TEXT:
        return text
    kept = {key: value for key, value in content.items() if len(to_json(value)) <= LONG_VALUE}
    return to_json({**kept, "left_out": [key for key in content if key not in kept]}, separators=(",", ":"))
