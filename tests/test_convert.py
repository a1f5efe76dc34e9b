"""`edgekit convert` and `edgekit.convert`: trained Keras models in, described TFLite files out."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit import metadata
from edgekit.cli.stopping import Stopped, stoppable
from edgekit.tflite import read_model

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
datasets = pytest.importorskip("sklearn.datasets")

pytestmark = pytest.mark.convert


def edgekit_command(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgekit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    data = datasets.load_digits()
    return (data.images[..., None] * (255 / 16)).round().astype(np.uint8), data.target


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("convert")


@pytest.fixture(scope="module")
def cnn(folder: Path) -> Any:
    """A digits classifier, trained for a few seconds; its files lie in `folder`."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 1), name="digit"),
        layers.Rescaling(1 / 255),
        layers.Conv2D(16, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Dropout(0.1),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    pictures, classes = digits()
    model.fit(pictures[:1000], classes[:1000], epochs=5, verbose=0)
    model.save(folder / "digits.keras")
    model.save(folder / "digits.h5")
    model.export(folder / "digits_saved", verbose=False)
    (folder / "labels.txt").write_text("zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n")
    np.savez(folder / "calibration.npz", x=pictures[:100])
    return model


@pytest.fixture(scope="module")
def converted(cnn: Any, folder: Path) -> Path:
    """The classifier after `edgekit convert`, all defaults."""
    path = folder / "digits.tflite"
    done = edgekit_command(
        "convert", folder / "digits.keras", "-o", path,
        "--calibration", folder / "calibration.npz", "--labels", folder / "labels.txt",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "against the float model on 50 calibration samples" in done.stdout
    return path


def accuracy(path: Path) -> float:
    pictures, classes = digits()
    model = edgekit.load(path)
    results = [model(picture) for picture in pictures[1000:]]
    found = [r.classes[0].index for r in results if isinstance(r, edgekit.Classification)]
    return float((np.array(found) == classes[1000:]).mean())


def test_int8_file_recognizes_what_the_float_model_does(cnn: Any, converted: Path) -> None:
    pictures, classes = digits()
    float_accuracy = (cnn.predict(pictures[1000:], verbose=0).argmax(1) == classes[1000:]).mean()
    assert float_accuracy > 0.85
    assert accuracy(converted) == pytest.approx(float_accuracy, abs=0.01)


def test_int8_file_has_int8_tensors_and_a_batch_of_one(converted: Path) -> None:
    model = read_model(converted)
    assert [t.dtype for t in (*model.inputs, *model.outputs)] == ["int8", "int8"]
    assert model.inputs[0].shape == (1, 8, 8, 1)
    assert not model.float_tensors
    operations = [operator.type for operator in model.subgraphs[0].operators]
    assert operations[-2:] == ["FULLY_CONNECTED", "SOFTMAX"]
    assert "SHAPE" not in operations


def test_file_carries_labels_preprocessing_and_provenance(converted: Path, folder: Path) -> None:
    described = metadata.read(converted)
    assert described.task == "classification"
    assert described.target == "cpu"
    assert described.outputs[0].labels[:3] == ("zero", "one", "two")
    picture = described.inputs[0]
    assert (picture.name, picture.content, picture.channels, picture.resize) == ("digit", "image", "gray", "stretch")
    assert picture.normalization == metadata.Normalization((0.0,), (1.0,))
    source: Any = described.provenance["source"]
    calibration: Any = described.provenance["calibration"]
    assert source["name"] == "digits.keras"
    assert len(source["sha256"]) == 64
    assert calibration["samples"] == 100
    versions: Any = described.provenance["versions"]
    assert set(versions) == {"edgekit", "tensorflow", "keras"}


def test_same_input_gives_same_bytes(converted: Path, folder: Path) -> None:
    again = edgekit.convert(
        folder / "digits.keras", folder / "again.tflite",
        calibration=folder / "calibration.npz", labels=folder / "labels.txt",
    )
    assert again.path.read_bytes() == converted.read_bytes()


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("source", ["digits.h5", "digits_saved"])
def test_other_formats_of_the_same_model_are_as_good(source: str, cnn: Any, converted: Path, folder: Path) -> None:
    path = folder / f"{source}.tflite"
    edgekit.convert(folder / source, path, calibration=folder / "calibration.npz")
    assert accuracy(path) == pytest.approx(accuracy(converted), abs=0.01)
    assert read_model(path).inputs[0].shape == (1, 8, 8, 1)


def test_json_says_what_was_made(cnn: Any, folder: Path) -> None:
    done = edgekit_command(
        "convert", "digits.keras", "--calibration", "calibration.npz", "--io", "uint8", "--json", cwd=folder
    )
    facts = json.loads(done.stdout)
    assert facts["path"] == "digits.tflite"
    assert (folder / "digits.tflite").stat().st_size == facts["size"]
    assert [t["dtype"] for t in facts["inputs"] + facts["outputs"]] == ["uint8", "uint8"]
    assert facts["agreement"]["sqnr_db"] > 20
    assert facts["agreement"]["same_class"] > 0.95


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("precision", "io", "weights"),
    [
        ("int8", "float32", "int8"),
        ("float16", None, "float16"),
        ("dynamic", None, "int8"),
        ("float32", None, "float32"),
    ],
)
def test_precision_and_io_are_what_the_file_holds(
    precision: str, io: str | None, weights: str, cnn: Any, folder: Path
) -> None:
    path = folder / f"{precision}.tflite"
    calibration = folder / "calibration.npz" if precision == "int8" else None
    edgekit.convert(folder / "digits.keras", path, precision=precision, io=io, calibration=calibration)
    model = read_model(path)
    assert [t.dtype for t in (*model.inputs, *model.outputs)] == ["float32", "float32"]
    largest = max((t for t in model.subgraphs[0].tensors if t.constant), key=lambda t: t.nbytes)
    assert largest.dtype == weights
    assert accuracy(path) > 0.85


def test_model_in_memory_with_a_layer_of_ones_own(folder: Path) -> None:
    layer: Any = keras.layers.Layer

    class Doubled(layer):
        def call(self, x: Any) -> Any:
            return x + x

    features = keras.Input((6,), name="features")
    model = keras.Model(features, keras.layers.Dense(3)(Doubled()(features)))
    samples = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)

    made = edgekit.convert(model, folder / "own.tflite", calibration=samples, io="float32")

    result = edgekit.load(made.path)(samples[0])
    assert isinstance(result, edgekit.Values)
    expected = model(samples[:1]).numpy()[0]
    assert np.abs(result.values["output"] - expected).max() < 0.05 * np.abs(expected).max() + 0.05
    assert not made.warnings


