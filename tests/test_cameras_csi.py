"""Cameras on the board's own connector, without one: the programs that read them are scripts."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edgekit import DeviceError, UsageError
from edgekit.sources import Event, Sample
from edgekit_devices.cameras.csi import jetson_pipeline, open_csi, rpicam_command
from edgekit_devices.cameras.formats import Wish

cv2 = pytest.importorskip("cv2")


def put(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!{sys.executable}\nimport sys, time\nout = sys.stdout.buffer\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["rpicam-vid", "libcamera-vid"])
def test_a_raspberry_pi_s_camera_is_read_from_its_program(programs: Path, name: str) -> None:
    picture = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    put(programs, name, f"open({str(programs / 'called')!r}, 'w').write(' '.join(sys.argv[1:]))\n"
        f"out.write({picture!r} * 2); out.flush(); time.sleep(60)")
    source = open_csi("csi:1?size=1280x720&fps=15", board=programs / "absent")
    assert source.live
    with closing(iter(source)) as items:  # type: ignore[type-var]
        found = list(islice(items, 3))
    assert [type(item) for item in found] == [Event, Sample, Sample]
    called = (programs / "called").read_text()
    for words in ("--camera 1", "--width 1280", "--height 720", "--framerate 15", "--codec mjpeg", "--timeout 0"):
        assert words in called


def test_what_the_program_says_is_the_reason(programs: Path) -> None:
    put(programs, "rpicam-vid", "sys.exit('ERROR: *** no cameras available ***')")
    with pytest.raises(DeviceError, match="no cameras available"):
        list(open_csi("csi:0?wait=0", board=programs / "absent"))


def test_a_jetson_s_camera_comes_through_gstreamer(programs: Path) -> None:
    (programs / "compatible").write_bytes(b"nvidia,p3767-0005\0nvidia,tegra234\0")
    put(programs, "gst-launch-1.0", f"open({str(programs / 'called')!r}, 'w').write('\\n'.join(sys.argv[1:]))\n"
        "out.write(b'YUV4MPEG2 W8 H2 F30:1\\nFRAME\\n' + bytes(24)); out.flush(); time.sleep(60)")
    source = open_csi("csi:1?size=1280x720", board=programs / "compatible")
    with closing(iter(source)) as items:  # type: ignore[type-var]
        assert [type(item) for item in islice(items, 2)] == [Event, Sample]
    called = (programs / "called").read_text().split("\n")
    assert called[1:3] == ["nvarguscamerasrc", "sensor-id=1"]
    assert "video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1" in called
    assert called[-5:] == ["y4menc", "!", "fdsink", "fd=1", "sync=false"]


def test_the_commands_are_words_that_a_shell_takes() -> None:
    assert shlex.split(jetson_pipeline(0, Wish()))[0] == "nvarguscamerasrc"
    command = rpicam_command("/usr/bin/rpicam-vid", 0, Wish(fps=29.97))
    assert command[-5:] == ["29.97", "--codec", "mjpeg", "--output", "-"]


@pytest.mark.parametrize(
    ("uri", "words"), [("csi:front", "csi:0"), ("csi:0?format=RAW", "fps"), ("csi:0?size=1", "size")]
)
def test_mistakes(programs: Path, uri: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_csi(uri)
    assert words in str(caught.value)


def test_a_board_without_the_program(programs: Path) -> None:
    assert os.environ["PATH"] == str(programs)
    with pytest.raises(DeviceError, match="rpicam-apps-lite"):
        open_csi("csi:0", board=programs / "absent")
