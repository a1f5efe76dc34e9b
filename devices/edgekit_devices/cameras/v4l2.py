"""Cameras of Linux (Video4Linux2): USB cameras, and whatever else is a /dev/video.

The driver fills four buffers of its own memory. Its time stamps are those of the monotonic clock, and its numbers of
frames tell exactly how many were lost.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fcntl import ioctl
from typing import Any, Protocol

import numpy as np

from edgekit.errors import DataError
from edgekit.sources.live import Bad, Grab, LinkError
from edgekit_devices.cameras import v4l2_api as api
from edgekit_devices.cameras.attached import describe_cameras
from edgekit_devices.cameras.formats import Layout, Mode, Wish, choose, to_bgr

BUFFERS = 4
INTERRUPT_SECONDS = 0.1
MOST_MODES = 1000
MICROSECONDS = 1e-6
NUMBERS = 1 << 32


class Kernel(Protocol):
    """What is asked of Linux; a test has one of its own."""

    def open(self, path: str) -> int:
        """Open a device."""
        ...

    def ioctl(self, file: int, call: int, argument: Any) -> None:
        """Call a driver, which may change the argument. Raises OSError."""
        ...

    def map(self, file: int, length: int, offset: int) -> Any:
        """A driver's buffer as memory."""
        ...

    def wait(self, file: int, seconds: float) -> bool:
        """Whether something can be read, or went wrong, within so long."""
        ...

    def close(self, file: int) -> None:
        """Close a device."""
        ...


