"""Video files as a source, through the FFmpeg in OpenCV.

OpenCV says the same at the end of a file and where it cannot decode on. So it is asked again: behind damage it goes on,
at the end it does not. And a file cut short is told from one at its end by what the file says of its length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
BOXED_SUFFIXES = (".mp4", ".m4v", ".mov")
"""Files of boxes (ISO/IEC 14496-12). Their count of frames is that before the cuts made in an editor."""
TOLERANCE = 0.02
"""Share of the frames and of the time that may be missing: FFmpeg estimates both for files that do not say."""
MILLISECONDS = 1000.0
ATTEMPTS = 32
"""How often it is asked for a frame after it said that there is none."""
BOX_HEADER = 8


@dataclass(frozen=True, slots=True)
class Video:
    """The frames of a video file, as fast as they are taken."""

    uri: str

    @property
    def reads_ahead(self) -> bool:
        """Decoding takes as long as a small network."""
        return True

    @property
    def live(self) -> bool:
        """A file waits."""
        return False

    def __iter__(self) -> Iterator[Sample | Problem]:
        cv2 = import_cv2()
        capture = cv2.VideoCapture(self.uri, cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                yield Problem(self.uri, 0, "no video that OpenCV can read, or damaged")
                return
            timing = _Timing(capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS))
            while (found := _next_frame(capture)) is not None:
                frame, damaged = found
                if damaged:
                    place = f"frame {timing.frames} (at {timing.position:.1f} s)"
                    yield Problem(self.uri, timing.frames, f"damaged behind {place}: frames are missing there")
                position = capture.get(cv2.CAP_PROP_POS_MSEC) / MILLISECONDS
                yield Sample(frame, self.uri, timing.frames, "bgr", position=timing.place(position))
                timing.add(position)
        finally:
            capture.release()
        if _ends_within_box(self.uri) if self.uri.lower().endswith(BOXED_SUFFIXES) else timing.ends_early():
            reason = f"ended after {timing.frames} of about {timing.expected:.0f} frames: it is cut short or damaged"
            yield Problem(self.uri, timing.frames, reason)


def _next_frame(capture: Any) -> tuple[NDArray[np.uint8], bool] | None:
    """The next frame, and whether something before it could not be decoded; None at the end."""
    for attempt in range(1 + ATTEMPTS):
        found, frame = capture.read()
        if found:
            return np.asarray(frame, np.uint8), attempt > 0
    return None


@dataclass(slots=True)
class _Timing:
    """When the frames of a video were, against what the file says of all of it.

    Attributes:
        expected: Number of frames, which FFmpeg multiplies from time and rate for files that do not say. It is
            wrong where the rate varies (.mkv, .webm) or fields are counted (.ts).
        rate: Frames a second, by the same source.
        frames: How many there were.
        position: Time of the last one, in seconds.
        pause: The longest time between two, in seconds.
    """

    expected: float
    rate: float
    frames: int = 0
    position: float = 0.0
    pause: float = 0.0

    def add(self, position: float) -> None:
        """Take a frame's time; the last ones of some files have none."""
        self.frames += 1
        self.pause = max(self.pause, position - self.position)
        self.position = max(self.position, position)

    def place(self, position: float) -> float:
        """Where the next frame is in the video, in seconds; by the rate where it has no time that follows the last."""
        behind = self.frames == 0 or position > self.position
        return position if behind else self.position + (1 / self.rate if self.rate > 0 else 0.0)

    def ends_early(self) -> bool:
        """Whether both frames and time are missing at the end, more than one frame may stand still."""
        if self.expected <= 0 or self.rate <= 0:
            return False
        duration = self.expected / self.rate
        missing = self.expected - self.frames
        return missing > max(1, self.expected * TOLERANCE) and duration - self.position > max(
            duration * TOLERANCE, self.pause, 2 / self.rate
        )


def _ends_within_box(path: str) -> bool:
    """Whether the last of a file's boxes goes on behind its end."""
    size, at = Path(path).stat().st_size, 0
    with Path(path).open("rb") as stream:
        while at < size:
            stream.seek(at)
            length = _box_length(stream.read(16))
            if length < BOX_HEADER:  # 0 is to the end, however far that is; less is no box, but something appended
                return False
            at += length
    return at > size


def _box_length(head: bytes) -> int:
    """Bytes of the box that starts so: four for the length, four for the kind; 1 says that eight more follow."""
    length = int.from_bytes(head[:4], "big")
    return int.from_bytes(head[8:16], "big") if length == 1 else length
