"""Keras layers converted for the Edge TPU: each maps, or says why not and what to do, and that maps."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import edgekit_converters
from edgekit.errors import ConversionError
from edgekit.placement import Placement
from edgekit.tflite import read_model
from edgekit_converters.options import Options, check_options
from edgekit_converters.samples.calibration import Calibration
from edgekit_devices.coral.placement import GENERAL, LIMITS, analyse
from edgekit_devices.coral.placement.advice import NOT_SUPPORTED, TOO_NEW

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
tf = pytest.importorskip("tensorflow", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
preparing = pytest.importorskip("edgekit_converters.preparing", reason="needs the convert extra")
placing = pytest.importorskip("edgekit_converters.placing", reason="needs the convert extra")
freezing = pytest.importorskip("edgekit_converters.tracing.freezing", reason="needs the convert extra")
checking = pytest.importorskip("edgekit_converters.checking", reason="needs the convert extra")

pytestmark = pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
L, ops = keras.layers, keras.ops
Model = Callable[[], Any]
PICTURE, WINDOW, VECTOR = (32, 32, 8), (12, 8), (32,)
REFUSED = "The compiler refuses the whole file."


def stack(shape: tuple[int, ...], *layers: Any, batch: int | None = 1) -> Any:
    return keras.Sequential([keras.Input(shape, batch_size=batch), *layers])


picture, window = partial(stack, PICTURE), partial(stack, WINDOW)


def of(compute: Callable[..., Any], shape: tuple[int, ...] = PICTURE) -> Any:
    given = keras.Input(shape, batch_size=1)
    return keras.Model(given, compute(given))


def squeezed(x: Any) -> Any:
    gate = L.Dense(8, activation="sigmoid")(L.Dense(4, activation="relu")(L.GlobalAveragePooling2D()(x)))
    return x * L.Reshape((1, 1, 8))(gate)


def squeezed_by_convolutions(x: Any) -> Any:
    gate = L.Conv2D(4, 1, activation="relu")(L.GlobalAveragePooling2D(keepdims=True)(x))
    return L.Multiply()([x, L.Conv2D(8, 1, activation="sigmoid")(gate)])


def merged(layer: Any) -> Any:
    return of(lambda x: layer([x, L.ReLU()(x)]))


def activated(name: str) -> Any:
    return picture(L.Activation(name))


ACTIVATIONS = (
    "relu", "relu6", "tanh", "sigmoid", "softmax", "swish", "gelu", "elu", "selu", "hard_sigmoid", "hard_swish", "mish",
    "softplus", "softsign", "exponential", "leaky_relu",
)
LAYERS: Mapping[str, Model] = {
    "Conv2D 3x3 relu": lambda: picture(L.Conv2D(16, 3, activation="relu")),
    "Conv2D 3x3 linear+BN+ReLU6": lambda: picture(L.Conv2D(16, 3), L.BatchNormalization(), L.ReLU(6.0)),
    "Conv2D dilation 2": lambda: picture(L.Conv2D(16, 3, dilation_rate=2)),
    "Conv2D dilation (2,3)": lambda: picture(L.Conv2D(16, 3, dilation_rate=(2, 3))),
    "Conv2D stride 4": lambda: picture(L.Conv2D(16, 3, strides=4)),
    "Conv2D groups=2": lambda: picture(L.Conv2D(16, 3, groups=2)),
    "DepthwiseConv2D": lambda: picture(L.DepthwiseConv2D(3)),
    "DepthwiseConv2D dm=2": lambda: picture(L.DepthwiseConv2D(3, depth_multiplier=2)),
    "SeparableConv2D": lambda: picture(L.SeparableConv2D(16, 3)),
    "Conv2DTranspose s2 same": lambda: picture(L.Conv2DTranspose(8, 3, 2, "same")),
    "Conv2DTranspose s2 same nobias": lambda: picture(L.Conv2DTranspose(8, 3, 2, "same", use_bias=False)),
    "Conv2DTranspose s2 relu": lambda: picture(L.Conv2DTranspose(8, 3, 2, "same", activation="relu")),
    "Conv1D": lambda: window(L.Conv1D(8, 3)),
    "Conv1D causal dil2": lambda: window(L.Conv1D(8, 3, padding="causal", dilation_rate=2)),
    "Conv3D": lambda: stack((8, 10, 10, 4), L.Conv3D(4, 3)),
    "Dense vec": lambda: stack(VECTOR, L.Dense(10)),
    "Dense vec relu": lambda: stack(VECTOR, L.Dense(10, activation="relu")),
    "Dense vec nobias": lambda: stack(VECTOR, L.Dense(10, use_bias=False)),
    "Dense 3D input": lambda: window(L.Dense(10)),
    "Dense 4D input": lambda: picture(L.Dense(10)),
    "LeakyReLU": lambda: picture(L.LeakyReLU()),
    "PReLU shared": lambda: picture(L.PReLU(alpha_initializer="random_normal", shared_axes=[1, 2])),
    "PReLU unshared": lambda: picture(L.PReLU(alpha_initializer="random_normal")),
    "ReLU max1 neg": lambda: of(lambda x: ops.minimum(ops.maximum(x, -1.0), 1.0)),
    "MaxPool": lambda: picture(L.MaxPooling2D()),
    "AvgPool": lambda: picture(L.AveragePooling2D(2)),
    "GlobalAvgPool": lambda: picture(L.GlobalAveragePooling2D()),
    "GlobalAvgPool keepdims": lambda: picture(L.GlobalAveragePooling2D(keepdims=True)),
    "GlobalMaxPool": lambda: picture(L.GlobalMaxPooling2D()),
    "GlobalAvgPool1D": lambda: window(L.GlobalAveragePooling1D()),
    "MaxPool1D": lambda: window(L.MaxPooling1D()),
    "UpSampling2D nearest": lambda: picture(L.UpSampling2D()),
    "UpSampling2D bilinear": lambda: picture(L.UpSampling2D(interpolation="bilinear")),
    "Resizing bilinear": lambda: picture(L.Resizing(64, 64)),
    "Resizing nearest": lambda: picture(L.Resizing(64, 64, interpolation="nearest")),
    "ZeroPadding2D": lambda: picture(L.ZeroPadding2D()),
    "Cropping2D": lambda: picture(L.Cropping2D()),
    "Concatenate": lambda: merged(L.Concatenate()),
    "Add": lambda: merged(L.Add()),
    "Multiply": lambda: merged(L.Multiply()),
    "Subtract": lambda: merged(L.Subtract()),
    "Maximum": lambda: merged(L.Maximum()),
    "Average": lambda: merged(L.Average()),
    "Flatten": lambda: picture(L.Flatten()),
    "Reshape 3d": lambda: picture(L.Reshape((64, 16, 8))),
    "Permute": lambda: picture(L.Permute((3, 1, 2))),
    "SE block": lambda: of(squeezed),
    "SE block conv keepdims": lambda: of(squeezed_by_convolutions),
    "LSTM": lambda: window(L.LSTM(8)),
    "LSTM unroll": lambda: window(L.LSTM(8, unroll=True)),
    "LSTM return_sequences": lambda: window(L.LSTM(8, return_sequences=True)),
    "GRU": lambda: window(L.GRU(8)),
    "GRU unroll": lambda: window(L.GRU(8, unroll=True)),
    "SimpleRNN unroll": lambda: window(L.SimpleRNN(8, unroll=True)),
    "Bidirectional LSTM": lambda: window(L.Bidirectional(L.LSTM(8))),
    "LayerNormalization": lambda: window(L.LayerNormalization()),
    "GroupNormalization": lambda: picture(L.GroupNormalization(4)),
    "BatchNormalization alone": lambda: picture(L.BatchNormalization()),
    "UnitNormalization": lambda: stack(VECTOR, L.UnitNormalization()),
    "MultiHeadAttention": lambda: of(lambda x: L.MultiHeadAttention(2, 8)(x, x), WINDOW),
    "Rescaling": lambda: picture(L.Rescaling(1 / 127.5, -1)),
    "Softmax vec": lambda: stack(VECTOR, L.Softmax()),
    "depth_to_space": lambda: picture(L.Lambda(lambda x: tf.nn.depth_to_space(x, 2))),
    "space_to_depth": lambda: picture(L.Lambda(lambda x: tf.nn.space_to_depth(x, 2))),
    "split channels": lambda: of(lambda x: ops.concatenate(ops.split(x, 2, axis=-1)[::-1], axis=-1)),
    "slice channels": lambda: of(lambda x: x[..., :4]),
    "reduce max xy": lambda: of(lambda x: ops.max(x, axis=(1, 2))),
    "argmax": lambda: of(lambda x: ops.argmax(x, axis=-1)),
    "reduce sum": lambda: of(lambda x: ops.sum(x, axis=(1, 2))),
    "sqrt": lambda: of(lambda x: ops.sqrt(ops.relu(x) + 1.0)),
    "exp": lambda: of(lambda x: ops.exp(L.Conv2D(4, 3)(x))),
    "stack": lambda: of(lambda x: ops.stack([x, x * 2.0], axis=1), VECTOR),
    "Dynamic batch Conv2D": lambda: picture(L.Conv2D(16, 3), batch=None),
    "Dynamic batch Flatten+Dense": lambda: picture(L.Flatten(), L.Dense(10), batch=None),
    "Dynamic batch Reshape": lambda: picture(L.Reshape((64, 16, 8)), batch=None),
    "Dynamic batch LSTM": lambda: window(L.LSTM(8), batch=None),
    "Dynamic batch UpSampling2D": lambda: picture(L.UpSampling2D(), batch=None),
    "Dynamic batch Conv2DTranspose": lambda: picture(L.Conv2DTranspose(8, 3, 2, "same"), batch=None),
    **{f"Activation {name}": partial(activated, name) for name in ACTIVATIONS},
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """What the advice says, in its words, and a model or options that follow it."""

    words: str
    model: Model
    options: Mapping[str, Any] = field(default_factory=dict)


def mixed(x: Any) -> Any:
    """An MLP-Mixer's block: Dense layers over the steps and over the features in turn."""
    x = x + L.Permute((2, 1))(L.Dense(12)(L.Permute((2, 1))(x)))
    return x + L.Dense(8)(x)


