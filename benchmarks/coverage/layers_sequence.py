"""Cases: recurrent layers, attention, embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras

from benchmarks.coverage.cases import Build, Case
from benchmarks.coverage.data import whole
from benchmarks.coverage.skeletons import on_films, on_series, on_tokens

L = keras.layers


def _case(covers: str, variant: str, build: Build, **settings: Any) -> Case:
    return Case(f"{covers}, {variant}" if variant else covers, build, covers=covers, **settings)


def recurrent() -> Iterator[Case]:
    """LSTM, GRU and SimpleRNN in every form that Keras has."""
    for name in ("LSTM", "GRU", "SimpleRNN"):
        yield from _forms(name, getattr(L, name))
        cell = getattr(L, f"{name}Cell")
        yield _case(cell.__name__, "", partial(_of_cell, cell))
    yield _case("LSTM", "relu", lambda: on_series(L.LSTM(8, activation="relu")))
    yield _case("LSTM", "hard sigmoid", lambda: on_series(L.LSTM(8, recurrent_activation="hard_sigmoid")))
    yield _case("LSTM", "two behind each other", lambda: on_series(L.LSTM(8, return_sequences=True), L.LSTM(8)))
    yield _case("LSTM", "50 steps, 32 units", lambda: on_series(L.LSTM(32), steps=50))
    yield _case("GRU", "reset before", lambda: on_series(L.GRU(8, reset_after=False)))
    yield _case("GRU", "50 steps, 32 units", lambda: on_series(L.GRU(32), steps=50))
    yield _case("RNN", "", lambda: on_series(L.RNN(L.SimpleRNNCell(8), return_sequences=True)))
    yield _case("StackedRNNCells", "", lambda: on_series(L.RNN(L.StackedRNNCells([L.LSTMCell(8), L.GRUCell(6)]))))
    yield _case("StackedRNNCells", "of a list", lambda: on_series(L.RNN([L.LSTMCell(8), L.LSTMCell(6)])))


def _forms(name: str, layer: Any) -> Iterator[Case]:
    yield _case(name, "", lambda: on_series(layer(8)))
    yield _case(name, "sequences", lambda: on_series(layer(8, return_sequences=True)))
    yield _case(name, "backwards", lambda: on_series(layer(8, go_backwards=True)))
    yield _case(name, "no bias", lambda: on_series(layer(8, use_bias=False)))
    yield _case(name, "unrolled", lambda: on_series(layer(8, unroll=True)))
    yield _case(name, "masked", lambda: on_series(L.Masking(), layer(8)))
    yield _case(name, "its state used", lambda: on_series(partial(_with_state, layer)))
    yield _case(name, "starts from a state", lambda: on_series(partial(_from_state, layer)))
    yield _case(name, "stateful", lambda: _stateful(layer), stateful=True)


def _of_cell(cell: Any) -> Any:
    return on_series(L.RNN(cell(8)))


def _both_ways(name: str, **settings: Any) -> Any:
    return on_series(L.Bidirectional(getattr(L, name)(8), **settings))


def _with_state(layer: Any, x: Any) -> Any:
    return L.Concatenate()(layer(8, return_state=True)(x))


def _from_state(layer: Any, x: Any) -> Any:
    _, *state = layer(8, return_state=True)(x)
    return layer(8)(x, initial_state=state)


def _stateful(layer: Any) -> Any:
    inputs = keras.Input((4, 6), batch_size=1, name="window")
    return keras.Model(inputs, L.Dense(4)(layer(8, stateful=True)(L.Dense(8)(inputs))))


def wrappers() -> Iterator[Case]:
    """Bidirectional, TimeDistributed, Masking and the convolutional recurrent layers."""
    for name in ("LSTM", "GRU", "SimpleRNN"):
        yield _case("Bidirectional", name, partial(_both_ways, name))
    yield _case(
        "Bidirectional", "LSTM, sequences", lambda: on_series(L.Bidirectional(L.LSTM(8, return_sequences=True)))
    )
    for mode in ("sum", "mul", "ave"):
        yield _case("Bidirectional", f"LSTM, {mode}", partial(_both_ways, "LSTM", merge_mode=mode))
    yield _case("TimeDistributed", "Dense", lambda: on_series(L.TimeDistributed(L.Dense(8))))
    yield _case("TimeDistributed", "Conv2D", lambda: on_films(L.TimeDistributed(L.Conv2D(4, 3))))
    yield _case(
        "TimeDistributed", "CNN before LSTM",
        lambda: on_films(L.TimeDistributed(L.Conv2D(4, 3)), L.TimeDistributed(L.GlobalAveragePooling2D()), L.LSTM(8)),
    )
    yield _case("Masking", "", lambda: on_series(L.Masking(0.0), L.Dense(4)))
    yield _case("ConvLSTM1D", "", lambda: on_films(L.ConvLSTM1D(4, 3), shape=(5, 12, 2)))
    yield _case("ConvLSTM2D", "", lambda: on_films(L.ConvLSTM2D(4, 3)))
    yield _case(
        "ConvLSTM2D", "sequences, same", lambda: on_films(L.ConvLSTM2D(4, 3, padding="same", return_sequences=True))
    )
    yield _case("ConvLSTM3D", "", lambda: on_films(L.ConvLSTM3D(3, 3), shape=(4, 5, 5, 5, 2)))


def attention() -> Iterator[Case]:
    """Attention of one series to itself, or to another."""
    yield _case("MultiHeadAttention", "", lambda: on_series(partial(_twice, L.MultiHeadAttention(2, 8))))
    yield _case("MultiHeadAttention", "causal", lambda: on_series(_causal))
    yield _case("MultiHeadAttention", "to another series", lambda: on_series(_cross))
    yield _case("MultiHeadAttention", "masked tokens", lambda: on_tokens(L.Embedding(20, 8, mask_zero=True), _self))
    yield _case("GroupQueryAttention", "", lambda: on_series(partial(_twice, L.GroupQueryAttention(8, 4, 2))))
    yield _case("Attention", "", lambda: on_series(_pair_of(L.Attention())))
    yield _case("Attention", "scaled", lambda: on_series(_pair_of(L.Attention(use_scale=True))))
    yield _case("Attention", "concat", lambda: on_series(_pair_of(L.Attention(score_mode="concat"))))
    yield _case("AdditiveAttention", "", lambda: on_series(_pair_of(L.AdditiveAttention())))


def _twice(layer: Any, x: Any) -> Any:
    return layer(x, x)


def _self(x: Any) -> Any:
    return L.MultiHeadAttention(2, 8)(x, x)


def _causal(x: Any) -> Any:
    return L.MultiHeadAttention(2, 8)(x, x, use_causal_mask=True)


def _cross(x: Any) -> Any:
    return L.MultiHeadAttention(2, 8)(x, L.Conv1D(8, 3, strides=2)(x))


def _pair_of(layer: Any) -> Any:
    return lambda x: layer([x, L.Dense(8)(x)])


def embeddings() -> Iterator[Case]:
    """Token numbers in."""
    yield _case("Embedding", "", lambda: on_tokens(L.Embedding(20, 8), L.Conv1D(8, 3, activation="relu")))
    yield _case("Embedding", "masked, LSTM", lambda: on_tokens(L.Embedding(20, 8, mask_zero=True), L.LSTM(8)))
    yield _case(
        "Embedding", "float numbers", lambda: on_tokens(L.Embedding(20, 8), L.Conv1D(8, 3), dtype="float32"),
        draw=whole(0, 20),
    )
    yield _case("ReversibleEmbedding", "", lambda: on_tokens(_there_and_back))


def _there_and_back(x: Any) -> Any:
    table = L.ReversibleEmbedding(20, 8)
    return table(L.Dense(8, activation="relu")(table(x)), reverse=True)
