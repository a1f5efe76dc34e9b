"""Models that cannot be converted: what the user reads names the layer and the cure, and nothing is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit_converters.loading.foreign_code import refuse_code
from edgekit_converters.tracing.shapes import parse_shapes

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")

pytestmark = pytest.mark.convert

LAYERS = '''
import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("mine")
class Root(keras.layers.Layer):
    """TFLite has no form for it."""

    def call(self, x):
        return tf.linalg.cholesky(x)


@keras.saving.register_keras_serializable("mine")
class Running(keras.layers.Layer):
    """TensorFlow 2.21 dies while it quantizes this loop."""

    def call(self, x):
        steps = tf.scan(lambda state, step: tf.tanh(state + step), tf.transpose(x, [1, 0, 2]))
        return tf.transpose(steps, [1, 0, 2])


@keras.saving.register_keras_serializable("mine")
class Spectrum(keras.layers.Layer):
    """Complex numbers as the model's output."""

    def call(self, x):
        return tf.signal.fft(tf.cast(x, tf.complex64))
'''


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's own layers: `layers.py`, and `x.npy`, calibration data for `nested`."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "layers.py").write_text(LAYERS)
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(10, 4, 4)).astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def own(layers: Path) -> dict[str, Any]:
    """The classes of `layers.py`."""
    found: dict[str, Any] = {}
    exec(compile(LAYERS, str(layers / "layers.py"), "exec"), found)
    return found


def nested(layer: Any) -> Any:
    """(4, 4) → Dense, a model inside with ReLU and the layer, Dense."""
    inside = keras.Input((4, 4))
    inner = keras.Model(inside, layer(keras.layers.ReLU()(inside)), name="inner")
    outside = keras.Input((4, 4))
    return keras.Model(outside, keras.layers.Dense(2)(inner(keras.layers.Dense(4)(outside))))


def refuse(folder: Path, *arguments: object) -> tuple[int, str]:
    """Run `edgekit convert`, which has to fail cleanly; gives its exit code and its message."""
    command = [sys.executable, "-m", "edgekit", "convert", *map(str, arguments), "-o", "out.tflite"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (folder / "out.tflite").exists()
    message = done.stderr.strip()
    assert len(message.splitlines()) <= 3, message  # what is wrong, and what to do
    assert "loc(" not in message
    return done.returncode, message


def changed(path: Path, **members: bytes) -> Path:
    """The archive with some members replaced; `__` in a name stands for a dot."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (files | {name.replace("__", "."): data for name, data in members.items()}).items():
            archive.writestr(name, data)
    return path


def small() -> Any:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="first"), keras.layers.Dense(2)])


def test_operation_that_tflite_does_not_have(layers: Path, own: dict[str, Any]) -> None:
    nested(own["Root"](name="odd one")).save(layers / "root.keras")
    code, message = refuse(layers, "root.keras", "--precision", "float32", "--custom-objects", "layers.py")
    assert code == 1
    assert "TFLite has no operation for Cholesky, which layer 3 of 4, 'odd one' (Root) inside 'inner', uses" in message
    assert "no decompositions of matrices" in message


def test_crash_of_the_converter_is_traced_to_its_layer(layers: Path, own: dict[str, Any]) -> None:
    nested(own["Running"](name="running")).save(layers / "running.keras")
    code, message = refuse(layers, "running.keras", "--calibration", "x.npy", "--custom-objects", "layers.py:Running")
    assert code == 1
    assert "SIGSEGV while converting running.keras" in message
    assert "layer 3 of 4, 'running' (Running) inside 'inner'" in message
    assert "--precision float16" in message


def test_crash_over_a_model_in_memory_is_traced_too(layers: Path, own: dict[str, Any]) -> None:
    model = keras.Sequential([keras.Input((4, 4)), own["Running"](name="running")])
    with pytest.raises(edgekit.ConversionError, match=r"layer 1 of 1, 'running' \(Running\)"):
        edgekit.convert(model, layers / "out.tflite", calibration=layers / "x.npy")
    assert not (layers / "out.tflite").exists()


def test_input_that_is_left_open(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((None, None, 3), name="image"), keras.layers.Conv2D(4, 3)])
    model.save(tmp_path / "open.keras")
    code, message = refuse(tmp_path, "open.keras", "--precision", "float32")
    assert code == 1
    assert "input 'image' has the shape (None, None, 3)" in message
    assert "--input-shape 224,224,3" in message


def test_weights_that_are_damaged_inside_a_whole_archive(tmp_path: Path) -> None:
    small().save(tmp_path / "damaged.keras")
    changed(tmp_path / "damaged.keras", model__weights__h5=b"\x89HDF\r\n\x1a\n" + bytes(500))
    code, message = refuse(tmp_path, "damaged.keras", "--precision", "float32")
    assert code == 2
    assert "damaged.keras is damaged: its weights cannot be read" in message


def test_file_of_a_newer_keras(tmp_path: Path) -> None:
    small().save(tmp_path / "newer.keras")
    with zipfile.ZipFile(tmp_path / "newer.keras") as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["layers"][1]["config"]["sparsity"] = 0.5
    metadata = json.dumps({"keras_version": "9.1.0"}).encode()
    changed(tmp_path / "newer.keras", config__json=json.dumps(config).encode(), metadata__json=metadata)
    code, message = refuse(tmp_path, "newer.keras", "--precision", "float32")
    assert code == 2
    assert "written by Keras 9.1.0" in message
    assert "layer 'first' (Dense)" in message
    assert "sparsity" in message


def test_saved_model_without_a_signature(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "bare"))
    code, message = refuse(tmp_path, "bare", "--precision", "float32")
    assert code == 1
    assert "no signature to serve" in message
    assert "signatures=" in message


def test_saved_model_that_needs_an_operation_of_its_own(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    from tensorflow.core.protobuf import saved_model_pb2

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, (None, 4, 4), name="x")
        outputs = {"root": tf.linalg.cholesky(x)}
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "odd"), {"x": x}, outputs)
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((tmp_path / "odd" / "saved_model.pb").read_bytes())
    for node in saved.meta_graphs[0].graph_def.node:
        node.op = "ZeroOut" if node.op == "Cholesky" else node.op
    (tmp_path / "odd" / "saved_model.pb").write_bytes(saved.SerializeToString())
    code, message = refuse(tmp_path, "odd", "--precision", "float32")
    assert code == 1
    assert "needs the operation ZeroOut" in message


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda _: keras.Sequential([keras.layers.Dense(3)], name="raw"), edgekit.ConversionError, "'raw' was never"),
        (lambda own: keras.Sequential([keras.Input((4,)), own["Spectrum"](name="fft")]), edgekit.ConversionError,
         r"is complex numbers.*layer 1 of 1, 'fft' \(Spectrum\)"),
        (lambda _: keras.Sequential([
            keras.Input((1,), dtype="string", name="review"),
            keras.layers.TextVectorization(vocabulary=["good", "bad"], output_sequence_length=4),
        ]), edgekit.ConversionError, "input 'review'.*takes text"),
        (lambda _: keras.Sequential([keras.Input((None, 3), name="words"), keras.layers.Dense(2)]),
         edgekit.ConversionError, r"input 'words' has the shape \(None, 3\)"),
    ],
    ids=["never-built", "complex", "text", "open"],
)
def test_models_in_memory_are_refused_at_once(
    make: Any, kind: type[Exception], words: str, own: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(kind, match=f"(?s){words}"):
        edgekit.convert(make(own), tmp_path / "out.tflite", precision="float32")
    assert not (tmp_path / "out.tflite").exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--input-shape", "224xx3", "no input shape"),
        ("--input-shape", "0,3", "from 1 upwards"),
        ("--custom-objects", "gone.py:Layer", "no such file: gone.py"),
        ("--custom-objects", "module:two words", "names no custom object"),
    ],
)
def test_options_of_the_wrong_form(option: str, value: str, words: str, tmp_path: Path) -> None:
    small().save(tmp_path / "small.keras")
    code, message = refuse(tmp_path, "small.keras", "--precision", "float32", option, value)
    assert code == 2
    assert words in message


def test_input_shape_in_all_its_forms() -> None:
    assert [str(shape) for shape in parse_shapes("224x224x3")] == ["224,224,3"]
    assert [str(shape) for shape in parse_shapes(["a=1,2", "b=3"])] == ["a=1,2", "b=3"]
    assert [str(shape) for shape in parse_shapes({"image": (8, 8, 3)})] == ["image=8,8,3"]
    assert [str(shape) for shape in parse_shapes((8, 8, 3))] == ["8,8,3"]
    with pytest.raises(edgekit.UsageError, match="twice"):
        parse_shapes(["a=1", "a=2"])


def test_calls_of_tensorflow_in_a_file_are_arithmetic_or_refused(tmp_path: Path) -> None:
    """Keras 2 wrote calls of TensorFlow as layers, and would look up whatever name stands there."""

    def config(function: str) -> Any:
        return {"layers": [{"class_name": "TFOpLambda", "config": {"name": "call", "function": function}}]}

    refuse_code(tmp_path, config("math.multiply"))
    refuse_code(tmp_path, config("__operators__.add"))
    for function in ("io.write_file", "py_function", "keras.utils.get_file", "raw_ops.WriteFile"):
        with pytest.raises(edgekit.ModelFileError, match=f"'call' .TFOpLambda. calls {function}"):
            refuse_code(tmp_path, config(function))
    with pytest.raises(edgekit.ModelFileError, match="Python code"):
        refuse_code(tmp_path, {"activation": {"class_name": "__lambda__", "config": {"code": "…"}}})
