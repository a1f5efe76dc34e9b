"""Layers in the forms that convert: they compute what Keras computes, and leave nothing in float."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import edgekit
from edgekit import ConversionError, UsageError
from edgekit.tflite import ModelFile, read_model
from edgekit_converters.cures import CURES, FOR_CORAL

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
tf = pytest.importorskip("tensorflow", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
forms = pytest.importorskip("edgekit_converters.forms", reason="needs the convert extra")

L = keras.layers


def random(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def assert_same(layer: Any, values: NDArray[np.float32]) -> list[str]:
    """The layer traced with all forms gives what it gives by itself; the forms that were used."""
    expected = np.asarray(layer(values))
    with forms.convertible_layers(frozenset(CURES) - FOR_CORAL) as used:
        function = tf.function(layer.__call__, input_signature=[tf.TensorSpec(values.shape)], autograph=False)
        found = function(values).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5
    return list(dict.fromkeys(used))


SIZES = st.tuples(*[st.integers(1, 3)] * 3)
PADDINGS = st.sampled_from(["valid", "same"])


@settings(deadline=None, max_examples=25)
@given(SIZES, SIZES, PADDINGS, st.integers(3, 6))
def test_3d_layers_as_2d_ones(size: tuple[int, ...], strides: tuple[int, ...], padding: str, depth: int) -> None:
    volume = random(1, depth, 5, 4, 2)
    for layer in (
        L.Conv3D(3, size, strides, padding),
        L.Conv3DTranspose(3, size, strides, padding),
        L.MaxPooling3D(size, strides, padding),
        L.AveragePooling3D(size, strides, padding),
    ):
        assert assert_same(layer, volume) == ["volumes"]


@settings(deadline=None, max_examples=10)
@given(
    st.sampled_from(["bicubic", "lanczos3", "lanczos5"]),
    st.integers(1, 20), st.integers(1, 20), st.integers(1, 9), st.integers(1, 9),
)
def test_resizing_by_matrices(method: str, height: int, width: int, old_height: int, old_width: int) -> None:
    layer = L.Resizing(height, width, interpolation=method)
    assert assert_same(layer, random(1, old_height, old_width, 3)) == ["resizing"]


OTHERS: dict[str, tuple[Callable[[], Any], tuple[int, ...], list[str]]] = {
    "dilated": (lambda: L.Conv3D(3, 2, dilation_rate=2, padding="same"), (1, 5, 5, 4, 2), ["volumes"]),
    "groups of planes": (lambda: L.Conv3D(4, 2, groups=2), (1, 5, 5, 4, 2), []),
    "groups": (lambda: L.Conv2D(8, 3, groups=4, padding="same", strides=2), (1, 9, 8, 8), ["groups"]),
    "nearest": (lambda: L.UpSampling2D((2, 3)), (1, 4, 5, 3), ["upsampling"]),
    "bilinear": (lambda: L.UpSampling2D(2, interpolation="bilinear"), (1, 4, 5, 3), []),
    "bicubic": (lambda: L.UpSampling2D(2, interpolation="bicubic"), (1, 4, 5, 3), ["resizing"]),
    "sequence": (lambda: L.UpSampling1D(3), (1, 7, 3), ["upsampling"]),
    "volume": (lambda: L.UpSampling3D((2, 3, 1)), (1, 4, 5, 6, 2), ["upsampling"]),
    "average": (lambda: L.AdaptiveAveragePooling2D((3, 2)), (1, 8, 7, 3), ["pooling"]),
    "largest": (lambda: L.AdaptiveMaxPooling1D(3), (1, 8, 3), ["pooling"]),
    "dense": (lambda: L.Dense(5, activation="softmax"), (1, 8), ["dense"]),
    "dense on steps": (lambda: L.Dense(5, activation="relu", use_bias=False), (1, 3, 8), ["dense"]),
    "own activation": (lambda: L.Dense(4, activation=lambda x: x[..., ::-1]), (1, 3, 8), ["dense"]),
    "softplus": (lambda: L.Activation("softplus"), (1, 200), ["softplus"]),
    "elu": (lambda: L.ELU(alpha=0.3), (1, 200), ["elu"]),
    "selu": (lambda: L.Activation("selu"), (1, 200), ["elu"]),
    "celu": (lambda: L.Activation(lambda x: keras.ops.celu(x, 2.0)), (1, 200), ["elu"]),
    "groups of a picture": (lambda: L.GroupNormalization(2), (1, 6, 5, 8), ["group_normalization"]),
    "instances": (lambda: L.GroupNormalization(-1), (1, 9, 8), ["group_normalization"]),
    "norm": (lambda: L.LayerNormalization(axis=(1, 2)), (1, 3, 30), ["layer_normalization"]),
    "cells": (lambda: L.RNN([L.LSTMCell(4), L.GRUCell(3)]), (1, 5, 3), ["loops"]),
    "gru": (lambda: L.GRU(4, reset_after=False, go_backwards=True), (1, 5, 3), ["gru"]),
    "lstm": (lambda: L.Bidirectional(L.LSTM(4, return_sequences=True)), (1, 5, 3), ["lstm"]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_forms_compute_what_keras_computes(name: str) -> None:
    make, shape, used = OTHERS[name]
    assert assert_same(make(), random(*shape)) == used


def mixed() -> Any:
    """Of all that TensorFlow's quantizer alone leaves in float, or that its converter refuses, one each."""
    keras.utils.set_random_seed(0)
    picture = keras.Input((8, 8, 4), name="picture")
    x = L.Conv2D(8, 3, padding="same", activation="elu")(picture)
    x = L.GroupNormalization(2)(x)
    x = L.UnitNormalization()(L.UpSampling2D(2)(x))
    x = L.Resizing(9, 9, interpolation="bicubic")(x)
    x = L.Conv3D(4, 3, name="volume")(L.Reshape((9, 9, 4, 2))(x))
    x = keras.ops.square(x) - keras.ops.abs(-x)
    return keras.Model(picture, L.Dense(3, name="scores")(L.Flatten()(L.Activation("mish")(x))), name="mixed")