class Linux:
    """The kernel that is there."""

    def open(self, path: str) -> int:
        """As in `Kernel`."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def ioctl(self, file: int, call: int, argument: Any) -> None:
        """As in `Kernel`."""
        ioctl(file, call, argument)

    def map(self, file: int, length: int, offset: int) -> mmap.mmap:
        """As in `Kernel`."""
        return mmap.mmap(file, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def wait(self, file: int, seconds: float) -> bool:
        """As in `Kernel`."""
        poll = select.poll()
        poll.register(file, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self, file: int) -> None:
        """As in `Kernel`."""
        os.close(file)


LINUX = Linux()


@dataclass(frozen=True, slots=True)
class _Frame:
    """A buffer that the driver filled."""

    index: int
    used: int
    sequence: int
    captured: float | None
    damaged: bool


class Camera:
    """An open camera that gives pictures.

    Args:
        path: Such as `/dev/video0`.
        wish: Size, rate and format.
        seconds: Longest wait for a frame.
        kernel: What is asked.

    Raises:
        LinkError: it is not there, is busy, or is no camera.
    """

    def __init__(self, path: str, wish: Wish, seconds: float, kernel: Kernel = LINUX) -> None:
        self._path, self._seconds, self._kernel = path, seconds, kernel
        self._interrupted, self._streaming, self._last = False, False, -1
        self._buffers: list[Any] = []
        self._file = _open(path, kernel)
        try:
            self.mode, self._layout = self._negotiate(wish)
            self._map_buffers()
            self._call("start", api.STREAMON, ctypes.c_int32(api.BUF_TYPE_VIDEO_CAPTURE))
            self._streaming = True
        except BaseException:
            self.close()
            raise

    def _call(self, what: str, call: int, argument: Any) -> Any:
        try:
            self._kernel.ioctl(self._file, call, argument)
        except OSError as error:
            raise _explain(self._path, what, error) from error
        return argument

    def _negotiate(self, wish: Wish) -> tuple[Mode, Layout]:
        able = self._call("ask", api.QUERYCAP, api.Capability())
        caps = able.device_caps if able.capabilities & api.CAP_DEVICE_CAPS else able.capabilities
        if not caps & api.CAP_VIDEO_CAPTURE or not caps & api.CAP_STREAMING:
            raise LinkError(
                f"{self._path} ({able.card.decode(errors='replace')}) gives no pictures", hint=describe_cameras()
            )
        modes = list(self._modes())
        mode = choose(modes, wish)
        if mode is None:
            there = ", ".join(sorted({one.format for one in modes})) or "none"
            raise LinkError(
                f"{self._path} has no format {wish.format or 'that EdgeKit decodes'}; there is {there}",
                hint="The raw sensor of a Raspberry Pi is csi:0." if wish.format is None else "",
            )
        return mode, self._set(mode, wish)

    def _modes(self) -> Iterator[Mode]:
        for entry in self._entries(api.ENUM_FMT, lambda at: api.FmtDesc(index=at, type=api.BUF_TYPE_VIDEO_CAPTURE)):
            code = entry.pixelformat
            sizes = list(self._entries(api.ENUM_FRAMESIZES, _sizes_of(code)))
            for size in sizes:
                if size.type == api.FRMSIZE_DISCRETE:
                    width, height = size.sizes[0], size.sizes[1]
                    yield Mode(api.name_of(code), width, height, self._rate(code, width, height))
                else:  # any from the least to the most
                    yield from self._range(code, size.sizes)
            if not sizes:
                yield Mode(api.name_of(code), 0, 0)  # a driver that does not say takes what it is asked for, or near

    def _range(self, code: int, sizes: Any) -> Iterator[Mode]:
        for width, height in ((640, 480), (1280, 720), (1920, 1080), (sizes[1], sizes[4])):
            fits = sizes[0] <= width <= sizes[1] and sizes[3] <= height <= sizes[4]
            if fits and not (width - sizes[0]) % (sizes[2] or 1) and not (height - sizes[3]) % (sizes[5] or 1):
                yield Mode(api.name_of(code), width, height, self._rate(code, width, height))

    def _rate(self, code: int, width: int, height: int) -> float:
        rates = [
            entry.intervals[1] / entry.intervals[0]
            for entry in self._entries(api.ENUM_FRAMEINTERVALS, _intervals_of(code, width, height))
            if entry.intervals[0]  # of a range the first is the shortest
        ]
        return max(rates, default=0.0)

    def _entries(self, call: int, make: Callable[[int], Any]) -> Iterator[Any]:
        for at in range(MOST_MODES):
            entry = make(at)
            try:
                self._kernel.ioctl(self._file, call, entry)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    raise _explain(self._path, "ask", error) from error
                return  # EINVAL is the end of a list, ENOTTY a driver that has none
            yield entry
            if getattr(entry, "type", api.FRMSIZE_DISCRETE) != api.FRMSIZE_DISCRETE:
                return  # one entry for a whole range

    def _set(self, mode: Mode, wish: Wish) -> Layout:
        wanted = api.Format(type=api.BUF_TYPE_VIDEO_CAPTURE)
        wanted.fmt.pix = api.PixFormat(
            width=mode.width or wish.width, height=mode.height or wish.height, pixelformat=api.code_of(mode.format),
            field=api.FIELD_ANY,
        )
        got = self._call("set up", api.S_FMT, wanted).fmt.pix
        name = api.name_of(got.pixelformat)
        if name != mode.format:
            raise LinkError(f"{self._path} says it has {mode.format}, and gives {name}")
        parm = api.StreamParm(type=api.BUF_TYPE_VIDEO_CAPTURE)
        parm.parm.capture.timeperframe[0], parm.parm.capture.timeperframe[1] = 1000, round(wish.fps * 1000)
        with suppress(OSError):  # many drivers have one rate only
            self._kernel.ioctl(self._file, api.S_PARM, parm)
        return Layout(name, got.width, got.height, got.bytesperline)

    def _map_buffers(self) -> None:
        asked = api.RequestBuffers(count=BUFFERS, type=api.BUF_TYPE_VIDEO_CAPTURE, memory=api.MEMORY_MMAP)
        for index in range(self._call("set up", api.REQBUFS, asked).count):
            buffer = self._call("set up", api.QUERYBUF, self._buffer(index))
            self._buffers.append(self._kernel.map(self._file, buffer.length, buffer.m.offset))
            self._give_back(index)

    def _buffer(self, index: int = 0) -> api.Buffer:
        return api.Buffer(index=index, type=api.BUF_TYPE_VIDEO_CAPTURE, memory=api.MEMORY_MMAP)

    def _give_back(self, index: int) -> None:
        self._call("read", api.QBUF, self._buffer(index))

    def read(self) -> Grab | Bad:
        """The newest picture; those that came before it and were not read in time count as missed."""
        frame = self._newest()
        try:
            missed = self._missed(frame.sequence)
            if frame.damaged or not frame.used:
                return Bad("a frame that the camera calls damaged" if frame.used else "an empty frame")
            data = np.frombuffer(self._buffers[frame.index], np.uint8, frame.used)
            try:
                return Grab(to_bgr(data, self._layout), "bgr", frame.captured, missed)
            except DataError as error:
                return Bad(error.message)
            finally:
                del data  # a buffer that is looked at cannot be let go of
        finally:
            self._give_back(frame.index)

    def _missed(self, sequence: int) -> int:
        missed = (sequence - self._last - 1) % NUMBERS if self._last >= 0 else 0
        self._last = sequence
        return missed if missed < NUMBERS // 2 else 0  # a driver that starts to count again

    def _newest(self) -> _Frame:
        ends = time.monotonic() + self._seconds
        while (left := ends - time.monotonic()) > 0 and not self._interrupted:
            if self._kernel.wait(self._file, min(left, INTERRUPT_SECONDS)) and (frame := self._take()):
                while newer := self._take():
                    self._give_back(frame.index)
                    frame = newer
                return frame
        reason = "interrupted" if self._interrupted else f"no frame for {self._seconds:g} s"
        raise LinkError(reason, kind="stalled")

    def _take(self) -> _Frame | None:
        buffer = self._buffer()
        try:
            self._kernel.ioctl(self._file, api.DQBUF, buffer)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return None
            raise _explain(self._path, "read", error) from error
        own = buffer.flags & api.BUF_FLAG_TIMESTAMP_MASK == api.BUF_FLAG_TIMESTAMP_MONOTONIC
        captured = buffer.timestamp.tv_sec + buffer.timestamp.tv_usec * MICROSECONDS if own else None
        return _Frame(
            buffer.index, buffer.bytesused, buffer.sequence, captured, bool(buffer.flags & api.BUF_FLAG_ERROR)
        )

    def interrupt(self) -> None:
        """As in `Link`."""
        self._interrupted = True

    def close(self) -> None:
        """Stop, and let go of the device."""
        if self._streaming:
            with suppress(OSError):
                self._kernel.ioctl(self._file, api.STREAMOFF, ctypes.c_int32(api.BUF_TYPE_VIDEO_CAPTURE))
        for buffer in self._buffers:
            with suppress(BufferError):
                buffer.close()
        self._buffers.clear()
        if self._file >= 0:
            self._kernel.close(self._file)
            self._file = -1


def _sizes_of(code: int) -> Callable[[int], Any]:
    return lambda at: api.FrmSizeEnum(index=at, pixel_format=code)


def _intervals_of(code: int, width: int, height: int) -> Callable[[int], Any]:
    return lambda at: api.FrmIvalEnum(index=at, pixel_format=code, width=width, height=height)


def _open(path: str, kernel: Kernel) -> int:
    try:
        return kernel.open(path)
    except OSError as error:
        raise _explain(path, "open", error) from error


def _explain(path: str, what: str, error: OSError) -> LinkError:
    reasons = {
        errno.ENOENT: (f"there is no camera {path}", describe_cameras()),
        errno.ENODEV: (f"{path} was unplugged", ""),
        errno.ENXIO: (f"{path} has no camera behind it", describe_cameras()),
        errno.EACCES: (f"no permission to open {path}", "Be in its group: sudo usermod -aG video $USER, then log in."),
        errno.EBUSY: (f"{path} is used by another program", "See which: fuser -v " + path),
        errno.ENOTTY: (f"{path} is no camera", describe_cameras()),
        errno.ENOSPC: (f"{path}: the USB bus has no room for it", "Ask for a smaller picture or format=MJPG."),
    }
    reason, hint = reasons.get(error.errno or 0, (f"{path} cannot {what}: {error.strerror}", ""))
    return LinkError(reason, hint=hint)
