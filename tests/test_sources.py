"""Where samples come from."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit import MissingFileError, UsageError, plugins
from edgekit.sources import Problem, Sample, Source, open_source

cv2 = pytest.importorskip("cv2")

FRAMES = 30


def write_picture(path: Path, level: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((8, 8, 3), level, np.uint8))
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Frames whose lower half gets brighter by 8 from one to the next."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    noise = np.random.default_rng(0)
    for number in range(FRAMES):
        frame = np.full((48, 64, 3), number * 8, np.uint8)
        frame[:24] = noise.integers(0, 256, (24, 64, 3))
        writer.write(frame)
    writer.release()
    return path


def split(source: Source) -> tuple[list[Sample], list[Problem]]:
    items = list(source)
    return [item for item in items if isinstance(item, Sample)], [item for item in items if isinstance(item, Problem)]


def array(sample: Sample) -> NDArray[Any]:
    assert isinstance(sample.data, np.ndarray)
    return sample.data


def test_a_picture_is_one_sample(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", 7)
    [sample], problems = split(open_source(path))
    assert not problems
    assert (sample.source, sample.sequence, sample.channels) == (str(path), 0, "bgr")
    assert array(sample).shape == (8, 8, 3)
    assert array(sample).max() == 7
    assert sample.captured > 0
    assert sample.time.tzinfo is not None


def test_a_folder_gives_its_pictures_in_order_and_tells_of_bad_ones(tmp_path: Path) -> None:
    write_picture(tmp_path / "b" / "2.png")
    write_picture(tmp_path / "a.png")
    (tmp_path / "c.jpg").write_text("no picture")
    samples, [problem] = split(open_source(tmp_path))
    assert [Path(sample.source).name for sample in samples] == ["a.png", "2.png"]
    assert [sample.sequence for sample in samples] == [0, 1]
    assert problem.sequence == 2
    assert "c.jpg" in str(problem)
    assert "no picture" in problem.reason


@pytest.mark.parametrize(("pattern", "count"), [("*.png", 2), ("**/*.png", 3), ("**", 3), ("[b]*.png", 1)])
def test_patterns(tmp_path: Path, pattern: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.png", "b.png", "sub/c.png"):
        write_picture(tmp_path / name)
    assert len(list(open_source(f"{tmp_path}/{pattern}"))) == count
    monkeypatch.chdir(tmp_path)
    assert len(list(open_source(pattern))) == count


def test_a_pattern_may_match_files_of_several_kinds(tmp_path: Path, video: Path) -> None:
    write_picture(tmp_path / "a.png")
    source = open_source(f"{tmp_path}/*.*")
    samples, problems = split(source)
    assert not problems
    assert source.reads_ahead
    assert [sample.sequence for sample in samples] == [0, *range(FRAMES)]
    assert samples[-1].source == str(video)


def test_a_file_whose_name_is_a_pattern_is_that_file(tmp_path: Path) -> None:
    assert len(list(open_source(write_picture(tmp_path / "[1].png")))) == 1


def test_a_file_is_known_by_its_content_where_the_name_does_not_say(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png").rename(tmp_path / "photo")
    assert len(split(open_source(tmp_path / "photo"))[0]) == 1
    (tmp_path / "notes.txt").write_text("words")
    with pytest.raises(UsageError, match=r"notes\.txt") as caught:
        open_source(tmp_path / "notes.txt")
    assert ".csv" in caught.value.hint


def test_the_frames_of_a_video(video: Path) -> None:
    samples, problems = split(open_source(video))
    assert not problems
    assert [sample.sequence for sample in samples] == list(range(FRAMES))
    levels = np.array([array(sample)[40, 32, 0] for sample in samples], int)
    assert np.abs(levels - np.arange(FRAMES) * 8).max() <= 4


def test_a_video_cut_short_is_told_from_one_at_its_end(video: Path) -> None:
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])
    samples, [problem] = split(open_source(video))
    assert 5 < len(samples) < 20
    assert f"after {len(samples)} of about {FRAMES} frames" in problem.reason


def test_frames_behind_damage_are_read_and_the_damage_is_told(tmp_path: Path) -> None:
    """Regression: OpenCV says once that there is no frame, and half of the file was left out in silence."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    path = tmp_path / "clip.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30", "-frames:v", "120"]
    subprocess.run(["ffmpeg", "-loglevel", "error", *picture, "-c:v", "libx264", path], check=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = np.random.default_rng(0).bytes(2000)
    path.write_bytes(content)
    samples, problems = split(open_source(path))
    assert 110 < len(samples) < 120
    assert all("frames are missing there" in problem.reason for problem in problems)
    assert problems


@pytest.fixture
def boxed(tmp_path: Path) -> bytes:
    """An .mp4 of 60 frames of noise, made for the network: with the index before the frames."""
    path = tmp_path / "made.mp4"
    write_noise(path, "mp4v")
    content = path.read_bytes()
    frames, index = content.index(b"mdat") - 4, bytearray(content[content.index(b"moov") - 4 :])
    at = index.index(b"stco") + 8
    for entry in range(at + 4, at + 4 + 4 * int.from_bytes(index[at : at + 4], "big"), 4):
        place = int.from_bytes(index[entry : entry + 4], "big") + len(index)
        index[entry : entry + 4] = place.to_bytes(4, "big")
    return content[:frames] + bytes(index) + content[frames : content.index(b"moov") - 4]


def write_noise(path: Path, codec: str) -> None:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), 30, (64, 48))
    if not writer.isOpened():
        pytest.skip(f"OpenCV's FFmpeg cannot write {path.suffix} here")
    noise = np.random.default_rng(0)
    for _ in range(60):
        writer.write(noise.integers(0, 256, (48, 64, 3)).astype(np.uint8))
    writer.release()


