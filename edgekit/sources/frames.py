"""Pictures in a stream of bytes: YUV4MPEG2, as ffmpeg and GStreamer write it, and JPEG after JPEG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError
from edgekit.images import decode_image, import_cv2
from edgekit.sources.child import Child
from edgekit.sources.live import Bad, Grab, LinkError

MOST_SIDE = 16384
MOST_HEADER = 1024
MOST_JPEG = 64 << 20
FRAME = b"FRAME"


class Decoder(Protocol):
    """Makes pictures of a child's output."""

    def read(self, child: Child) -> Grab | Bad | None:
        """The next; None at the end, between two pictures.

        Raises:
            LinkError: as in `Child`, or the output ends within a picture or makes no sense.
        """
        ...


@dataclass(frozen=True, slots=True)
class Y4mHeader:
    """What the first line of a YUV4MPEG2 stream says.

    Attributes:
        width: Columns.
        height: Rows.
        rate: Frames a second; 0 where nobody knows.
    """

    width: int
    height: int
    rate: float



@dataclass(frozen=True, slots=True)
class Planes:
    """Where the three planes of a frame of 4:2:0 lie: the brightness, and two of half its rows and columns, rounded up.

    Attributes:
        width: Columns of the frame.
        height: Rows of the frame.
        stride: Bytes from one row of the brightness to the next.
        half_stride: The same of the colours.
        rows: Rows of the brightness, with what fills them up.
    """

    width: int
    height: int
    stride: int
    half_stride: int
    rows: int

    @property
    def count(self) -> int:
        """Bytes of a frame."""
        return self.stride * self.rows + 2 * self.half_stride * ((self.height + 1) // 2)

    def packed(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The three planes without what fills up their rows."""
        half_width, half_height = (self.width + 1) // 2, (self.height + 1) // 2
        if (self.stride, self.half_stride, self.rows) == (self.width, half_width, self.height):
            return frame
        colours = self.stride * self.rows
        bright = frame[:colours].reshape(self.rows, self.stride)[: self.height, : self.width]
        rest = frame[colours:].reshape(2 * half_height, self.half_stride)[:, :half_width]
        return np.concatenate((bright.reshape(-1), rest.reshape(-1)))


def plain_planes(width: int, height: int) -> Planes:
    """As YUV4MPEG2 has them: nothing is filled up."""
    return Planes(width, height, width, (width + 1) // 2, height)


def gstreamer_planes(width: int, height: int) -> Planes:
    """As GStreamer's y4menc writes them: rows as they lie in its memory, filled up to multiples of four."""
    even = width + width % 2
    return Planes(width, height, -(-width // 4) * 4, -(-(even // 2) // 4) * 4, height + height % 2)


def parse_y4m_header(line: bytes) -> Y4mHeader:
    """Read the first line, such as `YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg`.

    Raises:
        ValueError: it is none, or of another kind than 8 bits of 4:2:0.
    """
    words = line.decode("ascii", "replace").split()
    if not words or words[0] != "YUV4MPEG2":
        raise ValueError("no YUV4MPEG2 stream")
    tags = {word[0]: word[1:] for word in words[1:]}
    colours = tags.get("C", "420")
    if not colours.startswith("420") or "p1" in colours.removeprefix("420p"):
        raise ValueError(f"colours {colours}, and 420 are wanted")
    width, height = int(tags["W"]), int(tags["H"])
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
        raise ValueError(f"a size of {width} by {height}")
    number, _, of = tags.get("F", "0:1").partition(":")
    return Y4mHeader(width, height, float(Fraction(int(number), int(of) or 1)))


@dataclass(slots=True)
class Y4mDecoder:
    """Frames of a YUV4MPEG2 stream, as BGR.

    Attributes:
        lay_out: Where the planes of a frame lie, by width and height.
    """

    lay_out: Callable[[int, int], Planes] = plain_planes
    _planes: Planes | None = None
    _buffer: bytearray = field(default_factory=bytearray)

    def read(self, child: Child) -> Grab | None:
        """The next frame."""
        planes = self._planes
        if planes is None:
            header = _header(child)
            self._planes = planes = self.lay_out(header.width, header.height)
            self._buffer = bytearray(planes.count)
        if not _frame_begins(child):
            return None
        if child.read_into(memoryview(self._buffer)) < len(self._buffer):
            raise LinkError("the stream ended within a frame")
        frame = planes.packed(np.frombuffer(self._buffer, np.uint8))
        return Grab(bgr_of_i420(frame, planes.width, planes.height))


def bgr_of_i420(planes: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A BGR picture, (height, width, 3), of the three planes of 4:2:0 one after another; odd sides are allowed."""
    cv2 = import_cv2()
    if width % 2 == 0 and height % 2 == 0:
        return np.asarray(cv2.cvtColor(planes.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420), np.uint8)
    half = (height + 1) // 2, (width + 1) // 2
    bright, count = width * height, half[0] * half[1]
    even = np.empty((half[0] * 3, half[1] * 2), np.uint8)
    luma = np.pad(planes[:bright].reshape(height, width), ((0, height % 2), (0, width % 2)), mode="edge")
    even[: half[0] * 2] = luma
    even.reshape(-1)[luma.size :] = planes[bright : bright + 2 * count]
    return np.ascontiguousarray(cv2.cvtColor(even, cv2.COLOR_YUV2BGR_I420)[:height, :width])


def _header(child: Child) -> Y4mHeader:
    line = _line(child)
    if not line:
        raise child.failure()
    try:
        return parse_y4m_header(line)
    except (ValueError, KeyError, ZeroDivisionError) as error:
        raise LinkError(f"its output cannot be read: {error}") from error


def _frame_begins(child: Child) -> bool:
    """Pass over the line that says so; False at the end."""
    marker = bytearray(len(FRAME) + 1)
    if not child.read_into(memoryview(marker)):
        return False
    if not marker.startswith(FRAME) or marker[-1:] not in b" \n":
        raise LinkError("no frame where one should begin")
    if marker.endswith(b" "):
        _line(child)
    return True


def _line(child: Child) -> bytes:
    """Up to the next line feed; empty at the end."""
    line, byte = bytearray(), bytearray(1)
    while child.read_into(memoryview(byte)):
        if byte == b"\n":
            return bytes(line) or b"\n"
        line += byte
        if len(line) > MOST_HEADER:
            raise LinkError("its output is no video")
    return b""


@dataclass(slots=True)
class JpegSplitter:
    """Cuts a stream of JPEG files, one after another, into single ones; whatever is between them is left out."""

    _data: bytearray = field(default_factory=bytearray)
    _seen: int = 0

    def add(self, data: bytes) -> None:
        """Take more of the stream."""
        self._data += data
        if len(self._data) > MOST_JPEG:
            self._data.clear()
            self._seen = 0

    def next(self) -> bytes | None:
        """The next whole file; None where more of the stream is needed.

        A file's end is that of the outermost: thumbnails within it have ends of their own, in segments whose lengths
        are told and which are passed over.
        """
        start = self._data.find(b"\xff\xd8")
        if start < 0:
            del self._data[: max(0, len(self._data) - 1)]
            return None
        if start:
            del self._data[:start]
            self._seen = 0
        end = self._end()
        if end is None:
            return None
        found = bytes(self._data[:end])
        del self._data[:end]
        self._seen = 0
        return found

    def _end(self) -> int | None:
        """Where the file at the beginning ends."""
        at = max(2, self._seen)
        while (at := self._data.find(b"\xff", at)) >= 0 and at + 1 < len(self._data):
            kind = self._data[at + 1]
            if kind == 0xD9:
                return at + 2
            if kind in _ALONE:
                at += 1 if kind == 0xFF else 2
                continue
            if at + 4 > len(self._data):
                break
            length = int.from_bytes(self._data[at + 2 : at + 4], "big")
            if at + 2 + length > len(self._data):
                self._seen = at
                return None
            at += 2 + length
        self._seen = max(2, at if at >= 0 else len(self._data) - 1)
        return None


_ALONE = frozenset((0x00, 0x01, 0xFF, *range(0xD0, 0xD9)))
"""Bytes behind 0xFF that no length follows: stuffing, fill, restarts, starts."""


@dataclass(slots=True)
class JpegDecoder:
    """Pictures of a stream of JPEG files, as BGR."""

    _splitter: JpegSplitter = field(default_factory=JpegSplitter)

    def read(self, child: Child) -> Grab | Bad | None:
        """The next picture; one that is damaged is bad, and the next one is waited for."""
        while (found := self._splitter.next()) is None:
            data = child.read()
            if not data:
                return None
            self._splitter.add(data)
        try:
            return Grab(decode_image(found, "a frame"))
        except DataError as error:
            return Bad(error.message)


class ChildLink:
    """A link to what a child process prints.

    Args:
        child: The process.
        decoder: Makes pictures of its output.
    """

    def __init__(self, child: Child, decoder: Decoder) -> None:
        self._child, self._decoder = child, decoder

    def read(self) -> Grab | Bad | None:
        """The next picture; None where the child is through with its work."""
        grab = self._decoder.read(self._child)
        if grab is None:
            error = self._child.failure()
            if "exit code 0" not in str(error):
                raise error
        return grab

    def interrupt(self) -> None:
        """As in `Child`."""
        self._child.interrupt()

    def close(self) -> None:
        """End the child."""
        self._child.close()
