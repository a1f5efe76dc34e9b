"""Where models come from: files of any Keras, SavedModels of any TensorFlow, classes of the user's own, open sizes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit.tflite import read_model
from edgekit_converters.loading.repairing import HARD_SIGMOID, repaired

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
tf = pytest.importorskip("tensorflow")

pytestmark = pytest.mark.convert

OWN = '''
import keras


class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@keras.saving.register_keras_serializable("mine")
class Fusion(keras.Model):
    """Two inputs by name; `call` takes no `training`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second, self.doubled = keras.layers.Dense(3), keras.layers.Dense(3), Doubled()

    def call(self, inputs):
        return self.doubled(self.first(inputs["picture"]) + self.second(inputs["motion"]))
'''


@pytest.fixture(scope="module")
def keras2() -> Any:
    """Keras 2, to write files with."""
    return pytest.importorskip("tf_keras", reason="needs the keras2 extra: pip install 'edgekit-sdk[keras2]'")


def run(path: Path, **inputs: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Output tensors of a float model by name, for inputs by name."""
    model = read_model(path)
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    interpreter.allocate_tensors()
    for name, detail in zip(model.input_names, interpreter.get_input_details(), strict=True):
        interpreter.set_tensor(detail["index"], inputs[name])
    interpreter.invoke()
    details = interpreter.get_output_details()
    return {name: interpreter.get_tensor(d["index"]) for name, d in zip(model.output_names, details, strict=True)}


def numbers(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(5).normal(size=(1, *shape)).astype(np.float32)


def test_h5_of_keras_2_with_all_that_keras_3_refuses(keras2: Any, tmp_path: Path) -> None:
    """And with what it takes and computes otherwise: `hard_sigmoid`."""
    layers = keras2.layers
    augment = keras2.Sequential([keras2.Input((6, 6, 2)), layers.RandomFlip(), layers.RandomZoom(0.2)], name="augment")
    picture, steps = keras2.Input((6, 6, 2), name="picture"), keras2.Input((5, 3), name="steps")
    x = layers.DepthwiseConv2D(3, name="Conv/depthwise")(augment(picture))
    x = layers.SpatialDropout2D(0.1)(layers.Conv2DTranspose(4, 3)(layers.SeparableConv2D(4, 3)(x)))
    x = layers.GlobalAveragePooling2D()(layers.ThresholdedReLU(0.1)(x))
    memory = layers.LSTM(4, recurrent_activation="hard_sigmoid")
    y = layers.Concatenate()([layers.Bidirectional(memory)(steps), layers.GRU(3)(steps)])
    joined = layers.Dense(3, kernel_regularizer="l2", activation="hard_sigmoid")(layers.Concatenate()([x, y]))
    model = keras2.Model([picture, steps], joined)
    model.save(tmp_path / "old.h5")
    made = edgekit.convert(tmp_path / "old.h5", tmp_path / "old.tflite", precision="float32")
    sample = {"picture": numbers(6, 6, 2), "steps": numbers(5, 3)}
    expected = model([sample["picture"], sample["steps"]], training=False).numpy()
    np.testing.assert_allclose(run(made.path, **sample)["output"], expected, atol=1e-5)


def test_h5_of_keras_2_through_keras_2(keras2: Any, tmp_path: Path) -> None:
    """Calls of TensorFlow stand in such files as layers, which Keras 3 does not have."""
    inputs = keras2.Input((4,), name="row")
    x = keras2.layers.Dense(4)(inputs)
    model = keras2.Model(inputs, tf.concat([tf.nn.relu(x) + 1.0, x[:, 1:3] * 2.0], -1), name="of old")
    model.save(tmp_path / "calls.h5")
    made = edgekit.convert(tmp_path / "calls.h5", tmp_path / "calls.tflite", precision="float32")
    assert [tensor.name for tensor in (*made.inputs, *made.outputs)] == ["row", "output"]
    row = numbers(4)
    np.testing.assert_allclose(run(made.path, row=row)["output"], model(row).numpy(), atol=1e-5)


def test_h5_that_takes_keras_2_where_it_is_not_installed(
    keras2: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit_converters.loading import keras2 as through_keras2
    from edgekit_converters.loading.keras3 import load_keras
    from edgekit_converters.loading.keras_files import examine

    inputs = keras2.Input((4,))
    keras2.Model(inputs, tf.nn.relu(inputs)).save(tmp_path / "calls.h5")
    monkeypatch.setattr(through_keras2, "find_spec", lambda name: None)
    with pytest.raises(edgekit.MissingDependencyError, match=r"(?s)TFOpLambda.*pip install 'edgekit-sdk\[keras2\]'"):
        load_keras(examine(tmp_path / "calls.h5"), tmp_path, {})


def test_saved_model_of_tensorflow_1(tmp_path: Path) -> None:
    """With a variable, and an input of open size that `input_shape` fixes."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, None), name="x")
        weight = v1.get_variable("w", (4, 3), initializer=v1.random_normal_initializer(seed=1))
        scores = tf.nn.softmax(tf.matmul(tf.reshape(x, [-1, 4]), weight))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "old"), {"x": x}, {"scores": scores})
        row = numbers(4)
        expected = session.run(scores, {x: row})
    made = edgekit.convert(tmp_path / "old", tmp_path / "old.tflite", precision="float32", input_shape=(4,))
    np.testing.assert_allclose(run(made.path, x=row)["scores"], expected, atol=1e-5)


def test_subclassed_model_from_a_file_with_classes_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fusion_layers.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    import importlib

    own = importlib.import_module("fusion_layers")
    model = own.Fusion(name="fusion of two")
    sample = {"picture": numbers(4), "motion": numbers(6)}
    expected = np.asarray(model(sample))
    model.save(tmp_path / "fusion.keras")
    made = edgekit.convert(
        tmp_path / "fusion.keras", tmp_path / "fusion.tflite", precision="float32",
        custom_objects=[f"{tmp_path / 'fusion_layers.py'}:Fusion"],
    )
    assert {tensor.name for tensor in made.inputs} == {"picture", "motion"}
    np.testing.assert_allclose(run(made.path, **sample)["output"], expected, atol=1e-5)
    sys.modules.pop("fusion_layers", None)


def test_names_that_tensorflow_refuses_and_a_size_left_open(tmp_path: Path) -> None:
    inputs = keras.Input((None, None, 3), name="my picture")
    x = keras.layers.Conv2D(4, 3, name="größe: (3 x 3)")(inputs)
    first = keras.layers.GlobalAveragePooling2D(name="the mean")(keras.layers.BatchNormalization(name="_norm@1")(x))
    model = keras.Model(inputs, [first, keras.layers.Dense(2, name="the-mean")(first)], name="model with spaces")
    made = edgekit.convert(
        model, tmp_path / "odd.tflite", precision="float32", input_shape={"my picture": (8, 9, 3)}
    )
    assert (made.inputs[0].name, made.inputs[0].shape) == ("my_picture", (1, 8, 9, 3))
    assert model.layers[1].name == "größe: (3 x 3)"
    assert model.layers[1].kernel.path == "größe: (3 x 3)/kernel"
    picture = numbers(8, 9, 3)
    values = run(made.path, my_picture=picture)
    for name, expected in zip(("the_mean", "the_mean_2"), model(picture), strict=True):
        np.testing.assert_allclose(values[name], np.asarray(expected), atol=1e-5)


def test_repairs_of_a_configuration() -> None:
    """What few files have: lists of layers, dtype policies, and names with slashes in references."""
    old = {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {
        "name": "a/b", "units": 2, "activation": "hard_sigmoid",
        "dtype": {"class_name": "Policy", "config": {"name": "float32"}},
        "kernel_initializer": {"class_name": "Gone", "config": {}},
    }}]}
    layer = repaired(old)["config"]["layers"][0]["config"]
    assert layer.pop("activation")["config"] == HARD_SIGMOID
    assert layer == {"name": "a_b", "units": 2, "dtype": "float32"}
    assert isinstance(old["config"], list)
    inner = {"class_name": "Sequential", "name": "inner", "config": {"name": "inner", "layers": []}}
    joined = {"class_name": "Add", "name": "add", "config": {"name": "add"}}
    made = repaired({"class_name": "Functional", "config": {"name": "m", "output_layers": [["inner", 2, 0]], "layers": [
        {**inner, "inbound_nodes": [[["a/b", 0, 0, {}]]]},
        {**joined, "inbound_nodes": [[["inner", 1, 0, {}], ["inner", 2, 0, {}]]]},
    ]}})["config"]
    assert made["layers"][0]["inbound_nodes"] == [[["a_b", 0, 0, {}]]]
    assert made["layers"][1]["inbound_nodes"] == [[["inner", 0, 0, {}], ["inner", 1, 0, {}]]]
    assert made["output_layers"] == [["inner", 1, 0]]
