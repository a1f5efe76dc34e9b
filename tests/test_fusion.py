"""Several sources into one model, joined by the time of capture."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import edgekit
from edgekit.errors import UsageError
from edgekit.fusion import Fused, Join, fuse
from edgekit.fusion.source import Follower
from edgekit.metadata.types import InputMetadata, Metadata, Normalization, Window
from edgekit.sources import Event, Problem, Sample
from edgekit.windows import Block


class Frames:
    """A recorded camera."""

    uri, reads_ahead, live = "test:frames", False, False

    def __init__(self, times: Any) -> None:
        self.times = [float(time) for time in times]

    def __iter__(self) -> Iterator[Any]:
        for number, time in enumerate(self.times):
            yield Sample(np.full((8, 8, 1), number % 256, np.uint8), self.uri, number, captured=0.0, position=time)


class Imu:
    """A recorded sensor, whose value is its time."""

    uri, reads_ahead, live, rate = "test:imu", False, False, None

    def __init__(self, times: Any, size: int = 7, events: Any = ()) -> None:
        self.times, self.size, self.events = np.asarray(times, np.float64), size, list(events)

    def blocks(self) -> Iterator[Any]:
        for at in range(0, len(self.times), self.size):
            part = self.times[at : at + self.size]
            yield Block(part, part.astype(np.float32)[:, None], self.uri)
        yield from self.events

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def fused(frames: Any, imu: Any, window: Window | None, join: Join) -> list[Any]:
    return list(Fused(Frames(frames), "image", {"imu": Follower(Imu(imu), join, window)}))


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.floats(0, 0.3), st.integers(1, 60), st.sampled_from(["interpolate", "nearest"])
)
def test_a_window_ends_at_its_frame_within_half_a_sample(seed: int, jitter: float, size: int, rule: Any) -> None:
    random = np.random.default_rng(seed)
    rate = 200.0
    imu = (np.arange(800) + jitter * random.uniform(-1, 1, 800)) / rate
    frames = 0.5 + np.arange(60) / 30 + random.uniform(-0.004, 0.004, 60)
    items = fused(frames, imu, Window(size, 1, rate), Join(rule))
    assert all(isinstance(item, Sample) for item in items)
    for item, moment in zip(items, frames, strict=True):
        values = item.data["imu"][:, 0]
        assert len(values) == size
        assert abs(values[-1] - moment) <= 0.5 / rate * (1 + 2 * jitter) + 1e-4
        assert item.slack["imu"] == pytest.approx(moment - values[-1], abs=1e-4)
        np.testing.assert_allclose(np.diff(values), 1 / rate, atol=1e-4)


def test_latest_takes_nothing_that_came_later() -> None:
    items = fused([1.0, 1.049], np.arange(100) / 10, Window(3, 1), Join("latest"))
    assert [item.data["imu"][:, 0].tolist() for item in items] == [pytest.approx([0.8, 0.9, 1.0])] * 2
    assert [item.slack["imu"] for item in items] == [pytest.approx(0, abs=1e-9), pytest.approx(0.049)]


def test_a_frame_without_a_window_near_it_is_a_problem_and_the_camera_goes_on() -> None:
    imu = [*np.arange(0, 1, 0.1), *np.arange(2, 3, 0.1)]
    items = fused([0.05, 0.5, 1.5, 2.1, 2.5], imu, Window(3, 1, 10), Join())
    assert [type(item) for item in items] == [Problem, Sample, Problem, Problem, Sample]
    assert items[0].reason == "nothing of imu (test:imu) near its moment"
    assert items[2].sequence == 2


def test_an_offset_moves_a_source_in_time() -> None:
    [item] = fused([1.0], np.arange(0, 2, 0.1), Window(1, 1, 10), Join(offset=0.25))
    assert item.data["imu"][0, 0] == pytest.approx(0.75, abs=1e-6)


def test_events_of_the_others_are_handed_on() -> None:
    follower = Follower(Imu(np.arange(3) / 10, events=[Event("test:imu", "lost")]), Join(), Window(1, 1, 10))
    items = list(Fused(Frames([0.1, 9]), "image", {"imu": follower}))
    assert [getattr(item, "kind", type(item).__name__) for item in items] == ["Sample", "lost", "Problem"]


def test_a_second_camera_gives_its_nearest_frame() -> None:
    follower = Follower(Frames([0, 0.033, 0.066, 0.1]), Join("nearest"))
    items: list[Any] = list(Fused(Frames([0.04, 0.09, 0.5]), "left", {"right": follower}))
    assert [item.data["right"][0, 0, 0] for item in items[:2]] == [1, 3]
    assert items[0].slack["right"] == pytest.approx(0.007)
    assert isinstance(items[2], Problem)


class Live:
    """A live sensor that gives what it is told to, and then falls silent."""

    reads_ahead, live, rate, uri = True, True, None, "test:live"

    def __init__(self, *items: Any) -> None:
        self.items, self.stopped = items, threading.Event()

    def blocks(self) -> Iterator[Any]:
        yield from self.items
        self.stopped.wait(10)

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def stop(self) -> None:
        self.stopped.set()


def test_a_live_sensor_that_stops_does_not_stop_the_camera() -> None:
    times = np.arange(20) / 10
    imu = Live(Block(times, times.astype(np.float32)[:, None], "test:live"), Event("test:live", "stalled"))
    follower = Follower(imu, Join(wait=0.2), Window(3, 1, 10))
    items = list(Fused(Frames([1.0, 1.5, 2.5, 3.5, 4.5]), "image", {"imu": follower}))
    found = [item for item in items if not isinstance(item, Event)]
    assert [type(item) for item in found] == [Sample, Sample, Problem, Problem, Problem]
    assert [item.kind for item in items if isinstance(item, Event)] == ["stalled"]
    assert imu.stopped.is_set()
    assert not [thread for thread in threading.enumerate() if "test:live" in thread.name]


def test_what_ends_a_live_sensor_ends_the_run() -> None:
    class Broken(Live):
        def blocks(self) -> Iterator[Any]:
            raise OSError("unplugged")
            yield

    follower = Follower(Broken(), Join(), Window(3, 1, 10))
    with pytest.raises(OSError, match="unplugged"):
        list(Fused(Frames([1.0]), "image", {"imu": follower}))


@pytest.fixture
def two_inputs(build: Callable[..., Path], describe: Callable[[Path, Metadata], None]) -> Path:
    """A model that adds 64 samples of a sensor to a picture of 8 by 8."""
    path = build(
        "ADD", [("image", (1, 8, 8, 1), "float32"), ("imu", (1, 8, 8, 1), "float32")], [("y", (1, 8, 8, 1), "float32")]
    )
    describe(path, Metadata(inputs=(
        InputMetadata("image", content="image", channels="gray", normalization=Normalization((0.0,), (1.0,))),
        InputMetadata("imu", content="features", window=Window(64, 1, 100.0)),
    )))
    return path


def test_a_camera_and_a_log_run_through_a_model_of_two_inputs(two_inputs: Path, tmp_path: Path) -> None:
    times = np.arange(300) / 100
    np.savetxt(tmp_path / "imu.csv", np.c_[times, times], delimiter=",", header="t,x", comments="")
    model = edgekit.load(two_inputs)
    source = fuse(model, {"image": Frames([1.0, 2.0]), "imu": tmp_path / "imu.csv"})
    results: list[Any] = list(edgekit.run(model, source))
    assert [result.sequence for result in results] == [0, 1]
    outputs: list[NDArray[np.float32]] = [result.values["y"].reshape(-1) for result in results]
    np.testing.assert_allclose(outputs[0], np.arange(37, 101) / 100, atol=1e-5)
    np.testing.assert_allclose(outputs[1], 1 + np.arange(137, 201) / 100, atol=1e-5)
    assert results[0].slack["imu"] == pytest.approx(0, abs=1e-9)
    assert '"slack_ms":{"imu":0.0}' in results[0].to_json()


def test_sources_that_are_not_those_of_the_inputs_are_refused(two_inputs: Path) -> None:
    model = edgekit.load(two_inputs)
    with pytest.raises(UsageError, match=r"sources are given for image, and the inputs of .* are image, imu"):
        fuse(model, {"image": Frames([1.0])})
    with pytest.raises(UsageError, match="there is no input camera"):
        fuse(model, {"image": Frames([1.0]), "imu": Imu([1.0])}, lead="camera")
    with pytest.raises(UsageError, match="join"):
        Join("closest")  # type: ignore[arg-type]


def test_the_command_takes_a_source_for_each_input(
    two_inputs: Path, tmp_path: Path, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    cv2 = pytest.importorskip("cv2")
    assert cv2.imwrite(str(tmp_path / "0.png"), np.zeros((8, 8), np.uint8))
    np.savetxt(tmp_path / "imu.csv", np.arange(100), header="x", comments="")
    lead = f"image={tmp_path / '0.png'}"
    assert call(two_inputs, lead, f"imu={tmp_path / 'imu.csv'}", "--rate", 100) == 1
    said = capsys.readouterr()
    assert "nothing of imu" in said.err  # the picture is of now, and the log is not


def test_a_source_for_one_of_several_inputs_is_not_enough(
    two_inputs: Path, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(two_inputs, "image=test:pattern") == 2
    assert "imu" in capsys.readouterr().err