def rooted(x: Any) -> Any:
    above_zero = ops.relu(x) + 1.0
    return above_zero * ops.rsqrt(above_zero)


REMEDIES: Mapping[str, Remedy] = {
    "Conv2D dilation (2,3)": Remedy(
        "dilation_rate the same number for both axes", lambda: picture(L.Conv2D(16, 3, dilation_rate=2))
    ),
    "Conv3D": Remedy(
        "one over height and width (Conv2D(groups=planes)), one over time (Reshape, and Conv2D with a kernel of (1, n)",
        lambda: stack((10, 10, 8 * 4), L.Conv2D(8 * 4, 3, groups=8), L.Reshape((64, 8, 4)), L.Conv2D(4, (1, 3))),
    ),
    "MultiHeadAttention": Remedy("(Permute((2, 1)), Dense, Permute((2, 1)), Dense", lambda: of(mixed, WINDOW)),
    "argmax": Remedy(
        "--move-to-host", lambda: of(lambda x: ops.argmax(L.Conv2D(5, 1)(x), axis=-1)), {"move_to_host": True}
    ),
    "sqrt": Remedy("x * rsqrt(x) (keras.ops.rsqrt)", lambda: of(rooted)),
    "exp": Remedy("Return what goes into it", lambda: picture(L.Conv2D(4, 3))),
    "Activation softplus": Remedy(
        "--replace softplus=relu", partial(activated, "softplus"), {"replace": ["softplus=relu"]}
    ),
    "Activation exponential": Remedy("Return what goes into it", lambda: picture(L.Conv2D(4, 3))),
}
"""For every layer that does not map as it is."""


