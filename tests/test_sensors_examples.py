"""The examples of sensors, run on real data, and what the converter makes of logs."""

from __future__ import annotations

import json
import runpy
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit.errors import DataError, UsageError
from edgekit.metadata.types import Window
from edgekit.windows import WindowOptions

pytestmark = [pytest.mark.convert, pytest.mark.usefixtures("in_process")]
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@pytest.mark.parametrize("kind", ["conv", "lstm"])
def test_activities_of_a_watch_are_as_right_in_int8_as_in_float(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("aeon")
    activity, serial = example("sensors_activity"), example("sensors_serial")
    float_right, int8_right = activity["main"](tmp_path, kind, epochs=4 if kind == "lstm" else 8, calibrator="minmax")
    assert float_right > 0.5
    assert abs(float_right - int8_right) <= 0.025 + 1e-9
    model = edgekit.load(tmp_path / f"{kind}.tflite")
    assert model.windows == (Window(100, 100, 10.0, ("ax", "ay", "az", "gx", "gy", "gz")),)
    if kind == "conv":
        # The same recordings at 1 kHz through a serial port that is unplugged halfway.
        _, _, series, wanted, names = activity["load_motions"]()
        chosen = np.arange(0, 40, 4)
        labels, events = serial["pretend"](tmp_path / "conv.tflite", series[chosen].reshape(-1, 6))
        assert events[:3] == ["connected", "lost", "retrying"] or events[:3] == ["connected", "lost", "connected"]
        assert labels[:4] == [names[wanted[at]] for at in chosen[:4]]


def test_a_wake_word_is_heard_where_it_is_said_and_nowhere_else(shared: Path, tmp_path: Path) -> None:
    word = example("sensors_wake_word")
    samples = shared / "audio" / "calibration_samples.npz"
    word["convert"](
        shared / "keras" / "str_ww_ref_model.h5", samples, tmp_path / "word.tflite", calibrator="minmax"
    )
    moments = word["listen"](tmp_path / "word.tflite", str(shared / "audio" / "short_wav_easy10s.wav"))
    spoken = [(1.0, 1.65), (4.0, 4.76), (7.0, 7.36)]
    assert len(moments) == len(spoken)
    assert all(start <= moment <= end + 0.5 for moment, (start, end) in zip(moments, spoken, strict=True))


def test_a_machine_s_sound_is_scored_as_the_float_model_does_and_a_whistle_is_found(
    shared: Path, tmp_path: Path
) -> None:
    import keras

    machine = example("sensors_machine_sound")
    frames = np.fromfile(shared / "audio" / "ad01_normal_id_01_00000000_hist_librosa.bin", np.float32).reshape(-1, 128)
    np.save(tmp_path / "normal.npy", frames)
    well, ill = machine["main"](shared / "keras" / "ad01.h5", tmp_path / "normal.npy", tmp_path)
    windows = np.stack([frames[at : at + 5].reshape(-1) for at in range(len(frames) - 4)])
    outputs = np.asarray(keras.models.load_model(shared / "keras" / "ad01.h5", compile=False)(windows))
    errors = np.square(outputs - windows).mean(axis=1)
    assert len(well) == len(errors)
    scores = np.array([result.score for result in well])
    assert scores.mean() == pytest.approx(errors.mean(), rel=0.005)
    assert np.mean(np.abs(scores / errors - 1) <= 0.02) > 0.95
    np.testing.assert_allclose(scores, errors, rtol=0.07)
    assert not any(result.is_anomaly for result in well)
    assert all(result.is_anomaly for result in ill[100:])
    assert not any(result.is_anomaly for result in ill[:96])
    assert ill[120].blame[0].name == "60"


def test_a_camera_and_an_imu_drive_a_robot_together(tmp_path: Path) -> None:
    right, slack = example("sensors_fusion")["main"](tmp_path, 30, epochs=8, calibrator="minmax")
    assert right > 0.9
    assert slack < 0.5 / 200


def network(shape: tuple[int, ...], units: int) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential([
        keras.Input(shape, name="x"), keras.layers.Flatten(), keras.layers.Dense(units, activation="tanh")
    ])


def test_features_are_the_same_numbers_in_calibration_and_on_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit_converters.samples import calibration
    from edgekit_converters.samples.sensor_logs import windows_of_logs

    seen: list[Any] = []

    def noted(*given: Any) -> Any:
        seen.append(windows_of_logs(*given))
        return seen[-1]

    monkeypatch.setattr(calibration, "windows_of_logs", noted)
    random = np.random.default_rng(0)
    for label in ("run", "walk"):
        (tmp_path / "logs" / label).mkdir(parents=True)
        times = np.cumsum(random.uniform(0.015, 0.025, 300))
        np.savetxt(tmp_path / "logs" / label / "0.csv", np.c_[times, random.normal(size=(300, 2))], delimiter=",",
                   header="t,x,y", comments="")
    made = edgekit.convert(
        network((2, 4), 3), tmp_path / "m.tflite", calibration=tmp_path / "logs", calibrator="minmax", task="values",
        windows=WindowOptions(rate=50, window="1s", hop="0.5s", features="bands:edges=0..3..8..15..25"), samples=1000,
    )
    model = edgekit.load(tmp_path / "m.tflite")
    [window] = model.windows
    assert window
    assert window.channels == ("x", "y")
    assert window.features == "bands:rate=50,edges=0..3..8..15..25,log=none"
    from edgekit.windows.opening import open_windowed

    device = [
        np.asarray(sample.data)  # type: ignore[union-attr]
        for label in ("run", "walk")
        for sample in open_windowed(tmp_path / "logs" / label / "0.csv", window, (2, 4))
    ]
    calibrated = [sample[0] for sample in seen[0][0]]
    assert made.calibration["samples"] == made.calibration["windows"] == len(device) > 15
    np.testing.assert_array_equal(calibrated, device)


def test_an_embedding_learns_what_is_normal(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savetxt(tmp_path / "normal.csv", random.normal(size=(400, 2)), delimiter=",")
    np.savetxt(tmp_path / "ill.csv", 6 + random.normal(size=(60, 2)), delimiter=",")
    edgekit.convert(
        network((10, 2), 4), tmp_path / "m.tflite", calibration=tmp_path / "normal.csv", calibrator="minmax",
        task="anomaly", windows=WindowOptions(window="10", hop="5"),
    )
    about = edgekit.load(tmp_path / "m.tflite").metadata
    assert about.head == "distance"
    assert set(about.head_options) == {"threshold", "mean", "normal", "spread"}
    well: list[Any] = list(edgekit.run(tmp_path / "m.tflite", tmp_path / "normal.csv"))
    assert not any(result.is_anomaly for result in well)
    assert np.mean([result.score for result in well]) == pytest.approx(1, abs=0.15)


def test_a_forecast_carries_its_step_and_channels(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("t,a,b\n" + "".join(f"{at / 4},{at % 7},{at % 5}\n" for at in range(60)))
    edgekit.convert(
        network((8, 2), 6), tmp_path / "m.tflite", calibration=tmp_path / "log.csv", calibrator="minmax",
        task="forecast", windows=WindowOptions(window="8", hop="4", rate=4),
    )
    result = next(edgekit.run(tmp_path / "m.tflite", tmp_path / "log.csv"))
    said = json.loads(result.to_json())
    assert said["step"] == 0.25
    assert {name: len(values) for name, values in said["forecast"].items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"windows": WindowOptions(window="99", rate=4)}, DataError, "no window of 99 samples without a gap"),
        ({"windows": WindowOptions(window="8", rate=4, features="stats")}, DataError, "gives 10 numbers"),
        ({"windows": WindowOptions(window="8", rate=4), "calibration": None}, UsageError, "needs calibration data"),
        ({"task": "anomaly", "precision": "float16", "calibration": None}, UsageError, "learns from calibration data"),
    ],
)
def test_what_cannot_be_converted_is_told(
    tmp_path: Path, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    (tmp_path / "log.csv").write_text("t,a,b\n" + "".join(f"{at / 4},{at},{-at}\n" for at in range(40)))
    options = {"calibration": tmp_path / "log.csv", "calibrator": None, **change}
    with pytest.raises(error, match=message):
        edgekit.convert(network((8, 2), 6), tmp_path / "m.tflite", **options)
    assert not (tmp_path / "m.tflite").exists()


def test_the_command_converts_with_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], call: Callable[..., int]
) -> None:
    from edgekit.cli import main

    (tmp_path / "log.csv").write_text("t,a,b\n" + "".join(f"{at / 4},{at},{-at}\n" for at in range(40)))
    network((8, 2), 6).save(tmp_path / "m.keras")
    monkeypatch.setattr("sys.argv", [
        "edgekit", "convert", str(tmp_path / "m.keras"), "-o", str(tmp_path / "m.tflite"), "--rate", "4", "--window",
        "2s", "--hop", "1s", "--calibration", str(tmp_path / "log.csv"), "--calibrator", "minmax",
    ])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code in (0, None)
    assert "9 samples of log.csv" in capsys.readouterr().out
    assert call(tmp_path / "m.tflite", tmp_path / "log.csv") == 0
    assert len(capsys.readouterr().out.splitlines()) == 9


def test_folders_of_sound_by_class_calibrate(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in ("hum", "hiss"):
        (tmp_path / "sounds" / label).mkdir(parents=True)
        for number in range(2):
            with wave.open(str(tmp_path / "sounds" / label / f"{number}.wav"), "wb") as sound:
                sound.setparams((1, 2, 8000, 0, "NONE", ""))
                sound.writeframes((random.normal(0, 3000, 8000)).astype("<i2").tobytes())
    made = edgekit.convert(
        network((14, 20), 2), tmp_path / "m.tflite", calibration=tmp_path / "sounds", calibrator="minmax",
        task="timeseries", labels=["hum", "hiss"],
        windows=WindowOptions(rate=8000, window="0.5s", hop="250ms", features="logmel:frame=512,hop=256,bands=20"),
    )
    assert made.calibration["windows"] == 4 * 3
    [result, *_] = edgekit.run(tmp_path / "m.tflite", tmp_path / "sounds" / "hum" / "0.wav")
    assert result.task == "timeseries"
