"""`edgekit evaluate` with Keras models: run by TensorFlow in a child process, held against their conversions."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import EdgeKitError, ModelFileError
from edgekit_converters.evaluating import evaluate

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
datasets = pytest.importorskip("sklearn.datasets")

pytestmark = pytest.mark.convert


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`digits.keras`, trained for a second on pixels of 0 to 1; and `digits.npz`, 400 pictures that it has not seen."""
    folder = tmp_path_factory.mktemp("keras")
    data = datasets.load_digits()
    pictures = (data.images[..., None] * (255 / 16)).round().astype(np.uint8)
    keras.utils.set_random_seed(2)
    model = keras.Sequential([
        keras.Input((8, 8, 1), name="digit"),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(pictures[:1300] / 255, data.target[:1300], epochs=5, verbose=0)
    model.save(folder / "digits.keras")
    site = np.where(np.arange(400) % 2, "a", "b")
    np.savez(folder / "digits.npz", x=pictures[-400:], y=data.target[-400:], site=site)
    answers = model.predict(pictures[-400:] / 255, verbose=0)
    np.savez(folder / "answers.npz", right=(answers.argmax(axis=1) == data.target[-400:]))
    return folder


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """TensorFlow answers in a thread of the test's process, which has it loaded, in place of a child process."""
    from edgekit_converters.evaluating.running import child, child_worker

    threads: list[threading.Thread] = []

    def start(folder: Path, stack: ExitStack, *, debug: bool) -> Connection:
        ours, theirs = (Connection(end.detach()) for end in socket.socketpair())
        threads.append(threading.Thread(target=child_worker.serve, args=(theirs,)))
        threads[-1].start()
        return stack.enter_context(ours)

    monkeypatch.setattr(child, "start", start)
    yield
    for thread in threads:
        thread.join()


@pytest.fixture
def converted(folder: Path, tmp_path: Path, in_process: None) -> Path:
    import edgekit

    edgekit.convert(
        folder / "digits.keras", tmp_path / "digits.tflite", calibration=folder / "digits.npz", normalize="0..1",
        samples=50, calibrator="minmax",
    )
    return tmp_path / "digits.tflite"


def test_the_float_model_gets_the_preparation_of_the_converted_one(folder: Path, converted: Path, beside: None) -> None:
    """Its pixels are 0 to 1, which only the converted file says."""
    found = evaluate(converted, folder / "digits.npz", against=folder / "digits.keras", group_by=["site"])
    accuracy = found.main
    assert accuracy.against is not None
    assert accuracy.against.value == pytest.approx(float(np.load(folder / "answers.npz")["right"].mean()))
    assert accuracy.loss == pytest.approx(0, abs=0.02)
    assert found.metric("sqnr").model.value > 25
    assert found.against == "digits.keras"
    assert [group.samples for group in found.groupings[0].groups] == [200, 200]


def test_a_keras_model_alone_takes_pixels_as_the_user_says(
    folder: Path, command: Callable[..., int], capsys: Any
) -> None:
    assert command("evaluate", folder / "digits.keras", "--data", folder / "digits.npz", "--normalize", "0..1",
                   "--metric", "accuracy") == 0
    expected = float(np.load(folder / "answers.npz")["right"].mean())
    assert f"accuracy  {expected:.1%}" in capsys.readouterr().out


def test_what_the_child_finds_wrong_is_told(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "digits.npz", tmp_path / "model.keras")
    with pytest.raises(ModelFileError, match=r"model\.keras"):
        evaluate(tmp_path / "model.keras", folder / "digits.npz")


def test_a_model_of_open_size_asks_for_it(folder: Path, tmp_path: Path, beside: None) -> None:
    model = keras.Sequential([
        keras.Input((None, None, 1)), keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10, activation="softmax"),
    ])
    model.save(tmp_path / "open.keras")
    with pytest.raises(EdgeKitError, match="input-shape"):
        evaluate(tmp_path / "open.keras", folder / "digits.npz")
    assert evaluate(tmp_path / "open.keras", folder / "digits.npz", input_shape=(8, 8, 1), limit=20).samples == 20


def test_several_inputs_go_by_their_names(tmp_path: Path, in_process: None, beside: None) -> None:
    """The converted file has them in another order than the Keras model."""
    import edgekit

    inputs = [keras.Input((6,), name="wide"), keras.Input((4,), name="narrow")]
    keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Concatenate()(inputs))).save(tmp_path / "two.keras")
    random = np.random.default_rng(0)
    arrays = {name: random.normal(size=(60, size)).astype(np.float32) for name, size in (("narrow", 4), ("wide", 6))}
    np.savez(tmp_path / "rows.npz", narrow=arrays["narrow"], wide=arrays["wide"])
    edgekit.convert(tmp_path / "two.keras", tmp_path / "two.tflite", calibration=arrays, calibrator="minmax")
    for model, against in (("two.tflite", "two.keras"), ("two.keras", "two.tflite")):
        found = evaluate(tmp_path / model, tmp_path / "rows.npz", against=tmp_path / against)
        assert found.metric("sqnr").model.value > 25


def test_resnet8_keeps_its_accuracy(shared: Path, beside: None) -> None:
    """A file by others, without metadata: the float model gets what the int8 one makes of plain pixels."""
    models = shared / "keras"
    found = evaluate(
        models / "pretrainedResnet_quant.tflite", shared / "images" / "cifar10_1000_jpeg.npz",
        against=models / "pretrainedResnet.h5",
    )
    assert found.main.against is not None
    assert found.main.against.value == pytest.approx(0.751)
    assert found.main.loss == pytest.approx(0, abs=0.005)
    assert found.flagged == ()
