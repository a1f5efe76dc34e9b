"""Video files with the results drawn on the frames, written by OpenCV's FFmpeg.

OpenCV writes frames at a constant rate. So each result stands in the slot of its time: a frame is repeated until the
next one is due, and of two in one slot the first stays. The error is at most half a slot.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.drawing import annotate
from edgekit.errors import OutputError, UsageError
from edgekit.images import import_cv2
from edgekit.results import Result
from edgekit.sinks.files import check_folder, failed
from edgekit.sources.types import now
from edgekit.sources.video import VIDEO_SUFFIXES as READ_SUFFIXES

CODECS = {".mp4": "mp4v", ".mkv": "mp4v", ".avi": "XVID"}
"""MPEG-4 part 2 in each: the one that all builds of OpenCV have and a Raspberry Pi encodes in time."""
VIDEO_SUFFIXES = tuple(CODECS)
LIVE_RATE = 30.0
STILL_RATE = 1.0
LONGEST_PAUSE = 10.0
"""Seconds for which a frame is repeated; what is longer, such as a camera that was away, is cut short to it."""


class VideoSink:
    """A video of the frames with their results, made with the first result.

    Results of a video file keep its rate and places; pictures stand for a second each; those of anything else stand
    where they were captured, at 30 frames a second. Frames of another size than the first are fitted into that one.

    Args:
        path: Of a file that is not there. `%Y%m%d-%H%M%S` and the like in its name stand for the time in UTC.

    Raises:
        OutputError: the file is there, or its folder takes none.
        MissingDependencyError: OpenCV is not installed.
    """

    def __init__(self, path: str) -> None:
        self.path = now().strftime(path) if "%" in path else path
        self._cv2 = import_cv2()
        self._writer: Any = None
        self._size = (0, 0)
        self._timeline = Timeline(LIVE_RATE)
        self._last: NDArray[np.uint8] | None = None
        try:
            check_folder(Path(self.path).parent)
            if os.path.lexists(self.path):
                raise FileExistsError(errno.EEXIST, "it is there already")
        except FileExistsError as error:
            raise OutputError(
                f"{self.path} cannot be written: {error.strerror}",
                hint="Move it away, or put the time into the name: out-%Y%m%d-%H%M%S.mkv.",
            ) from error
        except OSError as error:
            raise failed(self.path, error) from error

    def write(self, result: Result) -> None:
        """Draw one result and add it to the video.

        Raises:
            UsageError: the result has no frame.
            OutputError: the file cannot be written.
        """
        if result.frame is None:
            raise UsageError(
                f"{self.path} cannot show results of {result.source or 'this source'}, which gives no pictures",
                hint="Give a .jsonl or .csv file.",
            )
        if self._writer is None:
            self._open(result)
        repeats = self._timeline.place(result)
        if repeats == 0:
            return
        for _ in range(repeats - 1):
            self._writer.write(self._last)
        self._last = self._fitted(result)
        self._writer.write(self._last)

    def close(self) -> None:
        """Finish the file. A .mp4 cannot be played before that; .mkv and .avi can."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None

    def _open(self, result: Result) -> None:
        cv2, frame = self._cv2, result.frame
        assert frame is not None
        rate, by_number = _rate_of(cv2, result)
        self._timeline = Timeline(rate, by_number=by_number)
        height, width = (max(2, size - size % 2) for size in frame.shape[:2])  # the codec takes even ones
        self._size = (width, height)
        code = cv2.VideoWriter_fourcc(*CODECS[Path(self.path).suffix.lower()])
        self._writer = cv2.VideoWriter(self.path, cv2.CAP_FFMPEG, code, self._timeline.rate, self._size)
        if not self._writer.isOpened():
            self._writer = None
            raise OutputError(f"{self.path} cannot be written: OpenCV makes no video of {width} by {height} pixels")

    def _fitted(self, result: Result) -> NDArray[np.uint8]:
        """The drawn frame in the size of the video, with black bars where it has another shape."""
        frame = result.frame
        assert frame is not None
        width, height = self._size
        scale = min(width / frame.shape[1], height / frame.shape[0])
        size = min(width, round(frame.shape[1] * scale)), min(height, round(frame.shape[0] * scale))
        drawn = annotate(result, size)
        assert drawn is not None
        if size == self._size:
            return drawn
        canvas = np.zeros((height, width, 3), np.uint8)
        left, top = (width - size[0]) // 2, (height - size[1]) // 2
        canvas[top : top + size[1], left : left + size[0]] = drawn
        return canvas


class Timeline:
    """Places results in the slots of a constant rate.

    Args:
        rate: Slots a second.
        by_number: Whether the sequence numbers are the slots; else the times of capture say them.
    """

    def __init__(self, rate: float, *, by_number: bool = False) -> None:
        self.rate = rate
        self._by_number = by_number
        self._first: float | None = None
        self._last = -1

    def place(self, result: Result) -> int:
        """How many frames to write for this result: itself, and before it repeats of the one before; 0 for none."""
        moment = float(result.sequence) if self._by_number else result.captured * self.rate
        if self._first is None:
            self._first = moment
        slot = round(moment - self._first)
        longest = round(LONGEST_PAUSE * self.rate)
        if slot - self._last > longest:
            self._first += slot - self._last - longest
            slot = self._last + longest
        repeats = max(0, slot - self._last)
        self._last = max(self._last, slot)
        return repeats


def _rate_of(cv2: ModuleType, result: Result) -> tuple[float, bool]:
    """Frames a second for a source, and whether its numbers rather than its times say when a frame was."""
    if not Path(result.source).is_file():
        return LIVE_RATE, False
    if Path(result.source).suffix.lower() not in READ_SUFFIXES:
        return STILL_RATE, True
    capture = cv2.VideoCapture(result.source, cv2.CAP_FFMPEG)
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    return (rate, True) if 0 < rate <= 1000 else (LIVE_RATE, True)