def float_tensors(model: ModelFile) -> list[str]:
    return [model.main.tensors[i].name for i in model.main.used if "float" in model.main.tensors[i].dtype]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forms")
    mixed().save(path / "mixed.keras")
    np.save(path / "pictures.npy", random(80, 8, 8, 4))
    return path


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_nothing_stays_float(folder: Path) -> None:
    made = edgekit.convert(folder / "mixed.keras", folder / "mixed.tflite", calibration=folder / "pictures.npy")
    assert list(made.rewrites) == [
        "group_normalization", "softplus", "upsampling", "resizing", "volumes", "operations", "elu",
    ]
    assert not float_tensors(read_model(made.path))
    assert made.agreement is not None
    assert made.agreement.sqnr_db > 20
    assert made.peak_memory > 100_000_000


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_a_form_that_is_kept_is_refused_by_the_name_of_its_layer(folder: Path) -> None:
    named = r"CONV_3D in layer 7 of 10, 'volume' \(Conv3D\) computes in float"
    with pytest.raises(ConversionError, match=named) as caught:
        edgekit.convert(
            folder / "mixed.keras", folder / "kept.tflite", calibration=folder / "pictures.npy", keep=["volumes"]
        )
    assert "--allow-float" in caught.value.hint
    assert not (folder / "kept.tflite").exists()


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_float_can_be_allowed(folder: Path) -> None:
    made = edgekit.convert(
        folder / "mixed.keras", folder / "allowed.tflite", calibration=folder / "pictures.npy", keep=["volumes"],
        allow_float=True,
    )
    assert any("CONV_3D" in warning for warning in made.warnings)


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_16_bit_activations(folder: Path) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 4)), L.Conv2D(8, 3, activation="relu"), L.Flatten(), L.Dense(3)])
    pictures = random(50, 8, 8, 4)
    made = edgekit.convert(model, folder / "wide.tflite", calibration=pictures, precision="int16x8")
    assert [tensor.dtype for tensor in (*made.inputs, *made.outputs)] == ["int16", "int16"]
    assert made.agreement is not None
    assert made.agreement.sqnr_db > 38  # 33 with 8 bits: what is left is the weights' part
    result = edgekit.load(made.path)(pictures[0])
    assert isinstance(result, edgekit.Values)
    assert np.allclose(result.values["output"], np.asarray(model(pictures[:1])[0]), atol=0.02)


def dense() -> Any:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((20,)), L.Dense(16, activation="relu"), L.Dense(8, activation="gelu", name="curve"), L.Dense(3)]
    )


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_an_operation_that_the_runtime_lacks_is_named_with_its_layer(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"2.7 cannot load the model: layer 2 of 3, 'curve' \(Dense\) needs GELU"):
        edgekit.convert(dense(), tmp_path / "x.tflite", calibration=random(50, 20), runtime="tflite-2.7")


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_ad01_keeps_its_accuracy_on_old_runtimes(shared: Path, tmp_path: Path) -> None:
    """Dense as convolution: a scale a channel, right where Dense with one is wrong in silence. 31.8 dB per tensor."""
    recording = next((shared / "audio").glob("*librosa.bin"))
    frames = np.fromfile(recording, "<f4").reshape(-1, 128)
    windows = np.stack([frames[at : at + 5].ravel() for at in range(len(frames) - 4)])
    made = edgekit.convert(
        shared / "keras" / "ad01.h5", tmp_path / "ad01.tflite", calibration=windows[::2], runtime="tflite-2.7"
    )
    assert list(made.rewrites) == ["dense"]
    assert "FULLY_CONNECTED" not in made.operations
    assert made.agreement is not None
    assert made.agreement.sqnr_db >= 40


def test_unknown_names_are_refused_at_once(tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"keep": ["elus"]}, {"runtime": "tflite-3"}, {"runtime": "litert", "target": "coral"},
    ]
    for options in wrong:
        with pytest.raises(UsageError):
            edgekit.convert(tmp_path / "x.keras", calibration="x.npy", **options)


def test_the_documentation_names_every_form() -> None:
    page = (Path(__file__).parents[1] / "docs" / "converting.md").read_text()
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")][: len(CURES)] == list(CURES)


def moved() -> Any:
    """Regression: two ELUs that are only reshaped and joined, a mask of token numbers, and a mean under it."""
    keras.utils.set_random_seed(0)
    words, row = keras.Input((12,), name="words"), keras.Input((6,), name="row")
    mean = L.GlobalAveragePooling1D()(L.Embedding(50, 16, mask_zero=True)(words))
    curves = [L.Flatten()(L.Dense(4, activation="elu")(L.Reshape((3, 2))(row))), L.Dense(8, activation="elu")(row)]
    return keras.Model([words, row], L.Dense(3)(L.Concatenate()([mean, *curves])))


@pytest.mark.convert
@pytest.mark.usefixtures("in_process")
def test_masks_of_tokens_and_elus_that_are_moved_stay_integers(tmp_path: Path) -> None:
    words = np.random.default_rng(0).integers(1, 50, (60, 12)) * (np.arange(12) < 8)
    made = edgekit.convert(moved(), tmp_path / "x.tflite", calibration={"words": words, "row": random(60, 6)})
    assert {tensor.name: tensor.dtype for tensor in made.inputs} == {"row": "int8", "words": "int32"}
    assert list(made.rewrites) == ["tokens", "operations", "elu"]
    assert not float_tensors(read_model(made.path))
