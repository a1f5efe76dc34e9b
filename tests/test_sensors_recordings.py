"""Recordings as streams, and clocks of devices."""

from __future__ import annotations

import json
import time
import wave
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgekit
from edgekit.clocks import DeviceClock, SampleClock
from edgekit.errors import DataError, UsageError
from edgekit.metadata.types import Window
from edgekit.sources import Problem, Sample
from edgekit.windows import Block, Windowed, WindowOptions, window_of
from edgekit.windows.opening import open_stream, open_windowed


def read(path: Path | str, rate: float | None = None) -> tuple[Block, list[Problem]]:
    """All of a recording, as one block."""
    items = list(open_stream(path, rate).blocks())
    blocks = [item for item in items if isinstance(item, Block)]
    whole = Block(
        np.concatenate([each.times for each in blocks]), np.concatenate([each.values for each in blocks]), "",
        blocks[0].channels,
    )
    return whole, [item for item in items if isinstance(item, Problem)]


@pytest.mark.parametrize(
    ("text", "times", "values", "channels"),
    [
        ("t,x,y\n0.5,1,2\n0.6,3,4\n", [0.5, 0.6], [[1, 2], [3, 4]], ("x", "y")),
        ("time_ms;x\n500;1\n600;3\n", [0.5, 0.6], [[1], [3]], ("x",)),
        ("x y\n1 2\n3 4\n", [0, 0.1], [[1, 2], [3, 4]], ("x", "y")),
        ("# a note\n1,2\n\n3,4", [0, 0.1], [[1, 2], [3, 4]], ()),
        ("timestamp,x\n2026-01-02T03:04:05Z,1\n2026-01-02 03:04:05.5+00:00,\n", [1767323045, 1767323045.5],
         [[1], [np.nan]], ("x",)),
        ("\ufefft,x\n1e9,1\n", [1e9], [[1]], ("x",)),
    ],
)
def test_logs_of_many_forms(tmp_path: Path, text: str, times: Any, values: Any, channels: Any) -> None:
    (tmp_path / "log.csv").write_text(text)
    whole, problems = read(tmp_path / "log.csv", 10)
    np.testing.assert_allclose(whole.times, times)
    np.testing.assert_array_equal(whole.values, values)
    assert whole.channels == channels
    assert not problems


def test_a_bad_line_of_a_log_is_a_problem_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("t,x\n0,1\n1,one\n2\n3,4\n")
    whole, problems = read(tmp_path / "log.csv")
    assert whole.values[:, 0].tolist() == [1, 4]
    assert [str(problem) for problem in problems] == [
        f"{tmp_path}/log.csv, line 3: column x is 'one', which is no number",
        f"{tmp_path}/log.csv, line 4: 1 columns where 2 are wanted: '2'",
    ]


def test_columns_are_chosen_by_name(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("when,x,note,y\n0,1,a,2\n1,3,b,4\n")
    whole, _ = read(f"{tmp_path}/log.csv?columns=y,x&time=when&unit=ms")
    np.testing.assert_allclose(whole.times, [0, 0.001])
    np.testing.assert_array_equal(whole.values, [[2, 1], [4, 3]])
    with pytest.raises(DataError, match="there is no column z; there are when, x, note, y"):
        read(f"{tmp_path}/log.csv?columns=z")
    with pytest.raises(UsageError, match="no option colums"):
        read(f"{tmp_path}/log.csv?colums=z")


def test_arrays_with_and_without_times(tmp_path: Path) -> None:
    values = np.arange(20000).reshape(10000, 2)
    np.savez(tmp_path / "log.npz", x=values, t=np.arange(10000) / 100)
    np.save(tmp_path / "log.npy", values[:, 0])
    whole, _ = read(tmp_path / "log.npz")
    np.testing.assert_array_equal(whole.values, values)
    np.testing.assert_allclose(whole.times, np.arange(10000) / 100)
    whole, _ = read(tmp_path / "log.npy", 50)
    assert whole.values.shape == (10000, 1)
    assert whole.times[-1] == pytest.approx(9999 / 50)
    np.savez(tmp_path / "two.npz", a=values, b=values)
    with pytest.raises(DataError, match="holds no one stream"):
        read(tmp_path / "two.npz")


@pytest.mark.parametrize(("width", "dtype", "full"), [(1, "u1", 0), (2, "<i2", 2**15), (4, "<i4", 2**31)])
def test_sound_is_numbers_from_minus_one_to_one(tmp_path: Path, width: int, dtype: str, full: float) -> None:
    signal = np.linspace(-1, 0.99, 9000)
    stored = (signal * 128 + 128 if width == 1 else signal * full).astype(dtype)
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((2, width, 8000, 0, "NONE", ""))
        sound.writeframes(np.stack((stored, stored), axis=1).tobytes())
    whole, _ = read(tmp_path / "a.wav")
    np.testing.assert_allclose(whole.values[:, 0], signal, atol=1 / 64 if width == 1 else 1e-4)
    np.testing.assert_allclose(whole.times, np.arange(9000) / 8000)
    assert read(f"{tmp_path}/a.wav?channel=1")[0].values.shape == (9000, 1)
    with pytest.raises(DataError, match="none of number 2"):
        read(f"{tmp_path}/a.wav?channel=2")


def test_sound_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match="no sound that can be read"):
        read(tmp_path / "a.wav")


