"""Anything that GStreamer reads, through a gst-launch-1.0 child process: `gst:videotestsrc is-live=true`."""

from __future__ import annotations

import shlex
from functools import partial

from edgekit.errors import UsageError
from edgekit.sources.child import Child, find_program
from edgekit.sources.frames import ChildLink, JpegDecoder, Y4mDecoder, gstreamer_planes
from edgekit.sources.live import READ_SECONDS, Live

START_SECONDS = 10.0
"""A camera's own start-up is part of the first wait."""
PACKAGES = "gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
JPEG = ("jpegenc", "nvjpegenc", "vaapijpegenc")


def open_gstreamer(uri: str, *, shape: tuple[int, ...] | None = None) -> Live:
    """A pipeline of GStreamer, as one would write it for gst-launch-1.0, without a sink.

    It may end in `y4menc` or `jpegenc`; else what brings pictures out is added: `videoconvert ! y4menc`.

    Raises:
        UsageError: the pipeline is empty, or is no words that a shell would take.
        MissingDependencyError: gst-launch-1.0 is not installed.
    """
    return gstreamer_source(uri, uri.partition(":")[2])


def gstreamer_source(uri: str, pipeline: str, *, first_seconds: float = START_SECONDS) -> Live:
    """A source that runs a pipeline.

    Args:
        uri: What the user wrote.
        pipeline: As for `open_gstreamer`.
        first_seconds: As in `Live`.
    """
    try:
        words = shlex.split(pipeline)
    except ValueError as error:
        raise UsageError(f"{uri}: {error}") from error
    if not words:
        raise UsageError(f"{uri} names no pipeline", hint="Such as gst:'v4l2src device=/dev/video0'.")
    last = words[len(words) - words[::-1].index("!")] if "!" in words and words[-1] != "!" else words[0]
    ending = [] if last in (*JPEG, "y4menc") else ["!", "videoconvert", "!", "video/x-raw,format=I420", "!", "y4menc"]
    program = find_program("gst-launch-1.0", PACKAGES)
    command = [program, "-q", *words, *ending, "!", "fdsink", "fd=1", "sync=false"]
    return Live(uri, partial(_connect, command, last in JPEG), first_seconds)


def _connect(command: list[str], jpeg: bool) -> ChildLink:
    return ChildLink(Child(command, READ_SECONDS), JpegDecoder() if jpeg else Y4mDecoder(gstreamer_planes))
