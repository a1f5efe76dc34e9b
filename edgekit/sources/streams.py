"""Streams over a network, read by an ffmpeg child process.

What follows a # belongs to EdgeKit and is not sent: `rtsp://host/live#timeout=2&wait=60`.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache, partial
from urllib.parse import urldefrag, urlsplit

from edgekit.sources.child import Child, find_program
from edgekit.sources.frames import ChildLink, Y4mDecoder
from edgekit.sources.live import FIRST_SECONDS, READ_SECONDS, Live
from edgekit.sources.video import VIDEO_SUFFIXES
from edgekit.uris import number_of, options_of

OPTIONS = frozenset(("timeout", "wait", "transport"))
"""`timeout`: seconds without a frame after which it counts as stalled; `wait`: how long it may be out of reach at
first; `transport`: of RTSP, `tcp` (the default) or `udp`."""

KEY_FRAME_SECONDS = 15.0
"""How much longer the first frame may take: a decoder waits for a key frame, and cameras send one in 1 to 10 s."""
FPS_MODE_SINCE = (5, 1)
MICROSECONDS = 1_000_000


def open_stream(uri: str, *, shape: tuple[int, ...] | None = None) -> Live:
    """A stream such as `rtsp://user:password@host/live` or `http://host/camera.mjpg`.

    It is read again after it was lost. The address of a video file (`https://host/clip.mp4`) is read once.

    Raises:
        UsageError: an option that does not exist.
        MissingDependencyError: ffmpeg is not installed.
    """
    address, fragment = urldefrag(uri)
    options = options_of(uri, fragment, OPTIONS)
    seconds = number_of(uri, options, "timeout", READ_SECONDS)
    wait = number_of(uri, options, "wait", FIRST_SECONDS, least=-1)
    program = find_program("ffmpeg", "ffmpeg")
    connect = partial(_connect, program, address, options.get("transport", "tcp"), seconds)
    return Live(uri, connect, wait, ends=urlsplit(address).path.lower().endswith(FILE_SUFFIXES))


FILE_SUFFIXES = tuple(suffix for suffix in VIDEO_SUFFIXES if suffix not in (".mjpeg", ".mjpg", ".ts"))


def _connect(program: str, address: str, transport: str, seconds: float) -> ChildLink:
    child = Child(command_of(program, address, transport, seconds), seconds, seconds + KEY_FRAME_SECONDS)
    return ChildLink(child, Y4mDecoder())


def command_of(program: str, address: str, transport: str, seconds: float) -> list[str]:
    """The command that gives the frames of an address, none of them twice and none left out."""
    time_out = str(round(seconds * MICROSECONDS))
    network = {
        "rtsp": ["-rtsp_transport", transport, "-timeout", time_out],
        "rtsps": ["-rtsp_transport", transport, "-timeout", time_out],
        "http": ["-rw_timeout", time_out],
        "https": ["-rw_timeout", time_out],
    }.get(urlsplit(address).scheme, [])
    passing = ["-fps_mode", "passthrough"] if _version(program) >= FPS_MODE_SINCE else ["-vsync", "passthrough"]
    return [
        program, "-nostdin", "-hide_banner", "-loglevel", "error", "-fflags", "nobuffer", "-flags", "low_delay",
        *network, "-i", address, "-an", "-sn", *passing, "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "pipe:1",
    ]


@cache
def _version(program: str) -> tuple[int, int]:
    """Of ffmpeg; one built from the newest code has none, and counts as newest."""
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=10).stdout
    found = re.match(r"ffmpeg version n?(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (99, 0)
