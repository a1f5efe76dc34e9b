"""V4L2 cameras, without one: structures against the system's header, and a camera that answers the kernel's calls."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import shutil
import subprocess
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit import DeviceError, UsageError
from edgekit.sources import Event, Problem, Sample
from edgekit.sources.live import Backoff, Live
from edgekit_devices.cameras import v4l2_api as api
from edgekit_devices.cameras.formats import DECODERS, Layout, Mode, Wish, choose, to_bgr
from edgekit_devices.cameras.opening import open_camera

cv2 = pytest.importorskip("cv2")

HEADER = Path("/usr/include/linux/videodev2.h")
STRUCTURES = {
    "v4l2_capability": api.Capability, "v4l2_fmtdesc": api.FmtDesc, "v4l2_frmsizeenum": api.FrmSizeEnum,
    "v4l2_frmivalenum": api.FrmIvalEnum, "v4l2_format": api.Format, "v4l2_requestbuffers": api.RequestBuffers,
    "v4l2_buffer": api.Buffer, "v4l2_streamparm": api.StreamParm, "v4l2_pix_format": api.PixFormat,
}
PLACES = {
    ("v4l2_buffer", "timestamp"): api.Buffer.timestamp, ("v4l2_buffer", "sequence"): api.Buffer.sequence,
    ("v4l2_buffer", "m"): api.Buffer.m, ("v4l2_buffer", "length"): api.Buffer.length,
    ("v4l2_format", "fmt"): api.Format.fmt, ("v4l2_streamparm", "parm"): api.StreamParm.parm,
    ("v4l2_frmsizeenum", "discrete"): api.FrmSizeEnum.sizes,
    ("v4l2_frmivalenum", "discrete"): api.FrmIvalEnum.intervals,
    ("v4l2_capability", "device_caps"): api.Capability.device_caps,
    ("v4l2_fmtdesc", "pixelformat"): api.FmtDesc.pixelformat,
}
CALLS = {
    "VIDIOC_QUERYCAP": api.QUERYCAP, "VIDIOC_ENUM_FMT": api.ENUM_FMT, "VIDIOC_S_FMT": api.S_FMT,
    "VIDIOC_REQBUFS": api.REQBUFS, "VIDIOC_QUERYBUF": api.QUERYBUF, "VIDIOC_QBUF": api.QBUF,
    "VIDIOC_DQBUF": api.DQBUF, "VIDIOC_STREAMON": api.STREAMON, "VIDIOC_STREAMOFF": api.STREAMOFF,
    "VIDIOC_S_PARM": api.S_PARM, "VIDIOC_ENUM_FRAMESIZES": api.ENUM_FRAMESIZES,
    "VIDIOC_ENUM_FRAMEINTERVALS": api.ENUM_FRAMEINTERVALS, "V4L2_CAP_VIDEO_CAPTURE": api.CAP_VIDEO_CAPTURE,
    "V4L2_CAP_STREAMING": api.CAP_STREAMING, "V4L2_CAP_DEVICE_CAPS": api.CAP_DEVICE_CAPS,
    "V4L2_BUF_FLAG_ERROR": api.BUF_FLAG_ERROR, "V4L2_BUF_FLAG_TIMESTAMP_MASK": api.BUF_FLAG_TIMESTAMP_MASK,
    "V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC": api.BUF_FLAG_TIMESTAMP_MONOTONIC,
    "V4L2_BUF_TYPE_VIDEO_CAPTURE": api.BUF_TYPE_VIDEO_CAPTURE, "V4L2_MEMORY_MMAP": api.MEMORY_MMAP,
    "V4L2_FRMSIZE_TYPE_DISCRETE": api.FRMSIZE_DISCRETE, "V4L2_PIX_FMT_MJPEG": api.code_of("MJPG"),
    "V4L2_PIX_FMT_YUYV": api.code_of("YUYV"), "V4L2_PIX_FMT_NV12": api.code_of("NV12"),
    "V4L2_PIX_FMT_YUV420": api.code_of("YU12"), "V4L2_PIX_FMT_GREY": api.code_of("GREY"),
    "V4L2_PIX_FMT_BGR24": api.code_of("BGR3"), "V4L2_PIX_FMT_RGB24": api.code_of("RGB3"),
}


@pytest.mark.skipif(not HEADER.exists() or not shutil.which("cc"), reason="needs a C compiler and the kernel's headers")
def test_structures_and_numbers_are_those_of_the_system(tmp_path: Path) -> None:
    lines = [f'printf("%zu\\n", sizeof(struct {name}));' for name in STRUCTURES]
    lines += [f'printf("%zu\\n", offsetof(struct {name}, {member}));' for name, member in PLACES]
    lines += [f'printf("%lu\\n", (unsigned long)(unsigned int){name});' for name in CALLS]
    source = tmp_path / "sizes.c"
    head = "#include <stdio.h>\n#include <stddef.h>\n#include <linux/videodev2.h>\n"
    source.write_text(head + f"int main(void) {{ {' '.join(lines)} return 0; }}\n")
    subprocess.run(["cc", "-o", str(tmp_path / "sizes"), str(source)], check=True)
    said = subprocess.run([str(tmp_path / "sizes")], capture_output=True, text=True, check=True).stdout.split()
    ours = [ctypes.sizeof(one) for one in STRUCTURES.values()] + [one.offset for one in PLACES.values()]
    assert [int(number) for number in said] == [*ours, *CALLS.values()]


@dataclass
class Shot:
    """What the fake camera takes: bytes, number, time in seconds, and whether its driver calls it damaged."""

    data: bytes
    sequence: int
    moment: float = 5.25
    damaged: bool = False


@dataclass
class FakeCamera:
    """A kernel with one camera. A shot that is an errno is what the next read fails with."""

    shots: list[Shot | int]
    modes: list[tuple[str, int, int, list[tuple[int, int]]]] = field(
        default_factory=lambda: [("YUYV", 64, 48, [(1, 30)]), ("MJPG", 64, 48, [(1, 60), (1, 30)])]
    )
    opening: list[int] = field(default_factory=list)
    stride: int = 0
    monotonic: bool = True
    capabilities: int = api.CAP_VIDEO_CAPTURE | api.CAP_STREAMING
    busy: bool = False
    opened: int = 0
    streaming: bool = False
    memory: list[mmap.mmap] = field(default_factory=list)
    free: deque[int] = field(default_factory=deque)
    set_to: str = ""

    def open(self, path: str) -> int:
        if self.opening and (number := self.opening.pop(0)):
            raise OSError(number, os.strerror(number))
        self.opened += 1
        return 99

    def close(self, file: int) -> None:
        self.opened -= 1

    def wait(self, file: int, seconds: float) -> bool:
        return bool(self.shots)

    def map(self, file: int, length: int, offset: int) -> mmap.mmap:
        return self.memory[offset]

    def ioctl(self, file: int, call: int, argument: Any) -> None:
        names = {number: name for name, number in CALLS.items() if name.startswith("VIDIOC")}
        getattr(self, names[call].removeprefix("VIDIOC_").lower())(argument)

    def querycap(self, able: api.Capability) -> None:
        able.card, able.capabilities = b"Fake Camera", self.capabilities

    def _formats(self) -> list[str]:
        return list(dict.fromkeys(mode[0] for mode in self.modes))

    def enum_fmt(self, entry: api.FmtDesc) -> None:
        if entry.index >= len(self._formats()):
            raise OSError(errno.EINVAL, "")
        entry.pixelformat = api.code_of(self._formats()[entry.index])

    def enum_framesizes(self, entry: api.FrmSizeEnum) -> None:
        sizes = [mode for mode in self.modes if api.code_of(mode[0]) == entry.pixel_format]
        if entry.index >= len(sizes):
            raise OSError(errno.EINVAL, "")
        entry.type = api.FRMSIZE_DISCRETE
        entry.sizes[0], entry.sizes[1] = sizes[entry.index][1:3]

    def enum_frameintervals(self, entry: api.FrmIvalEnum) -> None:
        rates = next(m[3] for m in self.modes if (api.code_of(m[0]), m[1], m[2]) == (
            entry.pixel_format, entry.width, entry.height))
        if entry.index >= len(rates):
            raise OSError(errno.EINVAL, "")
        entry.type = api.FRMIVAL_DISCRETE
        entry.intervals[0], entry.intervals[1] = rates[entry.index]

    def s_fmt(self, wanted: api.Format) -> None:
        if self.busy:
            raise OSError(errno.EBUSY, "")
        pix = wanted.fmt.pix
        self.set_to = f"{api.name_of(pix.pixelformat)} {pix.width}x{pix.height}"
        pix.bytesperline, pix.sizeimage = self.stride or pix.width * 2, 100_000

    def s_parm(self, parm: api.StreamParm) -> None:
        raise OSError(errno.ENOTTY, "")

    def reqbufs(self, asked: api.RequestBuffers) -> None:
        self.free.clear()
        self.memory = [mmap.mmap(-1, 100_000) for _ in range(asked.count)]

    def querybuf(self, buffer: api.Buffer) -> None:
        buffer.length, buffer.m.offset = 100_000, buffer.index

    def qbuf(self, buffer: api.Buffer) -> None:
        assert buffer.index not in self.free
        self.free.append(buffer.index)

    def dqbuf(self, buffer: api.Buffer) -> None:
        if not self.shots or not self.free:
            raise OSError(errno.EAGAIN, "")
        shot = self.shots.pop(0)
        if isinstance(shot, int):
            if shot == errno.EAGAIN:
                raise OSError(errno.EAGAIN, "")
            raise OSError(shot, os.strerror(shot))
        buffer.index = self.free.popleft()
        self.memory[buffer.index][: len(shot.data)] = shot.data
        buffer.bytesused, buffer.sequence = len(shot.data), shot.sequence
        buffer.flags = api.BUF_FLAG_ERROR if shot.damaged else 0
        buffer.flags |= api.BUF_FLAG_TIMESTAMP_MONOTONIC if self.monotonic else 0
        buffer.timestamp.tv_sec, buffer.timestamp.tv_usec = int(shot.moment), int(shot.moment % 1 * 1e6)

    def streamon(self, _type: Any) -> None:
        self.streaming, self.free = True, deque(range(len(self.memory)))

    def streamoff(self, _type: Any) -> None:
        self.streaming = False


def yuyv(level: int, width: int = 64, height: int = 48, fill: int = 0) -> bytes:
    return (bytes([level, 128]) * width + bytes(fill)) * height


def shots(*numbers: int, **more: Any) -> list[Shot | int]:
    """One frame at a time: the driver has nothing more ready after each."""
    found: list[Shot | int] = []
    for number in numbers:
        found += [Shot(yuyv(100), number, **more), errno.EAGAIN]
    return found


def camera(kernel: FakeCamera, uri: str = "camera:0?size=64x48") -> Live:
    source = open_camera(uri, kernel=kernel)
    source.backoff = Backoff(0.001, 0.002)
    return source


def first(source: Live, count: int) -> list[Sample | Problem | Event]:
    with closing(iter(source)) as items:  # type: ignore[type-var]
        return list(islice(items, count))


def test_frames_have_the_driver_s_numbers_and_times_and_gaps_are_counted() -> None:
    kernel = FakeCamera(shots(7, 8, 11, 12))
    items = [item for item in first(camera(kernel), 5) if isinstance(item, Sample)]
    assert [(item.sequence, item.lost, item.captured) for item in items] == [
        (0, 0, 5.25), (1, 0, 5.25), (4, 2, 5.25), (5, 2, 5.25),
    ]
    assert np.asarray(items[0].data).shape == (48, 64, 3)
    assert not kernel.streaming
    assert kernel.opened == 0


def test_numbers_that_overflow_or_start_anew_are_no_loss() -> None:
    kernel = FakeCamera(shots(2**32 - 1, 0, 1, 0))
    items = [item for item in first(camera(kernel), 5) if isinstance(item, Sample)]
    assert [item.lost for item in items] == [0, 0, 0, 0]


def test_of_frames_that_wait_in_the_driver_the_newest_is_taken_and_the_others_count() -> None:
    ready: list[Shot | int] = [Shot(yuyv(16), 0), errno.EAGAIN]
    ready += [Shot(yuyv(level), number) for number, level in ((1, 50), (2, 60), (3, 235))]
    items = [item for item in first(camera(FakeCamera(ready)), 3) if isinstance(item, Sample)]
    assert [(item.sequence, item.lost) for item in items] == [(0, 0), (3, 2)]
    assert np.asarray(items[1].data).min() >= 250


def test_an_unplugged_camera_is_told_and_opened_again() -> None:
    kernel = FakeCamera([*shots(0), errno.ENODEV, *shots(0, 1)], opening=[0, errno.ENOENT, 0])
    items = first(camera(kernel), 9)
    said = [str(item) for item in items if isinstance(item, Event)]
    assert said[0] == "camera:0?size=64x48: connected"
    assert said[1] == "camera:0?size=64x48: lost (/dev/video0 was unplugged)"
    assert "lost (there is no camera /dev/video0)" in said[3]
    assert said[5] == "camera:0?size=64x48: connected"
    assert [item.sequence for item in items if isinstance(item, Sample)] == [0, 1, 2]
    assert kernel.opened == 0


def test_damaged_and_short_frames_are_problems() -> None:
    bad: list[Shot | int] = [
        *shots(0), Shot(yuyv(1), 1, damaged=True), errno.EAGAIN, Shot(b"", 2), errno.EAGAIN, Shot(b"abc", 3),
        errno.EAGAIN, *shots(4),
    ]
    items = first(camera(FakeCamera(bad)), 6)
    assert [item.reason.split(":")[0] for item in items if isinstance(item, Problem)] == [
        "a frame that the camera calls damaged", "an empty frame", "a frame is cut short",
    ]
    assert [item.sequence for item in items if not isinstance(item, Event)] == [0, 1, 2, 3, 4]


def test_a_camera_that_stands_still_is_found_and_opened_again() -> None:
    kernel = FakeCamera(shots(0))
    items = first(camera(kernel, "camera:0?size=64x48&timeout=0.05"), 4)
    assert [item.kind for item in items if isinstance(item, Event)] == ["connected", "stalled", "retrying"]


def test_times_of_another_clock_are_not_taken() -> None:
    [_, sample] = first(camera(FakeCamera(shots(0, moment=1.7e9), monotonic=False)), 2)
    assert isinstance(sample, Sample)
    assert sample.captured < 1e9


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"opening": [errno.ENOENT]}, "no camera /dev/video0"),
        ({"opening": [errno.EACCES]}, "usermod -aG video"),
        ({"opening": [errno.EBUSY]}, "fuser -v /dev/video0"),
        ({"busy": True}, "another program"),
        ({"capabilities": api.CAP_STREAMING}, "(Fake Camera) gives no pictures"),
        ({"modes": [("pRAA", 64, 48, [])]}, "there is pRAA"),
    ],
)
def test_what_cannot_be_opened_says_why(changes: dict[str, Any], words: str) -> None:
    kernel = FakeCamera(shots(0), **changes)
    with pytest.raises(DeviceError) as caught:
        first(camera(kernel), 1)
    assert words in str(caught.value)
    assert kernel.opened == 0


def test_an_absent_camera_is_told_together_with_those_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "video2").touch()
    listed = tmp_path / "sys/class/video4linux/video2"
    listed.mkdir(parents=True)
    (listed / "name").write_text("HD Webcam\n")
    monkeypatch.setenv("EDGEKIT_ROOT", str(tmp_path))
    with pytest.raises(DeviceError, match=r"video2 \(HD Webcam\)"):
        first(open_camera("camera:7"), 1)


@pytest.mark.parametrize(
    ("uri", "words"),
    [("camera:front", "camera:0"), ("camera:0?format=H264", "MJPG"), ("camera:0?size=big", "640x480"),
     ("camera:0?speed=3", "fps")],
)
def test_mistakes_in_a_camera_s_name(uri: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_camera(uri)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("wish", "taken"),
    [
        (Wish(640, 480, 30), "YUYV 640x480 30 fps"),
        (Wish(1280, 720, 30), "MJPG 1280x720 30 fps"),
        (Wish(1280, 720, 5), "YUYV 1280x720 10 fps"),
        (Wish(640, 480, 30, "MJPG"), "MJPG 640x480 30 fps"),
        (Wish(300, 200, 30), "YUYV 320x240 30 fps"),
        (Wish(4000, 3000, 30), "MJPG 1280x720 30 fps"),
        (Wish(640, 480, 30, "NV12"), "None"),
    ],
)
def test_the_mode_nearest_to_the_wish_is_taken(wish: Wish, taken: str) -> None:
    modes = [
        Mode("H264", 640, 480, 30), Mode("YUYV", 320, 240, 30), Mode("YUYV", 640, 480, 30), Mode("YUYV", 1280, 720, 10),
        Mode("MJPG", 640, 480, 30), Mode("MJPG", 1280, 720, 30),
    ]
    assert str(choose(modes, wish)) == taken


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(sorted(DECODERS)), st.integers(1, 20), st.integers(1, 20), st.integers(0, 3))
def test_every_format_of_a_grey_wall_is_a_grey_picture(name: str, half_width: int, half_height: int, fill: int) -> None:
    width, height = half_width * 2, half_height * 2
    if name in ("MJPG", "JPEG"):
        data = cv2.imencode(".jpg", np.full((height, width, 3), 128, np.uint8))[1].tobytes() + bytes(fill)
        stride = 0
    else:
        size = {"BGR3": 3, "RGB3": 3, "YUYV": 2, "UYVY": 2}.get(name, 1)
        stride = width * size + fill * 2
        rows = height * 3 // 2 if name in ("NV12", "YU12") else height
        data = bytes([128]) * stride * rows
    picture = to_bgr(np.frombuffer(data, np.uint8), Layout(name, width, height, stride))
    assert picture.shape == (height, width, 3)
    assert np.abs(picture.astype(int) - 128).max() <= 3


def test_a_jpeg_without_its_tables_is_read() -> None:
    """As many USB cameras send it: the tables for its codes are those of the standard, and left out."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    bare = bytearray(whole)
    while (at := bare.find(b"\xff\xc4")) >= 0:
        del bare[at : at + 2 + int.from_bytes(bare[at + 2 : at + 4], "big")]
    first, second = (to_bgr(np.frombuffer(data, np.uint8), Layout("MJPG", 64, 48, 0)) for data in (whole, bytes(bare)))
    assert np.array_equal(first, second)
