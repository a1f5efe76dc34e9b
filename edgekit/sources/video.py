"""Video files as a source, through the FFmpeg in OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.images import import_cv2
from edgekit.sources.types import Problem, Sample

VIDEO_SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".avi",
    ".mkv",
    ".webm",
    ".mpg",
    ".mpeg",
    ".ts",
    ".mjpeg",
    ".mjpg",
    ".gif",
)
COUNT_TOLERANCE = 0.02
"""Share by which the number of frames may be off: FFmpeg estimates it for files that do not say."""


@dataclass(frozen=True, slots=True)
class Video:
    """The frames of a video file, as fast as they are taken."""

    uri: str

    @property
    def reads_ahead(self) -> bool:
        """Decoding takes as long as a small network."""
        return True

    def __iter__(self) -> Iterator[Sample | Problem]:
        cv2 = import_cv2()
        capture = cv2.VideoCapture(self.uri, cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                yield Problem(self.uri, 0, "no video that OpenCV can read, or damaged")
                return
            expected = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            yield from self._frames(capture, expected)
        finally:
            capture.release()

    def _frames(self, capture: Any, expected: int) -> Iterator[Sample | Problem]:
        sequence = 0
        while True:
            found, frame = capture.read()
            if not found:
                break
            yield Sample(np.asarray(frame, np.uint8), self.uri, sequence, "bgr")
            sequence += 1
        # OpenCV says the same at the end of a file and where it cannot decode on.
        if expected - sequence > max(1, expected * COUNT_TOLERANCE):
            reason = f"ended after {sequence} of {expected} frames: it is cut short or damaged"
            yield Problem(self.uri, sequence, reason)