@dataclass(frozen=True, slots=True)
class Made:
    """A model converted in this process."""

    flatbuffer: bytes
    cures: frozenset[str]
    placement: Placement
    options: Options
    places: Any
    sqnr_db: float


@pytest.fixture(scope="session")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """Converts for the Edge TPU as the child process does, with random data of zero mean."""
    folder = tmp_path_factory.mktemp("coral")
    wanted = inspect.signature(check_options).parameters
    usual = inspect.signature(edgekit_converters.convert).parameters
    defaults = {name: usual[name].default for name in wanted}

    def make(model: Any, **asked: Any) -> Made:
        options = check_options(**{**defaults, "target": "coral", **asked})
        frozen = freezing.freeze_keras(model, options.cures, replace=options.replace)
        random = np.random.default_rng(0)
        samples = [
            {spec.name: random.normal(size=spec.shape).astype(spec.dtype) for spec in frozen.inputs} for _ in range(12)
        ]
        calibration, job = Calibration(samples, {}, {}), SimpleNamespace(options=options, folder=folder)
        in_float = preparing.in_float(job, frozen, calibration)
        made = preparing.quantized(job, in_float, calibration, {}, lambda _progress: None)
        (folder / "made.tflite").write_bytes(made.flatbuffer)
        agreement = checking.compare(
            read_model(folder / "made.tflite"), made.moved, frozen, calibration, False, lambda _progress: None
        )
        return Made(made.flatbuffer, made.cures, analyse(made.flatbuffer), options, made.places, agreement.sqnr_db)

    return make