def test_true_speed_gives_times_of_the_monotonic_clock(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "log.csv", np.c_[np.arange(10) / 50, np.arange(10)], delimiter=",", header="t,x", comments="")
    before = time.monotonic()
    whole, _ = read(f"{tmp_path}/log.csv?speed=real")
    assert time.monotonic() - before >= 9 / 50
    assert whole.times[0] >= before
    np.testing.assert_allclose(np.diff(whole.times), 0.02, rtol=1e-6)


def test_a_recording_s_own_time_comes_with_each_sample(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("time,x\n" + "".join(f"{1.7e9 + at},{at}\n" for at in range(4)))
    window = window_of(WindowOptions(window="2", rate=1), None)
    assert window
    samples = [item for item in Windowed(open_stream(tmp_path / "log.csv"), window) if isinstance(item, Sample)]
    assert [sample.position for sample in samples] == [1.7e9 + 1, 1.7e9 + 3]
    assert samples[0].time == datetime.fromtimestamp(1.7e9 + 1, timezone.utc)
    assert abs(samples[0].captured - time.monotonic()) < 60


@pytest.fixture
def two_by_two(build: Callable[..., Path]) -> Path:
    """A model of windows of two samples of two channels, which takes their absolute values."""
    return build("ABS", [("x", (1, 2, 2), "float32")], [("y", (1, 2, 2), "float32")])


def test_the_command_cuts_windows_of_a_log(
    two_by_two: Path, tmp_path: Path, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.csv").write_text("t,x,y\n" + "".join(f"{at / 10},{at},{-at}\n" for at in range(5)))
    assert call(two_by_two, tmp_path / "log.csv", "--window", "0.2s", "--hop", "1", "--rate", "10") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["values"] for line in lines] == [[[at, at], [at + 1, at + 1]] for at in range(4)]
    assert call(two_by_two, f"{tmp_path}/log.csv?columns=y,x&speed=full", "--window", "2", "--limit", 1) == 0
    assert json.loads(capsys.readouterr().out)["values"] == [[0, 0], [1, 1]]


def test_what_happens_to_a_stream_is_in_the_metrics(two_by_two: Path, tmp_path: Path) -> None:
    from edgekit.pipeline import Stats
    from edgekit.serving.metrics import prometheus

    rows = ["0,1,1", "0.1,1,1", "bad", "5,1,1", "4.95,1,1", "5.1,nan,1", "5.2,1,1", "0.1,1,1", "0.2,1,1"]
    (tmp_path / "log.csv").write_text("t,x,y\n" + "\n".join(rows))
    events: list[Any] = []
    stats = Stats(["log.csv"])
    options = WindowOptions(window="2", rate=10)
    results = edgekit.run(
        two_by_two, tmp_path / "log.csv", windows=options, stats=stats, on_event=events.append, on_problem=events.append
    )
    assert len(list(results)) == 3
    source = stats.snapshot().sources[0]
    assert source.events == {"gap": 1, "clock": 1, "late": 1, "invalid": 1}
    assert source.problems == 1
    assert 'edgekit_events_total{source="log.csv",kind="gap"} 1' in prometheus(stats.snapshot())


def test_a_table_of_whole_windows_is_taken_row_by_row(two_by_two: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,2,3,4\n5,6,7,8\n")
    results: list[Any] = list(edgekit.run(two_by_two, tmp_path / "rows.csv", windows=WindowOptions(window="2")))
    assert [result.values["y"].tolist() for result in results] == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


def test_options_of_windows_that_make_no_sense_are_mistakes_in_the_call(
    two_by_two: Path, tmp_path: Path, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.csv").write_text("1,2\n")
    assert call(two_by_two, tmp_path / "log.csv", "--window", "2s") == 2
    assert "no rate is known" in capsys.readouterr().err
    assert call(two_by_two, tmp_path / "log.csv", "--window", "3") == 2
    (tmp_path / "log.csv").write_text("1,2\n" * 9)
    assert call(two_by_two, tmp_path / "log.csv", "--window", "3") == 2
    assert "gives 6 numbers, [3, 2], and the model takes 4" in capsys.readouterr().err
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    assert call(two_by_two, tmp_path / "a.wav") == 2
    assert "is sound" in capsys.readouterr().err


def test_pictures_are_no_stream(photos: Path) -> None:
    with pytest.raises(UsageError, match="no stream of samples"):
        open_stream(photos)
    assert not isinstance(open_windowed(photos, None, (8, 8, 1)), Windowed)


@settings(max_examples=12, deadline=None)
@given(
    st.floats(-2e-4, 2e-4), st.floats(-1e5, 1e5), st.floats(1e-4, 0.02), st.integers(1, 20), st.integers(0, 2**32 - 1)
)
def test_a_device_s_clock_is_followed_through_drift_and_delays(
    drift: float, offset: float, delay: float, size: int, seed: int
) -> None:
    random, rate = np.random.default_rng(seed), 100
    true = 500 + np.arange(40 * rate) / rate
    device = (true - 500) * (1 - drift) + offset
    clock = DeviceClock()
    mapped = np.concatenate([
        clock.map(device[at : at + size], true[at : at + size][-1] + random.exponential(delay))
        for at in range(0, len(true), size)
    ])
    assert (np.diff(mapped) > 0).all()
    error = mapped[20 * rate :] - true[20 * rate :]
    assert np.abs(error).max() < delay + 1e-3
    assert clock.steps == 0


def test_a_device_that_restarts_is_mapped_anew_and_counted() -> None:
    clock = DeviceClock()
    first = clock.map(np.arange(100, 110) / 10, 50.0)
    again = clock.map(np.arange(3) / 10, 60.0)
    assert clock.steps == 1
    assert first[-1] == pytest.approx(50)
    assert again[-1] == pytest.approx(60)


def test_data_that_was_held_up_is_no_step_of_the_clock() -> None:
    clock = DeviceClock()
    clock.map(np.arange(10) / 10, 10.0)
    late = clock.map(np.arange(10, 40) / 10, 25.0)
    assert clock.steps == 0
    assert late[-1] == pytest.approx(13, abs=0.2)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.one_of(st.none(), st.just(100.0)))
def test_samples_without_times_get_rising_ones(sizes: list[int], rate: float | None) -> None:
    clock, times, arrived = SampleClock(rate), [], 1000.0
    for size in sizes:
        arrived += size / 100
        times.append(clock.times(size, arrived))
    whole = np.concatenate(times)
    assert len(whole) == sum(sizes)
    assert (np.diff(whole) > 0).all()
    assert abs(whole[-1] - arrived) < 0.05


def test_a_log_too_short_for_a_window_says_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("t,x\n" + "".join(f"{at / 50},{at}\n" for at in range(60)))
    [problem] = open_windowed(str(tmp_path / "log.csv"), Window(100, 25, 50.0), (100, 1))
    assert isinstance(problem, Problem)
    assert "60 samples over 1.18 s, and it takes windows of 100 samples" in problem.reason
