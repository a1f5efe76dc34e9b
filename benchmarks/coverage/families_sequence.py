"""Whole models on tables, signals and tokens, and those that take several inputs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import keras
import numpy as np

from benchmarks.coverage.cases import Case, Samples
from benchmarks.coverage.data import features, generator, whole
from benchmarks.coverage.settling import scatter

L = keras.layers

FEATURES, WORDS = 20, 500


def cases() -> Iterator[Case]:
    """In the order of the table."""
    yield Case("tabular classifier, 20 features", _tabular, _draw_tabular)
    yield Case("tabular classifier, Normalization inside", partial(_tabular, normalizing=True), _draw_raw)
    for name in ("LSTM", "GRU", "SimpleRNN"):
        yield Case(f"{name}, 50 steps of 32 units", partial(_recurrent, name), _draw_waves)
        yield Case(f"bidirectional {name}", partial(_bidirectional, name))
        yield Case(f"stacked {name}", partial(_stacked, name))
        yield Case(f"stateful {name}, windows of 8 steps", partial(_stateful, name, 8), stateful=True)
        yield Case(f"streaming {name}, one step a call", partial(_stateful, name, 1), stateful=True)
    yield Case("Conv1D and LSTM", _conv_lstm)
    yield Case("LSTM encoder and decoder", _encoder_decoder)
    yield Case("Conv1D classifier", _conv1d)
    yield Case("TCN", _tcn)
    yield Case("transformer encoder of signals", _transformer)
    yield Case("transformer encoder of tokens", _token_transformer, whole(1, WORDS))
    yield Case("text classifier", _text, whole(0, WORDS))
    yield Case("text classifier, masked LSTM", _text_lstm, _draw_padded)
    yield Case("two inputs and two outputs", _two_by_two)
    yield Case("sensor fusion, image and IMU", _fusion)
    yield Case("subclassed, from memory", _subclassed, _draw_twelve, source="memory")
    yield Case("subclassed, as SavedModel", _subclassed, _draw_twelve, source="savedmodel")
    yield Case("custom layer, from memory", _custom, source="memory")


@cache
def _table() -> tuple[Any, Any]:
    from sklearn.datasets import make_classification

    x, y = make_classification(2000, FEATURES, n_informative=12, n_classes=4, random_state=0)
    return x.astype(np.float32), y


def _tabular(*, normalizing: bool = False) -> Any:
    x, y = _table()
    x = x * 8 + 30 if normalizing else x
    first = [L.Normalization()] if normalizing else []
    for layer in first:
        layer.adapt(x)
    model = keras.Sequential([
        keras.Input((FEATURES,), name="features"), *first, L.Dense(64, activation="relu"), L.Dropout(0.2),
        L.Dense(32, activation="relu"), L.Dense(4, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:1500], y[:1500], epochs=8, verbose=0, shuffle=False)
    return model


def _draw_tabular(_model: Any, count: int, fresh: bool) -> Samples:
    start = 1500 if fresh else 0
    return {"features": _table()[0][start : start + count]}


def _draw_raw(model: Any, count: int, fresh: bool) -> Samples:
    return {"features": _draw_tabular(model, count, fresh)["features"] * 8 + 30}


def _window(steps: int = 50, channels: int = 6, **settings: Any) -> Any:
    return keras.Input((steps, channels), name="window", **settings)


@cache
def _waves() -> tuple[Any, Any]:
    """Noisy waves on six channels; the class is the frequency."""
    random = np.random.default_rng(0)
    y = random.integers(0, 5, 2000)
    phase = random.uniform(0, 2 * np.pi, (2000, 1, 6))
    turns = (0.04 * (y + 1))[:, None, None] * np.arange(50)[None, :, None]
    return (np.sin(2 * np.pi * turns + phase) + random.normal(0, 0.3, (2000, 50, 6))).astype(np.float32), y


def _draw_waves(_model: Any, count: int, fresh: bool) -> Samples:
    start = 1500 if fresh else 0
    return {"window": _waves()[0][start : start + count]}


def _recurrent(name: str) -> Any:
    x, y = _waves()
    model = keras.Sequential([_window(), getattr(L, name)(32), L.Dense(5, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x[:1500], y[:1500], epochs=4, batch_size=50, verbose=0, shuffle=False)
    return model


def _bidirectional(name: str) -> Any:
    layer = getattr(L, name)
    return scatter(keras.Sequential([
        _window(24), L.Bidirectional(layer(12, return_sequences=True)), L.Bidirectional(layer(8)), L.Dense(5),
    ]), 0)


def _stacked(name: str) -> Any:
    layer = getattr(L, name)
    return scatter(keras.Sequential([
        _window(24), layer(16, return_sequences=True), L.Dropout(0.2), layer(16, return_sequences=True), layer(16),
        L.Dense(5),
    ]), 0)


def _stateful(name: str, steps: int) -> Any:
    layer = getattr(L, name)(16, stateful=True, name="memory")
    return scatter(keras.Sequential([_window(steps, batch_size=1), layer, L.Dense(4)]), 0)


def _conv_lstm() -> Any:
    return scatter(keras.Sequential([
        _window(), L.Conv1D(16, 5, strides=2, activation="relu"), L.LSTM(16), L.Dense(5),
    ]), 0)


def _encoder_decoder() -> Any:
    inputs = _window(16)
    _, *state = L.LSTM(12, return_state=True)(inputs)
    decoded = L.LSTM(12, return_sequences=True)(L.RepeatVector(6)(L.Dense(8)(state[0])), initial_state=state)
    return scatter(keras.Model(inputs, L.TimeDistributed(L.Dense(2))(decoded)), 0)


def _conv1d() -> Any:
    return scatter(keras.Sequential([
        _window(), L.Conv1D(16, 5, activation="relu"), L.BatchNormalization(), L.MaxPooling1D(),
        L.Conv1D(32, 3, activation="relu"), L.GlobalAveragePooling1D(), L.Dense(5, activation="softmax"),
    ]), 0)


def _tcn() -> Any:
    """Causal convolutions, the dilation doubled from block to block."""
    inputs = _window(32)
    x = L.Conv1D(16, 1)(inputs)
    for dilation in (1, 2, 4):
        y = L.Conv1D(16, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
        y = L.Conv1D(16, 3, padding="causal", dilation_rate=dilation)(L.SpatialDropout1D(0.1)(y))
        x = L.ReLU()(L.Add()([x, y]))
    return scatter(keras.Model(inputs, L.Dense(4)(x[:, -1])), 0)


def _encoder_block(x: Any, width: int) -> Any:
    normalized = L.LayerNormalization()(x)
    x = L.Add()([x, L.MultiHeadAttention(2, width // 2, dropout=0.1)(normalized, normalized)])
    y = L.Dense(2 * width, activation="gelu")(L.LayerNormalization()(x))
    return L.Add()([x, L.Dropout(0.1)(L.Dense(width)(y))])


class Positions(keras.layers.Layer):
    """Adds a learned vector to each step, as transformers do."""

    def build(self, shape: Any) -> None:
        """One vector a step."""
        self.table = self.add_weight(shape=tuple(shape[1:]), initializer="glorot_uniform", name="embeddings")

    def call(self, x: Any) -> Any:
        """Float, (batch, steps, width), in and out."""
        return x + self.table


def _transformer() -> Any:
    inputs = _window(24)
    steps = keras.ops.arange(24)
    x = L.Dense(16)(inputs) + L.Embedding(24, 16, name="positions")(steps)[None]
    x = _encoder_block(_encoder_block(x, 16), 16)
    return scatter(keras.Model(inputs, L.Dense(5)(L.GlobalAveragePooling1D()(L.LayerNormalization()(x)))), 0)


def _token_transformer() -> Any:
    tokens = keras.Input((16,), dtype="int32", name="tokens")
    positions = L.Embedding(16, 16, name="positions")(keras.ops.arange(16))
    x = _encoder_block(L.Embedding(WORDS, 16, name="words")(tokens) + positions[None], 16)
    return scatter(keras.Model(tokens, L.Dense(4)(L.GlobalMaxPooling1D()(x))), 0)


def _text() -> Any:
    return scatter(keras.Sequential([
        keras.Input((20,), dtype="int32", name="tokens"), L.Embedding(WORDS, 16), L.Conv1D(16, 3, activation="relu"),
        L.GlobalMaxPooling1D(), L.Dense(3, activation="softmax"),
    ]), 0)


def _text_lstm() -> Any:
    return scatter(keras.Sequential([
        keras.Input((12,), dtype="int32", name="tokens"), L.Embedding(WORDS, 16, mask_zero=True), L.LSTM(12),
        L.Dense(3),
    ]), 0)


def _draw_padded(_model: Any, count: int, fresh: bool) -> Samples:
    """Texts of 4 to 12 tokens, zeros behind."""
    random = generator(fresh)
    tokens = random.integers(1, WORDS, (count, 12))
    return {"tokens": np.where(np.arange(12) < random.integers(4, 13, (count, 1)), tokens, 0).astype(np.int32)}


def _two_by_two() -> Any:
    fast, slow = keras.Input((32, 3), name="fast"), keras.Input((6,), name="slow")
    x = L.GlobalMaxPooling1D()(L.Conv1D(16, 5, activation="relu")(fast))
    x = L.Concatenate()([x, L.Dense(8, activation="relu")(slow)])
    outputs = [L.Dense(3, activation="softmax", name="state")(x), L.Dense(2, name="speed")(x)]
    return scatter(keras.Model([slow, fast], outputs), 0)


def _fusion() -> Any:
    image, imu = keras.Input((24, 24, 3), name="image"), keras.Input((20, 6), name="imu")
    seen = L.Conv2D(16, 3, strides=2, activation="relu")(image)
    seen = L.GlobalAveragePooling2D()(L.Conv2D(24, 3, strides=2, activation="relu")(seen))
    felt = L.LSTM(12)(L.Conv1D(12, 3, activation="relu")(imu))
    x = L.Dense(24, activation="relu")(L.Concatenate()([seen, felt]))
    return scatter(keras.Model([image, imu], L.Dense(3, name="pose")(x)), 0)


class Residual(keras.Model):
    """A network of the user's own class."""

    def __init__(self) -> None:
        super().__init__(name="residual")
        self.first, self.second = L.Dense(16, activation="relu"), L.Dense(16)
        self.head = L.Dense(4)

    def call(self, x: Any, training: bool = False) -> Any:
        """Float, (batch, 12), to (batch, 4)."""
        x = self.first(x)
        return self.head(keras.ops.relu(x + self.second(x)))


def _subclassed() -> Any:
    model = Residual()
    model(np.zeros((1, 12), np.float32))
    return scatter(model, 0)


def _draw_twelve(_model: Any, count: int, fresh: bool) -> Samples:
    return {"features": features(generator(fresh), count, 12)}


def _custom() -> Any:
    inputs = _window(12)
    x = Positions(name="positions")(L.Dense(8)(inputs))
    return scatter(keras.Model(inputs, L.Dense(3)(L.GlobalAveragePooling1D()(x))), 0)