def test_a_video_with_the_index_in_front_is_told_to_be_cut(tmp_path: Path, boxed: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(boxed)
    samples, problems = split(open_source(path))
    assert (len(samples), problems) == (60, [])
    path.write_bytes(boxed[: len(boxed) // 2])
    samples, [problem] = split(open_source(path))
    assert f"after {len(samples)} of about 60" in problem.reason


def test_a_video_shortened_in_an_editor_is_whole(tmp_path: Path, boxed: bytes) -> None:
    """Such a file keeps all frames, and says which of them to show."""
    content = bytearray(boxed)
    duration = content.index(b"elst") + 12
    half = int.from_bytes(content[duration : duration + 4], "big") // 2
    content[duration : duration + 4] = half.to_bytes(4, "big")
    (tmp_path / "clip.mp4").write_bytes(content)
    samples, problems = split(open_source(tmp_path / "clip.mp4"))
    assert (len(samples), problems) == (30, [])


@pytest.mark.parametrize(("name", "codec"), [("a.ts", "mpg1"), ("a.mpg", "mpg1"), ("a.mkv", "mp4v"), ("a.avi", "MJPG")])
def test_a_count_of_frames_that_is_a_guess_is_no_damage(tmp_path: Path, name: str, codec: str) -> None:
    """FFmpeg says 119 of the 60 frames of the .ts file, where it counts fields."""
    write_noise(tmp_path / name, codec)
    samples, problems = split(open_source(tmp_path / name))
    assert (len(samples), problems) == (60, [])


def test_a_video_of_varying_rate_is_whole(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a recorded screen: the rate is that of its busiest part, and the last frame stands still for a while."""

    class Varying:
        CAP_FFMPEG, CAP_PROP_FRAME_COUNT, CAP_PROP_FPS, CAP_PROP_POS_MSEC = range(4)

        def __init__(self, *_: Any) -> None:
            self.moments = iter([0, 0.1, 0.2, 2.0, 4.0, 8.0])
            self.at = 0.0

        def isOpened(self) -> bool:
            return True

        def get(self, which: int) -> float:
            return {1: 100.0, 2: 10.0}.get(which, self.at * 1000)

        def read(self) -> tuple[bool, Any]:
            self.at = next(self.moments, -1)
            return self.at >= 0, np.zeros((8, 8, 3), np.uint8)

        def release(self) -> None:
            pass

    monkeypatch.setattr(Varying, "VideoCapture", Varying, raising=False)
    monkeypatch.setattr("edgekit.sources.video.import_cv2", lambda: Varying)
    samples, problems = split(open_source(video))
    assert (len(samples), problems) == (6, [])


@pytest.mark.parametrize("content", [b"", b"text", b"\0" * 5000])
def test_what_is_no_video_is_a_problem(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(content)
    samples, [problem] = split(open_source(tmp_path / "clip.mp4"))
    assert not samples
    assert "no video" in problem.reason
    assert "clip.mp4" in str(problem)


def test_rows_of_numbers_are_brought_to_a_shape_and_bad_ones_told(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n3,\n5,6\n")
    samples, [problem] = split(open_source(path, shape=(2, 1)))
    assert [array(sample).tolist() for sample in samples] == [[[1], [2]], [[5], [6]]]
    assert [sample.sequence for sample in samples] == [0, 2]
    assert str(problem) == f"{path}, line 3: column 2 is empty"
    samples, problems = split(open_source(path, shape=(3,)))
    assert not samples
    assert [problem.sequence for problem in problems] == [0, 1, 2]


def test_pictures_in_an_array_stay_pixels(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 5, 3), np.uint8))
    samples, _ = split(open_source(tmp_path / "a.npy", shape=(8, 8, 3)))
    assert [(array(sample).shape, array(sample).dtype, sample.channels) for sample in samples] == [
        ((4, 5, 3), np.dtype(np.uint8), "rgb")
    ] * 2
    np.save(tmp_path / "flat.npy", np.zeros((2, 12), np.uint8))
    samples, _ = split(open_source(tmp_path / "flat.npy", shape=(2, 2, 3)))
    assert [(array(sample).shape, array(sample).dtype) for sample in samples] == [((2, 2, 3), np.dtype(np.uint8))] * 2


@pytest.mark.parametrize("name", ["absent.jpg", "absent/", "*.jpg"])
def test_what_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingFileError, match=name.rstrip("/").replace("*", r"\*")):
        open_source(f"{tmp_path}/{name}")


def test_nothing_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError):
        open_source("")


def test_an_unknown_scheme_is_told_what_there_is() -> None:
    with pytest.raises(UsageError, match="no source 'bogus:'") as caught:
        open_source("bogus:0")
    assert "camera:" in caught.value.hint


def test_a_registered_scheme_is_opened_with_the_whole_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Camera:
        uri: str
        shape: tuple[int, ...] | None
        reads_ahead: bool = False

        def __iter__(self) -> Iterator[Sample | Problem]:
            yield Sample(np.zeros(1), self.uri)

    class Point:
        def load(self) -> Any:
            return Camera

    monkeypatch.setattr(plugins, "registered", lambda group: {"camera": Point()} if group == "edgekit.sources" else {})
    opened = open_source("camera:0", shape=(2, 3))
    assert isinstance(opened, Camera)
    assert (opened.uri, opened.shape) == ("camera:0", (2, 3))
    with pytest.raises(UsageError) as caught:
        open_source("mic:0")
    assert "camera:" in caught.value.hint
