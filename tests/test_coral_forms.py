"""Forms that the Edge TPU has operations for: in float they compute what Keras and TFLite compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.tflite import parse_model
from edgekit_converters.cures import CURES, FOR_CORAL

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
tf = pytest.importorskip("tensorflow", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
forms = pytest.importorskip("edgekit_converters.forms", reason="needs the convert extra")
surgery = pytest.importorskip("edgekit_converters.lowering.surgery", reason="needs the convert extra")
interpreters = pytest.importorskip("ai_edge_litert.interpreter")

L, ops = keras.layers, keras.ops
# Far out, where curves are flat, and near zero, where they are not.
NUMBERS = np.concatenate([np.linspace(-30, 30, 6001), np.linspace(-0.01, 0.01, 201), [-1e4, 1e4]]).astype(np.float32)

CURVES: dict[str, tuple[Any, float]] = {
    "elu": (L.ELU(), 1e-5),
    "elu of 0.3": (L.ELU(alpha=0.3), 1e-5),
    "selu": (L.Activation("selu"), 1e-5),
    "celu": (L.Activation(lambda x: ops.celu(x, 2.0)), 1e-5),
    "softsign": (L.Activation("softsign"), 1e-5),
    "mish": (L.Activation("mish"), 1e-5),
    "gelu by tanh": (L.Activation(lambda x: ops.gelu(x, approximate=True)), 1e-5),
    "gelu": (L.Activation("gelu"), 2.6e-5),
}


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_those_of_keras(name: str) -> None:
    layer, tolerance = CURVES[name]
    expected = np.asarray(layer(NUMBERS))
    before = keras.activations.mish, keras.src.activations.activations.Mish.static_call, keras.src.backend.nn.gelu
    with forms.convertible_layers(frozenset(CURES)) as used:
        function = tf.function(layer.__call__, input_signature=[tf.TensorSpec(NUMBERS.shape)], autograph=False)
        found = function(NUMBERS).numpy()
    assert set(used) == {"curves"}
    assert np.all(np.abs(found - expected) <= tolerance * np.maximum(1, np.abs(expected)))
    after = keras.activations.mish, keras.src.activations.activations.Mish.static_call, keras.src.backend.nn.gelu
    assert after == before


def float_model(compute: Any, shape: tuple[int, ...]) -> bytes:
    module = tf.Module()
    function = tf.function(lambda x: {"y": compute(x)}, input_signature=[tf.TensorSpec(shape, name="x")])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], module)
    return bytes(converter.convert())


def answer(model: bytes, values: NDArray[np.float32]) -> NDArray[np.float32]:
    interpreter = interpreters.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    found: NDArray[np.float32] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return found


def rewritten(compute: Any, shape: tuple[int, ...], cure: str) -> list[str]:
    """The operations of the form, whose results are those of the model as it was."""
    model = float_model(compute, shape)
    changed, used = surgery.with_int8_forms(model, FOR_CORAL)
    assert used == {cure}
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32) * 3
    assert np.abs(answer(changed, values) - answer(model, values)).max() < 1e-5
    return [operator.type for operator in parse_model(changed).main.operators]


quick = settings(deadline=None, max_examples=8)


@quick
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(2, 3))
def test_depth_to_space(height: int, width: int, channels: int, block: int) -> None:
    shape = (1, height, width, channels * block * block)
    assert rewritten(lambda x: tf.nn.depth_to_space(x, block), shape, "depth_to_space") == ["TRANSPOSE_CONV"]


@quick
@given(st.integers(2, 6), st.integers(2, 6), st.sampled_from([1, 2, 3]))
def test_steps_backwards(rows: int, columns: int, axis: int) -> None:
    shape = (1, rows, columns, 3)
    backwards = tuple(slice(None, None, -1 if at == axis else 1) for at in range(4))
    made = rewritten(lambda x: x[backwards], shape, "reversing")
    assert made == ["SLICE"] * shape[axis] + ["CONCATENATION"]


def test_slopes_by_place() -> None:
    layer = L.PReLU(alpha_initializer=keras.initializers.RandomNormal(seed=0))
    layer.build((1, 5, 4, 3))
    assert rewritten(layer, (1, 5, 4, 3), "slopes") == ["RELU", "SUB", "MUL", "ADD"]


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x[:, ::2], lambda x: x[:, ::-2], lambda x: x[:, ::-1, ::-1], lambda x: x[::-1], lambda x: x[:, 3::-1],
        lambda x: tf.nn.space_to_depth(x, 2), L.PReLU(shared_axes=[1, 2], alpha_initializer="ones"),
    ],
)
def test_what_has_another_meaning_stays(compute: Any) -> None:
    model = float_model(compute, (2, 6, 6, 4))
    assert surgery.with_int8_forms(model, FOR_CORAL) == (model, frozenset())
