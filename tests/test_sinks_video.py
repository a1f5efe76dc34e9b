"""Videos with the results drawn on them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit import OutputError, Result, UsageError
from edgekit.results import DetectedObject, Detection, Latency
from edgekit.sinks import open_sink
from edgekit.sinks.video import Timeline

cv2 = pytest.importorskip("cv2")

GREEN = (0, 255, 0)


def frame(colour: tuple[int, int, int] = GREEN, size: tuple[int, int] = (96, 64)) -> NDArray[np.uint8]:
    return np.full((size[1], size[0], 3), colour, np.uint8)


def result(captured: float, picture: NDArray[np.uint8] | None = None, **more: Any) -> Result:
    objects = (DetectedObject(0, "", 0.9, (40, 30, 80, 60)),)
    found = Detection(task="detection", device="cpu", latency=Latency(), objects=objects, width=96, height=64)
    return replace(found, captured=captured, frame=frame() if picture is None else picture, **more)


def read(path: Path) -> tuple[list[NDArray[np.uint8]], float]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = []
    while (found := capture.read())[0]:
        frames.append(found[1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_frames_stand_where_they_were_captured(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    sink = open_sink(path)
    for captured, colour in ((100.0, GREEN), (100.2, (255, 0, 0)), (100.201, GREEN), (100.5, (0, 0, 255))):
        sink.write(result(captured, frame(colour)))
    sink.close()
    frames, rate = read(path)
    assert rate == 30
    assert len(frames) == 16  # 0.5 s and the last
    corners = [int(np.argmax(picture[2, -3])) for picture in frames]
    assert corners == [1] * 6 + [0] * 9 + [2]
    assert np.abs(frames[0][60, 60].astype(int) - GREEN).max() > 60  # the lower edge of the box


def test_a_video_keeps_its_rate_and_the_places_of_its_frames(
    tmp_path: Path, photo_model: Path, call: Callable[..., int]
) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"MJPG"), 12.5, (96, 64))
    for _ in range(10):
        writer.write(frame())
    writer.release()
    assert call(photo_model, clip, "--normalize", "0..1", "--sink", tmp_path / "out.mkv") == 0
    frames, rate = read(tmp_path / "out.mkv")
    assert (len(frames), rate) == (10, 12.5)


def test_frames_of_another_shape_are_fitted_with_bars(tmp_path: Path) -> None:
    sink = open_sink(tmp_path / "out.mkv")
    sink.write(result(0, frame(size=(97, 65))))  # odd sizes lose a column and a row
    sink.write(result(1 / 30, frame(size=(64, 96))))
    sink.close()
    frames, _ = read(tmp_path / "out.mkv")
    assert frames[0].shape == (64, 96, 3)
    assert frames[1][32, 3].max() < 40
    assert frames[1][32, 48, 1] > 150


def test_files_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "there.mp4").touch()
    with pytest.raises(OutputError, match="there already") as caught:
        open_sink(tmp_path / "there.mp4")
    assert "%Y" in caught.value.hint
    with pytest.raises(OutputError, match="No such file"):
        open_sink(tmp_path / "absent" / "out.mp4")
    sink = open_sink(tmp_path / "none.mp4")
    with pytest.raises(UsageError, match="gives no pictures"):
        sink.write(Result(task="values", device="cpu", latency=Latency()))
    sink.close()
    assert not (tmp_path / "none.mp4").exists()


def test_the_time_may_be_part_of_the_name(tmp_path: Path) -> None:
    sink = open_sink(tmp_path / "%Y-out.mkv")
    sink.write(result(0))
    sink.close()
    assert next(tmp_path.iterdir()).name.endswith("-out.mkv")
    assert next(tmp_path.iterdir()).name.startswith("2")


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_a_killed_process_leaves_a_video_that_plays(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    code = f"""
import os, signal, numpy as np
from edgekit.results import Latency, Result
from edgekit.sinks import open_sink
sink, noise = open_sink({str(path)!r}), np.random.default_rng(0)
for number in range(120):
    frame = noise.integers(0, 255, (120, 160, 3)).astype(np.uint8)
    sink.write(Result(task="t", device="cpu", latency=Latency(), captured=number / 30, frame=frame))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(read(path)[0]) > 60


def test_a_long_pause_is_cut_short() -> None:
    timeline = Timeline(30)
    assert timeline.place(result(0)) == 1
    assert timeline.place(result(3600)) == 300
    assert timeline.place(result(3600 + 1 / 30)) == 1
    assert timeline.place(result(3599)) == 0
