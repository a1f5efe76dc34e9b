"""Recurrent and normalizing layers, which TensorFlow's converter alone crashes on or leaves in float."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit.tflite import read_model

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")

pytestmark = [pytest.mark.convert, pytest.mark.usefixtures("in_process")]

WINDOWS = np.random.default_rng(0).normal(size=(60, 10, 4)).astype(np.float32)


def model_of(*layers: Any, seed: int = 0) -> Any:
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((10, 4), name="window"), *layers, keras.layers.Dense(3)])


def encoder_and_decoder() -> Any:
    """The decoder starts from the encoder's state, which the fused operation cannot."""
    keras.utils.set_random_seed(0)
    window = keras.Input((10, 4), name="window")
    _, *state = keras.layers.LSTM(6, return_state=True)(window)
    return keras.Model(window, keras.layers.Dense(3)(keras.layers.LSTM(6)(window, initial_state=state)))


def transformer() -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    window = keras.Input((10, 4), name="window")
    x = layers.Dense(16)(window)
    normalized = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(2, 8)(normalized, normalized)
    x = x + layers.Dense(16)(layers.Dense(32, activation="gelu")(layers.LayerNormalization()(x)))
    return keras.Model(window, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def expected(model: Any) -> NDArray[np.float32]:
    return np.asarray(model(WINDOWS))


def answers(path: Path) -> NDArray[np.float32]:
    """In this order: a state left over from the window before would show."""
    model = edgekit.load(path)
    results = [model(window) for window in WINDOWS]
    return np.stack([r.values["output"] for r in results if isinstance(r, edgekit.Values)])


L = keras.layers
FUSED: dict[str, tuple[Callable[[], Any], int]] = {
    "LSTM": (lambda: model_of(L.Conv1D(8, 3, activation="relu"), L.LSTM(16)), 1),
    # Its cell states stay below 0.5, where TFLite's kernel is wrong for the scale that TensorFlow gives them.
    "stacked, small states": (lambda: model_of(L.LSTM(16, return_sequences=True), L.LSTM(16), seed=1), 2),
    "bidirectional sequences": (
        lambda: model_of(L.Bidirectional(L.LSTM(8, return_sequences=True)), L.GlobalAveragePooling1D()), 2
    ),
}
UNROLLED: dict[str, Callable[[], Any]] = {
    "GRU": lambda: model_of(L.GRU(16)),
    "bidirectional GRU of the first kind": lambda: model_of(L.Bidirectional(L.GRU(8, reset_after=False))),
    "masked LSTM, SimpleRNN": lambda: model_of(L.Masking(), L.LSTM(8, return_sequences=True), L.SimpleRNN(4)),
    "encoder and decoder of LSTM": encoder_and_decoder,
    "transformer": transformer,
}


@pytest.mark.parametrize("name", FUSED)
def test_lstm_becomes_one_fused_int8_operation(name: str, tmp_path: Path) -> None:
    build, layers = FUSED[name]
    model = build()
    made = edgekit.convert(model, tmp_path / "x.tflite", calibration=WINDOWS)
    assert made.operations["UNIDIRECTIONAL_SEQUENCE_LSTM"] == layers
    assert list(made.rewrites) == ["lstm"]
    assert not made.warnings
    assert made.size < 15_000
    assert {t.dtype for t in (*made.inputs, *made.outputs)} == {"int8"}
    assert np.abs(answers(made.path) - expected(model)).max() < 0.05


@pytest.mark.parametrize("name", UNROLLED)
def test_other_layers_are_written_out(name: str, tmp_path: Path) -> None:
    model = UNROLLED[name]()
    made = edgekit.convert(model, tmp_path / "x.tflite", calibration=WINDOWS)
    assert made.rewrites
    assert made.agreement is not None
    assert made.agreement.sqnr_db > 18
    assert np.abs(answers(made.path) - expected(model)).max() < 0.15
    assert not read_model(made.path).float_tensors


def test_lstm_in_a_file_converts_too_and_leaves_keras_as_it_was(tmp_path: Path) -> None:
    model = model_of(L.LSTM(8, name="memory"))
    before = expected(model)
    model.save(tmp_path / "lstm.keras")
    from_file = edgekit.convert(tmp_path / "lstm.keras", tmp_path / "file.tflite", calibration=WINDOWS)
    from_memory = edgekit.convert(model, tmp_path / "memory.tflite", calibration=WINDOWS)
    assert from_file.operations == from_memory.operations
    assert np.array_equal(expected(model), before)
