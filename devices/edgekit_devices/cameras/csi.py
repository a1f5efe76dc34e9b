"""Cameras on the board's own connector: `csi:0`, by rpicam-vid on a Raspberry Pi, by GStreamer on a Jetson.

Both are child processes, so that neither the system's Python nor its packages are needed in ours.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from edgekit.errors import DeviceError, UsageError
from edgekit.sources.child import Child
from edgekit.sources.frames import ChildLink, JpegDecoder
from edgekit.sources.gstreamer import gstreamer_source
from edgekit.sources.live import READ_SECONDS, Live
from edgekit.uris import number_of, parts_of
from edgekit_devices.cameras.attached import describe_cameras
from edgekit_devices.cameras.formats import Wish
from edgekit_devices.cameras.opening import SHAPE_OPTIONS, wish_of

START_SECONDS = 5.0
BOARD = Path("/proc/device-tree/compatible")
RPICAM = ("rpicam-vid", "libcamera-vid")
"""Its name today, and the one before 2024."""


def open_csi(uri: str, *, shape: tuple[int, ...] | None = None, board: Path = BOARD) -> Live:
    """A camera of a Raspberry Pi or a Jetson, by its number: `csi:0?size=1280x720&fps=30`.

    Options: `size`, `fps`, `timeout` (seconds without a frame), `wait` (seconds for which it may be absent at first).

    Raises:
        UsageError: an option that does not exist, or a value that cannot be.
        DeviceError: the board is neither, or lacks the program.
    """
    where, options = parts_of(uri, SHAPE_OPTIONS)
    if not where.isdecimal():
        raise UsageError(f"no camera '{uri}'", hint="Write csi:0, with the number of the connector.")
    wish = wish_of(uri, options)
    wait = number_of(uri, options, "wait", START_SECONDS, least=-1)
    if _is_jetson(board):
        return gstreamer_source(uri, jetson_pipeline(int(where), wish), first_seconds=wait)
    program = next(filter(None, map(shutil.which, RPICAM)), None)
    if program is None:
        raise DeviceError(
            f"{uri} needs rpicam-vid, which is not on the PATH",
            hint=f"On a Raspberry Pi: apt install rpicam-apps-lite. {describe_cameras()}",
        )
    seconds = number_of(uri, options, "timeout", READ_SECONDS)
    return Live(uri, partial(_connect, rpicam_command(program, int(where), wish), seconds), wait)


def _is_jetson(board: Path) -> bool:
    try:
        return b"nvidia,tegra" in board.read_bytes()
    except OSError:
        return False


def jetson_pipeline(number: int, wish: Wish) -> str:
    """What gst-launch-1.0 runs: NVIDIA's camera, copied out of the graphics processor's memory."""
    size = f"width={wish.width},height={wish.height}"
    return (
        f"nvarguscamerasrc sensor-id={number} ! 'video/x-raw(memory:NVMM),{size},framerate={round(wish.fps)}/1' ! "
        "nvvidconv ! video/x-raw,format=I420 ! y4menc"
    )


def rpicam_command(program: str, number: int, wish: Wish) -> list[str]:
    """What rpicam-vid is told: JPEG files one after another, without end and without a window."""
    return [
        program, "--camera", str(number), "--timeout", "0", "--nopreview", "--verbose", "0", "--flush",
        "--width", str(wish.width), "--height", str(wish.height), "--framerate", f"{wish.fps:g}",
        "--codec", "mjpeg", "--output", "-",
    ]


def _connect(command: list[str], seconds: float) -> ChildLink:
    return ChildLink(Child(command, seconds), JpegDecoder())