@pytest.mark.usefixtures("in_process")
def test_several_inputs_are_calibrated_and_fed_by_name(folder: Path) -> None:
    """In their own order TensorFlow would mix these up: their ranges differ a thousandfold."""
    image, imu = keras.Input((8, 8, 3), name="image"), keras.Input((6,), name="a_imu")
    joined = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(image), imu])
    model = keras.Model([image, imu], {"speed": keras.layers.Dense(1)(joined), "turn": keras.layers.Dense(2)(joined)})
    random = np.random.default_rng(1)
    samples: dict[str, NDArray[Any]] = {
        "image": random.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8),
        "a_imu": (random.normal(size=(40, 6)) * 0.1).astype(np.float32),
    }

    made = edgekit.convert(model, folder / "fusion.tflite", calibration=samples)

    assert {t.name for t in made.inputs} == {"image", "a_imu"}
    assert made.agreement is not None
    assert made.agreement.sqnr_db > 25
    result = edgekit.load(made.path)({name: array[0] for name, array in samples.items()})
    assert isinstance(result, edgekit.Values)
    expected = model({name: array[:1].astype(np.float32) for name, array in samples.items()})
    scale = max(float(np.abs(value).max()) for value in expected.values())
    for name, value in expected.items():
        assert np.abs(result.values[name] - value.numpy()[0]).max() < 0.1 * scale


