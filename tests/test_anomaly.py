"""Tasks of sensors: anomalies, words, classes of windows, forecasts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit.errors import DataError, UsageError
from edgekit.metadata.types import InputMetadata, Metadata, OutputMetadata, Window
from edgekit.results import Anomaly, Classification, Forecast, Keyword
from edgekit.tasks import Output, Settings, build_task
from edgekit.tasks.view import frame_view

VIEW = frame_view(1, 1, 1, 1)
SCORES = (Output("scores", (1, 3), "SOFTMAX", ("_silence_", "go", "stop")),)


def heard(task: Any, scores: Sequence[Sequence[float]]) -> list[str]:
    """The words that were heard, window by window; empty where none was."""
    results = [task([np.array([row], np.float32)], "cpu", VIEW) for row in scores]
    assert all(isinstance(result, Keyword) for result in results)
    return [best.label if (best := result.best()) else "" for result in results]


def word(**options: Any) -> Any:
    return build_task("keyword", SCORES, settings=Settings(options=options))


QUIET, GO, STOP = (0.9, 0.05, 0.05), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)


def test_a_word_is_reported_once_when_it_rises() -> None:
    assert heard(word(), [QUIET, GO, GO, GO, QUIET, GO]) == ["", "go", "", "", "", "go"]


def test_nothing_is_reported_in_the_pause_after_a_word() -> None:
    assert heard(word(hop=0.5, pause=1), [GO, QUIET, STOP, QUIET, STOP]) == ["go", "", "", "", "stop"]


def test_scores_are_averaged_over_windows() -> None:
    assert heard(word(smooth=2, threshold=0.6), [QUIET, GO, QUIET, GO, GO]) == ["", "", "", "", "go"]


def test_only_the_words_that_are_asked_for_are_reported() -> None:
    assert heard(word(words="stop"), [GO, STOP]) == ["", "stop"]
    assert heard(word(words=[0]), [QUIET]) == ["_silence_"]
    with pytest.raises(UsageError, match="there is no class 'halt'"):
        word(words="halt")


def test_a_word_s_task_forgets_when_it_is_reset() -> None:
    task = word()
    assert heard(task, [GO, GO]) == ["go", ""]
    task.reset()
    assert heard(task, [GO]) == ["go"]


def test_one_sigmoid_is_one_word() -> None:
    task = build_task("keyword", (Output("y", (1, 1), "LOGISTIC"),), settings=Settings())
    results = [task([np.array([[score]], np.float32)], "cpu", VIEW) for score in (0.1, 0.7)]
    assert [result.to_dict()["heard"] for result in results] == [False, True]


def test_classes_of_windows_are_averaged_where_it_is_asked() -> None:
    task = build_task("timeseries", SCORES, settings=Settings(options={"smooth": 3}))
    results: list[Any] = [task([np.array([row], np.float32)], "cpu", VIEW) for row in (GO, GO, STOP)]
    assert all(isinstance(result, Classification) and result.task == "timeseries" for result in results)
    assert [result.best().label for result in results] == ["go", "go", "go"]
    assert results[2].best().score == pytest.approx((0.8 + 0.8 + 0.1) / 3)


def test_a_forecast_has_steps_and_channels() -> None:
    outputs = (Output("y", (1, 6)),)
    task = build_task("forecast", outputs, settings=Settings(options={"channels": "a,b", "step": 0.5}))
    result: Any = task([np.arange(6, dtype=np.float32)[None]], "cpu", VIEW)
    assert isinstance(result, Forecast)
    assert result.payload() == {"forecast": {"a": [0, 2, 4], "b": [1, 3, 5]}, "step": 0.5}
    plain: Any = build_task("forecast", outputs, settings=Settings())
    assert plain([np.full((1, 6), np.nan, np.float32)], "cpu", VIEW).payload()["forecast"] == [[None]] * 6
    with pytest.raises(UsageError, match="4 channels are named"):
        build_task("forecast", outputs, settings=Settings(options={"channels": "a,b,c,d"}))


def reconstruction(**options: Any) -> Any:
    known = {"threshold": 1.0, "mean": 0.2, "normal": [0.2, 0.2], "channels": ["a", "b"], **options}
    return build_task("anomaly", (Output("y", (1, 4, 2)),), head="reconstruction", settings=Settings(options=known))


def score(task: Any, errors: Sequence[float]) -> Anomaly:
    """The result for a window whose channels are off by so much."""
    data = np.zeros((4, 2), np.float32)
    result = task([(data + np.array(errors, np.float32))[None]], "cpu", data)
    assert isinstance(result, Anomaly)
    return result


def test_a_large_error_is_an_anomaly_and_its_channel_is_to_blame() -> None:
    result = score(reconstruction(), [0.1, 3.0])
    assert result.score == pytest.approx((0.01 + 9) / 2)
    assert result.is_anomaly
    assert [(entry.name, round(entry.share, 3)) for entry in result.blame] == [("b", 1.0)]
    assert not score(reconstruction(), [0.4, 0.4]).is_anomaly


def test_a_sudden_fault_moves_no_drift_and_slow_change_does() -> None:
    task = reconstruction(drift=20)
    for _ in range(100):
        fault = score(task, [5, 5])
    assert fault.is_anomaly
    assert fault.drift == pytest.approx(0)
    for step in range(200):
        slow = score(task, [0.45 + step / 500] * 2)
    assert not slow.is_anomaly
    assert slow.is_drifting
    task.reset()
    assert not score(task, [0.45, 0.45]).is_drifting


def test_what_is_no_number_is_an_anomaly() -> None:
    result = score(reconstruction(), [np.nan, 0])
    assert result.is_anomaly
    assert result.to_dict()["score"] is None


def test_an_embedding_far_from_normal_ones_is_an_anomaly() -> None:
    options = {"threshold": 2.0, "mean": 1.0, "normal": [1, 2, 3], "spread": [0.5, 0.5, 1]}
    task: Any = build_task("anomaly", (Output("y", (1, 3)),), head="distance", settings=Settings(options=options))
    near, far = (
        task([np.array([row], np.float32)], "cpu", np.zeros(4)) for row in ([1.5, 2.5, 4], [1, 2, 9])
    )
    assert near.score == pytest.approx(1)
    assert not near.is_anomaly
    assert far.score == pytest.approx(np.sqrt(36 / 3))
    assert far.is_anomaly
    assert far.blame[0].name == "2"


@pytest.mark.parametrize(
    ("head", "options", "message"),
    [
        ("reconstruction", {}, "no threshold"),
        ("reconstruction", {"threshold": "high"}, "threshold"),
        ("reconstruction", {"threshold": 1, "normal": [1, 2, 3]}, "do not go with 8 numbers"),
        ("reconstruction", {"threshold": 1, "normal": [1, 2], "channels": "a"}, "1 channels are named"),
        ("distance", {"threshold": 1, "normal": [1], "spread": [1]}, "needs normal and spread of 8 numbers"),
        ("distance", {"threshold": 1, "treshold": 1}, "treshold"),
    ],
)
def test_an_anomaly_task_that_cannot_work_is_refused(head: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_task("anomaly", (Output("y", (1, 4, 2)),), head=head, settings=Settings(options=options))


def test_an_input_of_another_size_than_the_output_is_refused() -> None:
    with pytest.raises(DataError, match="has 8 numbers, and the input that it should be has 3"):
        reconstruction()([np.zeros((1, 4, 2), np.float32)], "cpu", np.zeros(3))


@pytest.fixture
def halver(build: Callable[..., Path], describe: Callable[[Path, Metadata], None]) -> Path:
    """An 'autoencoder' of windows of two samples that knows no values below zero."""
    path = build("ABS", [("x", (1, 2, 2), "float32")], [("y", (1, 2, 2), "float32")])
    describe(path, Metadata(
        inputs=(InputMetadata("x", content="features", window=Window(2, 2, 10.0, ("ax", "ay"))),),
        outputs=(OutputMetadata("y"),), task="anomaly", head="reconstruction",
        head_options={"threshold": 0.5, "mean": 0.0, "normal": [0.0, 0.0], "channels": ["ax", "ay"]},
    ))
    return path


def test_the_command_runs_what_the_file_says(
    halver: Path, tmp_path: Path, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.csv").write_text("t,ay,ax\n0,1,1\n0.1,1,1\n0.2,1,-3\n0.3,1,1\n")
    assert call(halver, tmp_path / "log.csv") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["is_anomaly"] for line in lines] == [False, True]
    assert lines[1]["blame"] == [{"name": "ax", "share": 1.0}]
    assert call(halver, tmp_path / "log.csv", "--head-option", "threshold=100") == 0
    assert '"is_anomaly":true' not in capsys.readouterr().out


def test_windows_survive_in_the_file(halver: Path) -> None:
    model = edgekit.load(halver)
    assert model.windows == (Window(2, 2, 10.0, ("ax", "ay")),)
    assert model.remembers


def test_several_chips_cannot_share_what_remembers(halver: Path) -> None:
    from edgekit.tasks.interpreting import check_alone

    check_alone(reconstruction(), "anomaly", 1)
    with pytest.raises(UsageError, match="2 chips would share"):
        check_alone(reconstruction(), "anomaly", 2)


def test_a_damaged_window_is_refused(halver: Path) -> None:
    from edgekit.metadata.windows import decode_window
    from edgekit.tflite.flatbuffer import DamagedError

    good = {"size": 2, "hop": 1, "rate": 1.0, "channels": [], "features": "", "limits": None, "max_gap": None}
    assert decode_window(good) == Window(2, 1, 1.0)
    for change in ({"size": 0}, {"hop": "1"}, {"rate": -1}, {"channels": [1]}, {"limits": [1]}, {"features": None}):
        with pytest.raises(DamagedError, match="'window'"):
            decode_window({**good, **change})