def built(model: Model) -> Any:
    keras.utils.set_random_seed(0)
    return model()


def is_mapped(placed: Placement) -> bool:
    return not placed.refusals and placed.on_cpu == 0 and placed.on_target > 0


def advice_of(placed: Placement) -> list[str]:
    """What is advised on the operations that stay on the CPU for their own sake; each of them has a reason."""
    left = [one for one in placed.operations if one.placement == "cpu"]
    assert all(len(one.reason) > 20 for one in left)
    own = [one for one in left if not one.after and one.reason != REFUSED]
    assert own
    assert all(len(one.advice) > 20 for one in own)
    assert all(refusal.reason and refusal.advice for refusal in placed.refusals)
    return [one.advice for one in own]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_maps_or_its_remedy_does(convert: Callable[..., Made], name: str) -> None:
    placed = convert(built(LAYERS[name])).placement
    assert is_mapped(placed) == (name not in REMEDIES), placed.summary()
    if name in REMEDIES:
        found = REMEDIES[name]
        assert any(found.words in advised for advised in advice_of(placed))
        followed = convert(built(found.model), **found.options).placement
        assert is_mapped(followed), followed.summary()


def test_the_layers_are_those_that_were_measured(shared: Path) -> None:
    path = shared / "edgetpu" / "keras_layer_ops_tf221.json"
    if not path.is_file():
        pytest.skip(f"the list of Keras layers is not here: {path}")
    assert set(LAYERS) == {layer["layer"] for layer in json.loads(path.read_text())}
    assert set(REMEDIES) < set(LAYERS)


ADVISED = [*NOT_SUPPORTED.values(), *TOO_NEW.values(), *(rule.advice for rule in (*GENERAL, *LIMITS))]


REPLACED = sorted({pair for text in ADVISED for pair in re.findall(r"--replace (\w+=\w+)", text)})


@pytest.mark.parametrize("pair", REPLACED)
def test_advised_replacements_map(convert: Callable[..., Made], pair: str) -> None:
    assert is_mapped(convert(built(partial(activated, pair.partition("=")[0])), replace=[pair]).placement)


def test_advice_that_needs_no_change_is_true(convert: Callable[..., Made]) -> None:
    """What EdgeKit is said to write in operations that map."""
    promised = {type_ for type_, text in {**NOT_SUPPORTED, **TOO_NEW}.items() if "edgekit convert --target" in text}
    held = {
        "ABS": "Activation softsign", "CONV_2D": "Conv2D groups=2", "DEPTH_TO_SPACE": "depth_to_space",
        "DIV": "Activation softsign", "ELU": "Activation selu", "EXP": "Activation mish", "GELU": "Activation gelu",
        "HARD_SWISH": "Activation hard_swish", "LEAKY_RELU": "LeakyReLU", "LOG": "Activation mish",
        "NEG": "LayerNormalization", "REVERSE_V2": "Bidirectional LSTM", "TILE": "UpSampling2D nearest",
    }
    assert promised - {""} == set(held)
    assert not set(held.values()) & set(REMEDIES)