@pytest.mark.usefixtures("in_process")
def test_dicts_with_keys_in_any_order_keep_their_values(folder: Path) -> None:
    """Keras flattens dicts by sorted keys, whatever order they are written in: names have to follow."""
    zeta, alpha = keras.Input((3,)), keras.Input((3,))
    model = keras.Model(
        {"zeta": zeta, "alpha": alpha},
        {"turn": keras.layers.Rescaling(1.0)(zeta), "speed": keras.layers.Rescaling(-1.0, offset=100.0)(alpha)},
    )
    model.save(folder / "dicts.keras")
    sample = {"zeta": np.array([1, 2, 3], np.float32), "alpha": np.array([10, 20, 30], np.float32)}

    for source in (model, folder / "dicts.keras"):
        made = edgekit.convert(source, folder / "dicts.tflite", precision="float32")
        result = edgekit.load(made.path)(sample)
        assert isinstance(result, edgekit.Values)
        assert result.values["turn"].tolist() == [1, 2, 3]
        assert result.values["speed"].tolist() == [90, 80, 70]


@pytest.mark.usefixtures("in_process")
def test_every_picture_among_several_inputs_keeps_its_normalization(folder: Path) -> None:
    """Dark pictures: a file that did not say 0..255 would be fed 2.5 times what it was calibrated on."""
    image, extra = keras.Input((8, 8, 3), name="image"), keras.Input((2,), name="extra")
    mean = keras.layers.GlobalAveragePooling2D()(image)
    model = keras.Model([image, extra], keras.layers.Concatenate()([mean, extra]))
    random = np.random.default_rng(2)
    samples: dict[str, NDArray[Any]] = {
        "image": random.integers(0, 100, (40, 8, 8, 3), dtype=np.uint8),
        "extra": random.normal(size=(40, 2)).astype(np.float32),
    }
    made = edgekit.convert(model, folder / "mixed.tflite", calibration=samples)
    result = edgekit.load(made.path)({name: array[3] for name, array in samples.items()})
    assert isinstance(result, edgekit.Values)
    assert result.values["output"][:3] == pytest.approx(samples["image"][3].mean((0, 1)), abs=1.5)


