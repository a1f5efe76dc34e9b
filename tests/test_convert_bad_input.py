"""What `edgekit convert` says to bad input: its own words each time, the right exit code, no file, no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")

pytestmark = pytest.mark.convert


@dataclass(frozen=True)
class Refusal:
    code: int
    message: str


Refuse = Callable[..., Refusal]


def with_output(folder: Path, *arguments: object) -> list[str]:
    found = ["convert", *map(str, arguments)]
    return found if "-o" in found else [*found, "-o", str(folder / "out.tflite")]


def check(folder: Path, code: int, out: str, err: str) -> Refusal:
    assert code in (1, 2), err
    assert "Traceback" not in err
    assert out == ""
    assert not (folder / "out.tflite").exists()
    assert not list(folder.glob(".*part"))
    return Refusal(code, err)


@pytest.fixture
def refuse(
    in_process: None, command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Refuse:
    """Runs `edgekit convert … -o out.tflite` in a folder of its own, which has to fail cleanly."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Refusal:
        capfd.readouterr()
        code = command(*with_output(tmp_path, *arguments))
        return check(tmp_path, code, *capfd.readouterr())

    return run


@pytest.fixture
def refuse_outside(tmp_path: Path) -> Refuse:
    """The same in a process of its own, which starts another for the conversion."""

    def run(*arguments: object) -> Refusal:
        command = [sys.executable, "-m", "edgekit", *with_output(tmp_path, *arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        return check(tmp_path, done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`numbers.keras` and `.h5` (4 numbers → 3 classes), `picture.keras` (8 x 8 x 3), `lambda.keras` and `.h5`."""
    folder = tmp_path_factory.mktemp("models")
    numbers = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    numbers.save(folder / "numbers.keras")
    numbers.save(folder / "numbers.h5")
    numbers.save_weights(folder / "only.weights.h5")
    picture = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    picture.save(folder / "picture.keras")
    code = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2, name="doubling")])
    code.save(folder / "lambda.keras")
    code.save(folder / "lambda.h5")
    np.savez(folder / "good.npz", x=np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32))
    return folder


def table(path: Path, rows: Any) -> Path:
    np.savetxt(path, np.asarray(rows), delimiter=",")
    return path


RANDOM = np.random.default_rng(1).normal(size=(20, 4))


def test_missing_model(tmp_path: Path, refuse_outside: Refuse) -> None:
    refusal = refuse_outside("nowhere.keras", "--precision", "float32")
    assert refusal.code == 2
    assert "no such file: nowhere.keras" in refusal.message


def test_folder_that_is_no_saved_model(tmp_path: Path, refuse: Refuse) -> None:
    refusal = refuse(tmp_path, "--precision", "float32")
    assert refusal.code == 2
    assert "saved_model.pb" in refusal.message


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_text_by_the_name_of_a_model(name: str, tmp_path: Path, refuse: Refuse) -> None:
    (tmp_path / name).write_text("hello\n")
    refusal = refuse(name, "--precision", "float32")
    assert refusal.code == 2
    assert f"{name} is not a Keras model: it holds text" in refusal.message


def test_empty_file(tmp_path: Path, refuse: Refuse) -> None:
    (tmp_path / "model.keras").touch()
    assert "the file is empty" in refuse("model.keras", "--precision", "float32").message


@pytest.mark.parametrize("kind", ["keras", "h5"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_truncated_model(kind: str, share: float, models: Path, tmp_path: Path, refuse: Refuse) -> None:
    whole = (models / f"numbers.{kind}").read_bytes()
    (tmp_path / f"cut.{kind}").write_bytes(whole[: int(len(whole) * share)])
    refusal = refuse(f"cut.{kind}", "--precision", "float32")
    assert refusal.code == 2
    assert "cut short or damaged" in refusal.message


def test_damaged_archive(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    data = bytearray((models / "numbers.keras").read_bytes())
    with zipfile.ZipFile(models / "numbers.keras") as archive:
        weights = archive.getinfo("model.weights.h5")
    data[weights.header_offset + 100 + weights.compress_size // 2] ^= 0xFF
    (tmp_path / "damaged.keras").write_bytes(data)
    refusal = refuse("damaged.keras", "--precision", "float32")
    assert refusal.code == 2
    assert "damaged" in refusal.message


def test_zip_that_is_no_model(tmp_path: Path, refuse: Refuse) -> None:
    with zipfile.ZipFile(tmp_path / "photos.keras", "w") as archive:
        archive.writestr("cat.txt", "meow")
    assert "holds no Keras model" in refuse("photos.keras", "--precision", "float32").message


def test_weights_without_a_model(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    refusal = refuse(models / "only.weights.h5", "--precision", "float32")
    assert refusal.code == 2
    assert "weights only" in refusal.message


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_lambda_layer_is_named_and_not_run(kind: str, models: Path, tmp_path: Path, refuse_outside: Refuse) -> None:
    refusal = refuse_outside(models / f"lambda.{kind}", "--precision", "float32")
    assert refusal.code == 2
    assert "'doubling' (Lambda)" in refusal.message
    assert "edgekit.convert(model" in refusal.message


def test_unknown_class_is_named(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    with zipfile.ZipFile(models / "numbers.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    config["config"]["layers"][1]["class_name"] = "SecretDense"
    config["config"]["layers"][1]["module"] = "their_project.layers"
    with zipfile.ZipFile(tmp_path / "unknown.keras", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, json.dumps(config) if name == "config.json" else data)
    refusal = refuse("unknown.keras", "--precision", "float32")
    assert refusal.code == 2
    assert "(SecretDense)" in refusal.message
    assert "--custom-objects their_project.layers:SecretDense" in refusal.message
    assert "edgekit.convert(model" in refusal.message


def test_int8_without_calibration(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    refusal = refuse(models / "numbers.keras")
    assert refusal.code == 2
    assert "needs calibration data" in refusal.message


def test_calibration_that_is_missing_or_of_another_kind(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    model = models / "numbers.keras"
    assert "no such calibration data: gone/" in refuse(model, "--calibration", "gone/").message.replace(
        "gone\n", "gone/\n"
    )
    (tmp_path / "notes.docx").touch()
    assert "no kind that EdgeKit reads" in refuse(model, "--calibration", "notes.docx").message


def test_calibration_folder_without_pictures(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "readme.md").touch()
    refusal = refuse(models / "picture.keras", "--calibration", "photos")
    assert refusal.code == 2
    assert "no pictures in photos" in refusal.message


def test_calibration_pictures_that_are_all_broken(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    refusal = refuse(models / "picture.keras", "--calibration", "photos")
    assert refusal.code == 2
    assert "a.jpg" in refusal.message


def test_calibration_pictures_for_a_model_of_numbers(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    cv2 = pytest.importorskip("cv2")
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), np.zeros((8, 8, 3), np.uint8))
    refusal = refuse(models / "numbers.keras", "--calibration", "photos")
    assert refusal.code == 2
    assert "shape (1, 4)" in refusal.message


def test_calibration_table_with_nan(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    rows = RANDOM.copy()
    rows[6, 2] = np.nan
    refusal = refuse(models / "numbers.keras", "--calibration", table(tmp_path / "nan.csv", rows))
    assert refusal.code == 2
    assert "line 7" in refusal.message
    assert "column 3" in refusal.message


def test_calibration_array_with_nan(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    rows = RANDOM.astype(np.float32)
    rows[6, 2] = np.nan
    np.save(tmp_path / "nan.npy", rows)
    refusal = refuse(models / "numbers.keras", "--calibration", "nan.npy")
    assert refusal.code == 2
    assert "NaN" in refusal.message
    assert "sample 6" in refusal.message


def test_calibration_of_the_wrong_width(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    wide = table(tmp_path / "wide.csv", np.hstack([RANDOM, RANDOM[:, :1]]))
    refusal = refuse(models / "numbers.keras", "--calibration", wide)
    assert refusal.code == 2
    assert "5 numbers where 4 are wanted" in refusal.message
    np.save(tmp_path / "wide.npy", np.zeros((20, 5), np.float32))
    refusal = refuse(models / "numbers.keras", "--calibration", "wide.npy")
    assert refusal.code == 2
    assert "(20, 5)" in refusal.message


def test_calibration_that_never_changes(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    flat = table(tmp_path / "flat.csv", np.full((20, 4), 0.5))
    refusal = refuse(models / "numbers.keras", "--calibration", flat)
    assert refusal.code == 2
    assert "never changes" in refusal.message


def test_damaged_calibration_archive(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    (tmp_path / "cut.npz").write_bytes((models / "good.npz").read_bytes()[:100])
    refusal = refuse(models / "numbers.keras", "--calibration", "cut.npz")
    assert refusal.code == 2
    assert "cut.npz" in refusal.message


@pytest.mark.parametrize(
    ("option", "value", "valid"),
    [
        ("--precision", "int9", "float16"), ("--io", "int4", "uint8"), ("--target", "corral", "coral"),
        ("--resize", "squash", "letterbox"), ("--channels", "rbg", "bgr"), ("--task", "classify", "classification"),
        ("--normalize", "0-1", "imagenet"),
    ],
)
def test_unknown_option_value_lists_the_valid_ones(
    option: str, value: str, valid: str, models: Path, tmp_path: Path, refuse: Refuse
) -> None:
    refusal = refuse(models / "numbers.keras", "--calibration", models / "good.npz", option, value)
    assert refusal.code == 2
    assert value in refusal.message
    assert valid in refusal.message


def test_options_that_do_not_go_together(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    model = models / "numbers.keras"
    assert "takes and gives float32" in refuse(model, "--precision", "float16", "--io", "int8").message
    assert "does not run precision" in refuse(model, "--precision", "float16", "--target", "coral").message


def test_label_file_of_the_wrong_length(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    refusal = refuse(models / "numbers.keras", "--calibration", models / "good.npz", "--labels", "labels.txt")
    assert refusal.code == 2
    assert "2 labels for 3 outputs" in refusal.message


def test_output_that_cannot_be_written(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    model = models / "numbers.keras"
    refusal = refuse(model, "--precision", "float32", "-o", "gone/out.tflite")
    assert refusal.code == 1
    assert "cannot write gone/out.tflite" in refusal.message
    assert "it is a folder" in refuse(model, "--precision", "float32", "-o", tmp_path).message


@pytest.mark.parametrize(("name", "what"), [
    ("out.onnx", "an ONNX model"), ("out.H5", "a Keras model"), ("out.engine", "a TensorRT engine"),
])
def test_output_by_the_name_of_another_kind_of_file(
    name: str, what: str, models: Path, tmp_path: Path, refuse: Refuse
) -> None:
    refusal = refuse(models / "numbers.keras", "--precision", "float32", "-o", name)
    assert refusal.code == 2
    assert f"the output {name} has the name of {what}, and is a .tflite file" in refusal.message
    assert "Name it out.tflite." in refusal.message


def test_model_that_is_tflite_already(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    (tmp_path / "done.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    assert "edgekit run" in refuse("done.tflite", "--precision", "float32").message


def test_weights_that_hold_nan(tmp_path: Path, refuse_outside: Refuse) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="lost")])
    model.layers[0].kernel.assign(np.full((4, 2), np.nan))
    model.save(tmp_path / "nan.keras")
    np.save(tmp_path / "x.npy", RANDOM)
    refusal = refuse_outside("nan.keras", "--calibration", "x.npy")
    assert refusal.code == 2
    assert "lost/kernel" in refusal.message


def test_crash_of_the_converter_is_reported_as_one(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that dies of a signal, as TensorFlow 2.21 does on some models: said, with the layers to blame."""
    from edgekit_converters import process

    start = process._start

    def start_and_kill(*args: Any) -> Any:
        child = start(*args)
        child.send_signal(signal.SIGSEGV)
        return child

    model = keras.Sequential([keras.Input((5, 2)), keras.layers.LSTM(3, name="memory"), keras.layers.Dense(1)])
    model.save(models / "lstm.keras")
    monkeypatch.setattr(process, "_start", start_and_kill)
    with pytest.raises(edgekit.ConversionError, match=r"(?s)SIGSEGV while converting lstm.keras.*'memory' \(LSTM\)"):
        edgekit.convert(models / "lstm.keras", models / "x.tflite", precision="float32")
    assert not (models / "x.tflite").exists()


def test_output_that_is_an_input(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    """Nothing is lost: neither the trained model nor its data can be named as output, nor a device."""
    model = tmp_path / "mine.keras"
    model.write_bytes((models / "numbers.keras").read_bytes())
    data = table(tmp_path / "mine.csv", RANDOM)
    for output in (model, data):
        before = output.read_bytes()
        refusal = refuse(model, "--calibration", data, "-o", output)
        assert refusal.code == 2
        assert "is what it is made from" in refusal.message
        assert output.read_bytes() == before
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refuse(model, "--calibration", data, "-o", tmp_path / "pipe").message
    assert "not a regular file" in refuse(tmp_path / "pipe", "--precision", "float32").message


@pytest.mark.usefixtures("in_process")
def test_outliers_in_calibration_are_warned_of(models: Path, tmp_path: Path) -> None:
    rows = RANDOM.copy()
    rows[3, 1] = 1e9
    made = edgekit.convert(models / "numbers.keras", tmp_path / "x.tflite", calibration=rows)
    assert any("outliers" in warning for warning in made.warnings)
    with pytest.raises(edgekit.DataError, match="infinity, first in sample 3"):
        edgekit.convert(models / "numbers.keras", tmp_path / "y.tflite", calibration=rows * 1e25)


def test_options_for_pictures_on_a_model_of_numbers(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    refusal = refuse(models / "numbers.keras", "--precision", "float32", "--resize", "crop")
    assert refusal.code == 2
    assert "takes no pictures" in refusal.message


def test_task_that_does_not_fit_the_outputs(models: Path, tmp_path: Path, refuse: Refuse) -> None:
    """By the runtime's own rules: it would refuse the file."""
    line = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    line.save(tmp_path / "line.keras")
    refusal = refuse("line.keras", "--precision", "float32", "--task", "classification")
    assert refusal.code == 2
    assert "needs a sigmoid" in refusal.message


def test_python_says_the_same_as_exceptions(models: Path, tmp_path: Path) -> None:
    with pytest.raises(edgekit.UsageError, match="Did you mean 'int8'"):
        edgekit.convert(models / "numbers.keras", tmp_path / "x.tflite", precision="int9")
    with pytest.raises(edgekit.MissingFileError):
        edgekit.convert(tmp_path / "gone.keras")
    with pytest.raises(edgekit.UsageError, match="model cannot be dict"):
        edgekit.convert({}, tmp_path / "x.tflite", precision="float32")
    samples: Any = list  # a function, not called
    with pytest.raises(edgekit.DataError, match="is a function"):
        edgekit.convert(models / "numbers.keras", tmp_path / "x.tflite", calibration=samples)