REWRITTEN = {
    "PReLU unshared": "slopes", "depth_to_space": "depth_to_space", "Bidirectional LSTM": "reversing",
    "Activation gelu": "curves", "Activation elu": "curves", "Activation selu": "curves", "Activation mish": "curves",
    "Activation softsign": "curves", "LeakyReLU": "leaky_relu", "Activation hard_swish": "hard_swish",
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_what_is_written_for_the_edge_tpu_keeps_its_accuracy(convert: Callable[..., Made], name: str) -> None:
    made = convert(built(LAYERS[name]))
    assert REWRITTEN[name] in made.cures
    assert made.sqnr_db > 30
    kept = convert(built(LAYERS[name]), keep=[REWRITTEN[name]])
    assert not is_mapped(kept.placement)


def classifier(*layers: Any, shape: tuple[int, ...] = PICTURE) -> Any:
    return stack(shape, *layers, L.Dense(5, activation="softmax"))


def leaky_network() -> Any:
    blocks = [layer for width in (16, 32) for layer in (
        L.Conv2D(width, 3, padding="same"), L.BatchNormalization(), L.LeakyReLU(), L.MaxPooling2D()
    )]
    return classifier(*blocks, L.Flatten())


def inverted(x: Any, width: int, strides: int) -> Any:
    """A block of MobileNetV3: wide, depthwise, squeezed, narrow."""
    wide = L.Activation("hard_swish")(L.BatchNormalization()(L.Conv2D(width * 4, 1)(x)))
    deep = L.Activation("hard_swish")(L.DepthwiseConv2D(3, strides, padding="same")(wide))
    gate = L.Conv2D(width * 4, 1, activation="hard_sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(deep))
    narrow = L.BatchNormalization()(L.Conv2D(width, 1)(deep * gate))
    return x + narrow if strides == 1 else narrow


def mobile_network() -> Any:
    def network(x: Any) -> Any:
        x = L.Conv2D(16, 3, 2, padding="same", activation="hard_swish")(x)
        for width, strides in ((16, 1), (24, 2), (24, 1)):
            x = inverted(x, width, strides)
        return L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x))

    return of(network)


def u_network(head: Callable[[Any], Any] = lambda x: x) -> Any:
    def network(x: Any) -> Any:
        first = L.Conv2D(8, 3, padding="same", activation="relu")(x)
        second = L.Conv2D(16, 3, padding="same", activation="relu")(L.MaxPooling2D()(first))
        last = L.Conv2D(32, 3, padding="same", activation="relu")(L.MaxPooling2D()(second))
        for skip, width in ((second, 16), (first, 8)):
            last = L.Concatenate()([L.UpSampling2D()(last), skip])
            last = L.Conv2D(width, 3, padding="same", activation="relu")(last)
        return head(L.Conv2D(3, 1)(last))

    return of(network)


def transformer() -> Any:
    def network(x: Any) -> Any:
        x = L.LayerNormalization()(x + L.MultiHeadAttention(2, 8, name="attention")(x, x))
        x = L.LayerNormalization()(x + L.Dense(8)(L.Dense(16, activation="gelu")(x)))
        return L.Dense(5, activation="softmax")(L.GlobalAveragePooling1D()(x))

    return of(network, WINDOW)


WHOLE: Mapping[str, Model] = {
    "LeakyReLU network": leaky_network,
    "MobileNet with hard swish": mobile_network,
    "U-Net with nearest upsampling": u_network,
    "LSTM classifier": lambda: classifier(L.LSTM(16, return_sequences=True), L.LSTM(16), shape=WINDOW),
    "bidirectional classifier": lambda: classifier(L.Bidirectional(L.LSTM(16)), shape=WINDOW),
    "GRU classifier": lambda: classifier(L.GRU(16), shape=WINDOW),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_models_map(convert: Callable[..., Made], name: str) -> None:
    made = convert(built(WHOLE[name]), require_full_mapping=True)
    assert placing.place(made.flatbuffer, made.options, made.places) == made.placement
    assert is_mapped(made.placement)
    assert made.placement.mac_share == 1
    assert made.sqnr_db > 20


def test_a_segmenting_model_maps_with_its_end_on_the_processor(convert: Callable[..., Made]) -> None:
    model = built(lambda: u_network(lambda x: ops.argmax(L.Resizing(320, 320)(x), axis=-1)))
    assert not is_mapped(convert(model).placement)
    assert is_mapped(convert(model, move_to_host=True).placement)


def test_a_transformer_is_refused_by_the_layer_with_advice(convert: Callable[..., Made]) -> None:
    made = convert(built(transformer), require_full_mapping=True)
    with pytest.raises(ConversionError, match=r"BATCH_MATMUL in .*attention") as caught:
        placing.place(made.flatbuffer, made.options, made.places)
    assert "MLP-Mixer" in caught.value.hint
    assert 0 < made.placement.on_target < len(made.placement.operations)
