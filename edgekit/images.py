"""Pictures from files, as arrays. OpenCV is loaded when the first one is read.

OpenCV decodes half a JPEG and says nothing, or says it to the terminal and not to the caller. So a file is
looked through for its end before it is decoded, and a JPEG goes to simplejpeg where that is installed.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, MissingDependencyError, MissingFileError
from edgekit.jpeg import DamagedJpegError, decode_jpeg

if TYPE_CHECKING:
    from os import PathLike

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")

# A marker of a JPEG that a length follows, or the end: not a stuffed zero, a restart or a fill byte.
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]", re.DOTALL)
_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = 0xD9
_BMP_UNCOMPRESSED = 0
_BMP_INFO_HEADER = 40
_BMP_HEADERS = 14 + _BMP_INFO_HEADER


def import_cv2() -> ModuleType:
    """OpenCV, whichever of its packages is installed.

    Raises:
        MissingDependencyError: none is.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError(
            f"this needs OpenCV, which cannot be imported ({error})",
            hint="Install it with pip install 'edgekit-sdk[camera]'.",
        ) from error
    return cv2


def loaded_cv2() -> ModuleType | None:
    """OpenCV where something has imported it already, else None."""
    return sys.modules.get("cv2")


def read_image(path: str | PathLike[str]) -> NDArray[np.uint8]:
    """Read a picture, turned upright as its EXIF data says.

    Grey pictures, palettes, transparency and 16 bits a channel are brought to three channels of 8 bits.

    Args:
        path: A file in one of the formats of `IMAGE_SUFFIXES`, whatever it is called.

    Returns:
        uint8 of shape (height, width, 3), channels blue, green, red.

    Raises:
        MissingFileError: there is no such file.
        DataError: the file is empty, cut short, damaged, or not a picture that OpenCV reads.
        MissingDependencyError: OpenCV is not installed, and it is no JPEG, or simplejpeg is not either.
    """
    return decode_image(_read_bytes(Path(path)), path)


def decode_image(data: bytes, path: str | PathLike[str]) -> NDArray[np.uint8]:
    """Decode the bytes of a picture, as `read_image` does those of a file.

    Args:
        data: A file in one of the formats of `IMAGE_SUFFIXES`.
        path: What to call it in errors.

    Raises:
        DataError: as in `read_image`.
        MissingDependencyError: as in `read_image`.
    """
    problem = find_damage(data)
    if problem:
        raise DataError(f"{path}: {problem}")
    try:
        decoded = decode_jpeg(data) if data.startswith(_JPEG_START) else None
    except DamagedJpegError as error:
        raise DataError(f"{path}: damaged ({error})") from error
    return _decode(data, path) if decoded is None else decoded


def _decode(data: bytes, path: str | PathLike[str]) -> NDArray[np.uint8]:
    cv2 = import_cv2()
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DataError(f"{path}: OpenCV cannot decode it ({error.err})") from error
    if pixels is None:
        raise DataError(f"{path}: damaged, or of a kind that OpenCV cannot decode")
    return np.asarray(pixels, np.uint8)


def _read_bytes(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            raise DataError(f"{path}: not a regular file")  # a named pipe may never give anything
        return path.read_bytes()
    except FileNotFoundError:
        raise MissingFileError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise MissingFileError(f"{path} is a folder where a picture is wanted") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def find_damage(data: bytes) -> str:
    """What is wrong with the bytes of a picture; empty where nothing is seen."""
    if not data:
        return "the file is empty"
    kind = next((kind for kind in _KINDS if kind.start.match(data)), None)
    if kind is None:
        return "no picture, since it starts like none of JPEG, PNG, BMP, WebP, TIFF, PPM or PGM"
    return "" if kind.is_whole(data) else f"cut short, since the {kind.name} data ends too early"


def is_picture(data: bytes) -> bool:
    """Whether a file that starts with these bytes (16 or more) is in a format known here."""
    return any(kind.start.match(data) for kind in _KINDS)


def _jpeg_is_whole(data: bytes) -> bool:
    """Walk from marker to marker to the end marker; thumbnails and appended data are stepped over."""
    at = 2
    while found := _MARKER.search(data, at):
        at = found.end()
        if data[at - 1] == _JPEG_END:
            return True
        at += int.from_bytes(data[at : at + 2], "big")
    return False


def _png_is_whole(data: bytes) -> bool:
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if kind == b"IEND":
            return True
    return False


def _bmp_is_whole(data: bytes) -> bool:
    """Whether all rows are there. The file size in the header is not to be trusted: some writers leave 0."""
    if len(data) < _BMP_HEADERS:
        return False
    start, header, width, height, _planes, bits, compression = struct.unpack_from("<IIiiHHI", data, 10)
    if header < _BMP_INFO_HEADER or compression != _BMP_UNCOMPRESSED:
        return True
    rows = (width * bits + 31) // 32 * 4 * abs(height)
    return len(data) >= int(start + rows)


def _webp_is_whole(data: bytes) -> bool:
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


def _decoder_decides(_data: bytes) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Kind:
    """A format: its name, how its files start, and how to see that the end is there."""

    name: str
    start: re.Pattern[bytes]
    is_whole: Callable[[bytes], bool]


def _kind(name: str, start: bytes, is_whole: Callable[[bytes], bool]) -> _Kind:
    return _Kind(name, re.compile(start, re.DOTALL), is_whole)


_KINDS = (
    _kind("JPEG", rb"\xff\xd8\xff", _jpeg_is_whole),
    _kind("PNG", rb"\x89PNG\r\n\x1a\n", _png_is_whole),
    _kind("BMP", rb"BM", _bmp_is_whole),
    _kind("WebP", rb"RIFF....WEBP", _webp_is_whole),
    _kind("TIFF", rb"II\*\0|MM\0\*", _decoder_decides),
    _kind("PPM", rb"P[2356]\s", _decoder_decides),
)


def list_images(folder: str | PathLike[str]) -> list[Path]:
    """The pictures under a folder and its subfolders, by suffix, sorted; hidden ones are left out.

    Raises:
        MissingFileError: there is no such folder.
        DataError: it holds no pictures, or may not be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise MissingFileError(f"no such folder: {root}")
    if not os.access(root, os.R_OK | os.X_OK):
        raise DataError(f"the folder {root} may not be read", hint="Check its permissions.")
    files = sorted(path for path in root.rglob("*") if path.is_file() and not _is_hidden(path, root))
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise DataError(
            f"no pictures in {root}: {_describe(files)}",
            hint=f"Pictures are files that end in {', '.join(IMAGE_SUFFIXES)}.",
        )
    return images


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _describe(files: list[Path]) -> str:
    if not files:
        return "it holds no files"
    counts = Counter(path.suffix.lower() or "without a suffix" for path in files).most_common(5)
    return "it holds " + ", ".join(f"{count} {suffix}" for suffix, count in counts)
