"""From `camera:0` to a camera."""

from __future__ import annotations

import re
from functools import partial

from edgekit.errors import UsageError
from edgekit.sources.live import READ_SECONDS, Live
from edgekit.uris import number_of, parts_of
from edgekit_devices.cameras.formats import DECODERS, Wish
from edgekit_devices.cameras.v4l2 import LINUX, Camera, Kernel

SHAPE_OPTIONS = frozenset(("size", "fps", "timeout", "wait"))
OPTIONS = SHAPE_OPTIONS | {"format"}


def open_camera(uri: str, *, shape: tuple[int, ...] | None = None, kernel: Kernel = LINUX) -> Live:
    """A camera of Linux: `camera:0`, `camera:/dev/v4l/by-id/…`, `/dev/video0`.

    Options: `size=640x480`, `fps=30`, `format=MJPG` (four letters), `timeout=5` (seconds without a frame), `wait=0`
    (seconds for which it may be absent at first). The nearest that the camera has is taken.

    Raises:
        UsageError: an option that does not exist, or a value that cannot be.
    """
    where, options = parts_of(uri if uri.startswith("camera:") else f"camera:{uri}", OPTIONS)
    path = f"/dev/video{where}" if where.isdecimal() else where
    if not path.startswith("/dev/"):
        raise UsageError(f"no camera '{uri}'", hint="Write camera:0, or camera:/dev/video0.")
    named = options.get("format", "").upper() or None
    if named is not None and named not in DECODERS:
        raise UsageError(f"{uri}: no format {named}", hint=f"Formats are {', '.join(DECODERS)}.")
    wish = wish_of(uri, options, named)
    connect = partial(Camera, path, wish, number_of(uri, options, "timeout", READ_SECONDS), kernel)
    return Live(uri, connect, number_of(uri, options, "wait", 0.0, least=-1))


def wish_of(uri: str, options: dict[str, str], named: str | None = None) -> Wish:
    """Size, rate and format from a URI's options.

    Raises:
        UsageError: a value that cannot be.
    """
    found = re.fullmatch(r"([1-9]\d{1,3})x([1-9]\d{1,3})", options.get("size", "640x480"))
    if not found:
        raise UsageError(f"{uri}: size has to be WIDTHxHEIGHT, such as 640x480, not '{options['size']}'")
    return Wish(int(found[1]), int(found[2]), number_of(uri, options, "fps", 30.0), named)
