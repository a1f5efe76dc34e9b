"""JPEG by simplejpeg, where it is installed: it says when data are damaged, and OpenCV fills the hole with a guess.

Both stand on libjpeg-turbo and give the same pixels. What simplejpeg does not do is left to OpenCV.
"""

from __future__ import annotations

import re
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS = 2**30
"""OpenCV's own limit, which keeps a file of a few bytes from filling the memory."""
COLOURSPACES = ("YCbCr", "Gray")

# libjpeg's words for data that are lost. Its others are for what does no harm, such as bytes before a marker.
_LOST = re.compile(
    "premature end|bad (huffman|arithmetic) code|found marker|unsupported marker|inconsistent progression",
    re.IGNORECASE,
)
# The entry of the EXIF data that says how the camera was held, in either order of bytes.
_ORIENTATION = re.compile(rb"\x12\x01\x03\0\x01\0\0\0(.)\0|\x01\x12\0\x03\0\0\0\x01\0(.)", re.DOTALL)
_HEAD = 2**16


class DamagedJpegError(Exception):
    """The data of a picture are damaged; the text is libjpeg's."""


def decode_jpeg(data: bytes) -> NDArray[np.uint8] | None:
    """Decode a JPEG; one that OpenCV has to decode is only looked through.

    Returns:
        uint8 of shape (height, width, 3), channels blue, green, red; None where OpenCV has to do it, since
        simplejpeg is not installed, the picture lies on its side, or it is of a rare kind.

    Raises:
        DamagedJpegError: a part of the picture is lost.
    """
    simplejpeg = _import_simplejpeg()
    if simplejpeg is None:
        return None
    try:
        height, width, colours, _sampling = simplejpeg.decode_jpeg_header(data)
        if height * width > MOST_PIXELS:
            return None
        if colours in COLOURSPACES and is_upright(data):
            return np.asarray(simplejpeg.decode_jpeg(data, "BGR", strict=True), np.uint8)
        # As small as can be: all of the data are looked at for it, in half the time.
        simplejpeg.decode_jpeg(data, "CMYK" if colours in ("CMYK", "YCCK") else "BGR", min_height=1, min_width=1)
    except ValueError as error:
        if _LOST.search(str(error)):
            raise DamagedJpegError(str(error)) from error
    return None


def is_upright(data: bytes) -> bool:
    """Whether the EXIF data, if any, do not ask for the picture to be turned."""
    start = data.find(b"Exif\0\0", 0, _HEAD)
    found = _ORIENTATION.search(data, start, start + _HEAD) if start >= 0 else None
    return found is None or (found[1] or found[2]) == b"\1"


def _import_simplejpeg() -> ModuleType | None:
    try:
        import simplejpeg
    except ImportError:
        return None
    module: ModuleType = simplejpeg
    return module