@pytest.mark.usefixtures("in_process")
def test_pictures_normalized_beforehand_in_an_unknown_way_are_not_guessed_at(folder: Path) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    values = np.random.default_rng(4).normal(size=(40, 8, 8, 3)).astype(np.float32) * 3
    made = edgekit.convert(model, folder / "odd.tflite", calibration=values)
    assert any("cannot say how to normalize" in warning for warning in made.warnings)
    loaded = edgekit.load(made.path)
    assert isinstance(loaded(values[0]), edgekit.Values)
    with pytest.raises(edgekit.UsageError, match="normaliz"):
        loaded(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.usefixtures("in_process")
def test_names_of_inputs_are_those_of_keras_input(folder: Path) -> None:
    ids, mask = keras.Input((4,), name="input_ids"), keras.Input((4,), name="input mask")
    model = keras.Model([ids, mask], keras.layers.Add()([ids, mask]))
    samples = {"input_ids": np.eye(4, dtype=np.float32), "input mask": np.eye(4, dtype=np.float32) * 9}
    made = edgekit.convert(model, folder / "names.tflite", calibration=samples)
    assert {t.name for t in made.inputs} == {"input_ids", "input_mask"}


@pytest.mark.usefixtures("in_process")
def test_logits_are_warned_of(folder: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    made = edgekit.convert(model, folder / "logits.tflite", precision="float32", labels=["no", "yes"])
    assert made.task == "classification"
    assert any("no softmax" in warning for warning in made.warnings)


def test_progress_on_a_terminal_and_log_with_debug_alone(cnn: Any, folder: Path) -> None:
    files = ("-o", folder / "t.tflite", "--calibration", folder / "calibration.npz")
    arguments = ["convert", folder / "digits.keras", *files]
    command = shlex.join([sys.executable, "-m", "edgekit", *map(str, arguments)])
    terminal = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=True)
    assert "starting TensorFlow" in terminal.stdout
    assert "calibrating 1/100" in terminal.stdout
    assert "Traceback" not in terminal.stdout
    assert edgekit_command(*arguments).stderr == ""
    assert "fully_quantize" in edgekit_command(*arguments, "--debug").stderr


@pytest.mark.usefixtures("in_process")
def test_calibration_from_a_generator_of_batches_and_from_a_list(cnn: Any, folder: Path) -> None:
    pictures, _ = digits()

    def batches() -> Iterator[NDArray[np.uint8]]:
        yield pictures[:32]
        yield pictures[32:64]
        yield pictures[64:70]

    from_batches = edgekit.convert(cnn, folder / "batches.tflite", calibration=batches())
    from_list = edgekit.convert(cnn, folder / "list.tflite", calibration=list(pictures[:70]))
    assert from_batches.calibration["samples"] == from_list.calibration["samples"] == 70
    assert from_batches.path.read_bytes() == from_list.path.read_bytes()


def test_calibration_pictures_of_any_size_and_mode_with_a_broken_one_among_them(cnn: Any, folder: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    photos = folder / "photos"
    (photos / "more").mkdir(parents=True)
    pictures, _ = digits()
    for i, picture in enumerate(pictures[:12]):
        cv2.imwrite(str(photos / f"{i}.png"), picture)
    colour = cv2.resize(cv2.cvtColor(pictures[12], cv2.COLOR_GRAY2BGRA), (31, 17))
    cv2.imwrite(str(photos / "more" / "transparent.png"), colour)
    cv2.imwrite(str(photos / "more" / "deep.png"), pictures[13].astype(np.uint16) * 256)
    cv2.imwrite(str(photos / "whole.jpg"), cv2.resize(pictures[14], (64, 64)))
    whole = (photos / "whole.jpg").read_bytes()
    (photos / "broken.jpg").write_bytes(whole[: len(whole) // 2])

    done = edgekit_command(
        "convert", folder / "digits.keras", "-o", folder / "photos.tflite", "--calibration", photos, "--json"
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["calibration"]["samples"] == 15
    assert "broken.jpg" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("in_process")
def test_dense_layers_suit_the_runtime(cnn: Any, converted: Path, folder: Path) -> None:
    """Runtimes of the Edge TPU compiler's age compute Dense with one scale a channel wrong, in silence."""

    def dense_scales(path: Path) -> int:
        graph = read_model(path).main
        dense = next(o for o in graph.operators if o.type == "FULLY_CONNECTED")
        weights = graph.tensors[dense.inputs[1]].quantization
        assert weights is not None
        return len(weights.scales)

    path, calibration = folder / "coral.tflite", folder / "calibration.npz"
    made = edgekit.convert(folder / "digits.keras", path, target="coral", calibration=calibration)
    assert "FULLY_CONNECTED" not in made.operations
    assert metadata.read(path).target == "coral"
    kept = edgekit.convert(folder / "digits.keras", path, target="coral", calibration=calibration, keep=["dense"])
    assert "dense" not in kept.rewrites
    assert dense_scales(path) == 1
    assert dense_scales(converted) == 10


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_conversion_leaves_nothing(
    number: signal.Signals, cnn: Any, folder: Path, gone: Callable[..., bool]
) -> None:
    """Ctrl-C or a supervisor's stop: no output, no temporary file, no child left behind."""
    place = folder / f"interrupted-{number}"
    place.mkdir()
    files = ("-o", place / "x.tflite", "--calibration", folder / "calibration.npz")
    command = [sys.executable, "-m", "edgekit", "convert", folder / "digits.keras", *files]
    temporary = folder / f"tmp-{number}"
    temporary.mkdir()
    child = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    for _ in range(1000):
        if list(temporary.glob("edgekit-*/log.txt")):
            break
        assert child.poll() is None
        time.sleep(0.05)
    started = children_of(child.pid)
    assert started
    child.send_signal(number)
    _, errors = child.communicate()
    assert child.returncode == 128 + number
    assert "Traceback" not in errors
    assert not list(place.iterdir())
    assert not list(temporary.iterdir())
    assert gone(started)


def test_a_stop_at_the_moment_the_child_starts_leaves_no_child(
    cnn: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the child outlived a signal that came between its start and its being noted."""

    class StoppedAtStart(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)

    monkeypatch.setattr(subprocess, "Popen", StoppedAtStart)
    with stoppable(), pytest.raises(Stopped):
        edgekit.convert(folder / "digits.keras", folder / "stopped.tflite", calibration=folder / "calibration.npz")
    assert not children_of(os.getpid())
    assert not (folder / "stopped.tflite").exists()
