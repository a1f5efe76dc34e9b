"""Formats of pixels that cameras give: which is taken, and how it becomes a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError
from edgekit.images import decode_image, import_cv2
from edgekit.sources.frames import bgr_of_i420

Bytes = NDArray[np.uint8]
SLOWER = 0.9
"""Share of the rate asked for that is as good as the rate itself: 29.97 of 30."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What a camera can be set to.

    Attributes:
        format: Four letters, such as `YUYV`.
        width: Columns.
        height: Rows.
        fps: The highest rate; 0 where the driver does not say.
    """

    format: str
    width: int
    height: int
    fps: float = 0.0

    def __str__(self) -> str:
        return f"{self.format} {self.width}x{self.height}{f' {self.fps:g} fps' if self.fps else ''}"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants of a camera.

    Attributes:
        width: Columns.
        height: Rows.
        fps: Frames a second.
        format: Four letters; None for the best.
    """

    width: int = 640
    height: int = 480
    fps: float = 30.0
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a driver lays a picture out.

    Attributes:
        format: Four letters.
        width: Columns.
        height: Rows.
        stride: Bytes from one row to the next; of a compressed format it means nothing.
    """

    format: str
    width: int
    height: int
    stride: int


def choose(modes: Sequence[Mode], wish: Wish) -> Mode | None:
    """The mode nearest to a wish; None where there is none that can be decoded.

    First comes whether the size is reached, then whether the rate is, then how little is too much; of what is alike
    the format that costs least to decode.
    """
    fitting = [mode for mode in modes if mode.format in DECODERS and wish.format in (None, mode.format)]
    return min(fitting, key=lambda mode: _distance(mode, wish), default=None)


def _distance(mode: Mode, wish: Wish) -> tuple[bool, bool, int, float, int]:
    smaller = mode.width < wish.width or mode.height < wish.height
    slow = 0 < mode.fps < wish.fps * SLOWER
    beside = abs(mode.width - wish.width) + abs(mode.height - wish.height)
    return smaller, slow, beside, max(0.0, wish.fps - mode.fps) if mode.fps else 0.0, list(DECODERS).index(mode.format)


def to_bgr(data: Bytes, layout: Layout) -> NDArray[np.uint8]:
    """A picture, BGR, (height, width, 3), of what a driver gave. It shares no memory with it.

    Raises:
        DataError: there is less than a picture, or the JPEG is damaged.
    """
    return DECODERS[layout.format](data, layout)


def _jpeg(data: Bytes, _layout: Layout) -> NDArray[np.uint8]:
    return decode_image(data.tobytes().rstrip(b"\0"), "a frame")  # some cameras fill up with zeros


def _rows(data: Bytes, layout: Layout, rows: int, width: int) -> Bytes:
    """Rows of bytes without what fills them up to the stride."""
    stride = max(layout.stride, width)
    if data.size < stride * (rows - 1) + width:
        raise DataError(f"a frame is cut short: {data.size} bytes of {layout.format} {layout.width}x{layout.height}")
    if data.size < stride * rows:
        data = np.pad(data, (0, stride * rows - data.size))
    return data[: stride * rows].reshape(rows, stride)[:, :width]


def _packed(conversion: str) -> Callable[[Bytes, Layout], NDArray[np.uint8]]:
    """Two bytes a pixel."""

    def decode(data: Bytes, layout: Layout) -> NDArray[np.uint8]:
        cv2 = import_cv2()
        rows = _rows(data, layout, layout.height, layout.width * 2)
        pixels = np.ascontiguousarray(rows).reshape(layout.height, layout.width, 2)
        return np.asarray(cv2.cvtColor(pixels, getattr(cv2, conversion)), np.uint8)

    return decode


def _nv12(data: Bytes, layout: Layout) -> NDArray[np.uint8]:
    cv2 = import_cv2()
    rows = np.ascontiguousarray(_rows(data, layout, layout.height * 3 // 2, layout.width))
    return np.asarray(cv2.cvtColor(rows, cv2.COLOR_YUV2BGR_NV12), np.uint8)


def _i420(data: Bytes, layout: Layout) -> NDArray[np.uint8]:
    """Three planes; the rows of the colours are half as long, what fills them up too."""
    height, width, stride = layout.height, layout.width, max(layout.stride, layout.width)
    if data.size < stride * height * 3 // 2:
        raise DataError(f"a frame is cut short: {data.size} bytes of {layout.format} {width}x{height}")
    bright = data[: stride * height].reshape(height, stride)[:, :width]
    colours = data[stride * height : stride * height * 3 // 2].reshape(height, stride // 2)[:, : width // 2]
    return bgr_of_i420(np.concatenate((bright.reshape(-1), colours.reshape(-1))), width, height)


def _bgr(data: Bytes, layout: Layout) -> NDArray[np.uint8]:
    return _rows(data, layout, layout.height, layout.width * 3).reshape(layout.height, layout.width, 3).copy()


def _rgb(data: Bytes, layout: Layout) -> NDArray[np.uint8]:
    return np.ascontiguousarray(_bgr(data, layout)[..., ::-1])


def _gray(data: Bytes, layout: Layout) -> NDArray[np.uint8]:
    return np.repeat(_rows(data, layout, layout.height, layout.width)[..., np.newaxis], 3, axis=2)


DECODERS: Mapping[str, Callable[[Bytes, Layout], NDArray[np.uint8]]] = MappingProxyType({
    "BGR3": _bgr, "RGB3": _rgb, "YUYV": _packed("COLOR_YUV2BGR_YUYV"), "UYVY": _packed("COLOR_YUV2BGR_UYVY"),
    "NV12": _nv12, "YU12": _i420, "MJPG": _jpeg, "JPEG": _jpeg, "GREY": _gray,
})
"""By the four letters of a format, what costs least first."""
