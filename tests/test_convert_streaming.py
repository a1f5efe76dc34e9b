"""Stateful recurrent models: a stream goes in piece by piece, and the runtime carries what they remember."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit import UsageError, metadata
from edgekit.device import Runner
from edgekit.errors import ModelFileError
from edgekit.state import carried

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")

pytestmark = [pytest.mark.convert, pytest.mark.usefixtures("in_process")]
L = keras.layers
STEPS = 5


def stream() -> NDArray[np.float32]:
    """Pieces of one long walk at random, (100, STEPS, 4), from -1 to 1."""
    walk = np.cumsum(np.random.default_rng(0).normal(size=(100 * STEPS, 4)), axis=0)
    pieces: NDArray[np.float32] = (walk / np.abs(walk).max()).astype(np.float32).reshape(-1, STEPS, 4)
    return pieces


def model_of(*layers: Any) -> Any:
    keras.utils.set_random_seed(0)
    window = keras.Input((STEPS, 4), batch_size=1, name="window")
    return keras.Sequential([window, *layers, L.Dense(3)])


def float_answers(model: Any) -> NDArray[np.float32]:
    """What Keras itself gives, from a fresh start."""
    for layer in model.layers:
        for state in keras.tree.flatten(getattr(layer, "states", None) or []):
            state.assign(keras.ops.zeros_like(state))
    return np.stack([np.asarray(model(piece[None])[0]) for piece in stream()])


def answers(model: edgekit.Model) -> NDArray[np.float32]:
    results = [model(piece) for piece in stream()]
    return np.stack([result.values["output"] for result in results if isinstance(result, edgekit.Values)])


MODELS: dict[str, tuple[Callable[[], Any], list[str], int]] = {
    "LSTM, fused": (lambda: model_of(L.LSTM(8, stateful=True)), ["lstm"], 0),
    "GRU": (lambda: model_of(L.GRU(8, stateful=True)), ["gru"], 1),
    "LSTM and GRU": (
        lambda: model_of(L.LSTM(8, stateful=True, return_sequences=True), L.GRU(6, stateful=True)), ["lstm", "gru"], 1
    ),
    "stacked cells": (lambda: model_of(L.RNN([L.LSTMCell(4), L.GRUCell(3)], stateful=True)), ["loops"], 3),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_stream_gives_what_keras_gives(name: str, tmp_path: Path) -> None:
    build, rewrites, states = MODELS[name]
    model = build()
    model.save(tmp_path / "stateful.keras")
    made = edgekit.convert(tmp_path / "stateful.keras", tmp_path / "x.tflite", calibration=stream())
    assert list(made.rewrites) == rewrites
    expected = float_answers(model)
    converted = edgekit.load(made.path)
    assert converted.remembers
    assert len(converted.metadata.states) == states
    assert [tensor.name for tensor in converted.inputs] == ["window"]
    assert [tensor.name for tensor in converted.outputs] == ["output"]
    first = answers(converted)
    noise = np.square(first - expected).sum() / np.square(expected).sum()
    assert -10 * np.log10(noise) > 25
    converted.reset()
    assert np.array_equal(answers(converted), first)


def test_a_model_in_memory_keeps_its_own_state(tmp_path: Path) -> None:
    model = model_of(L.GRU(8, stateful=True))
    model(stream()[:1])
    before = [np.asarray(state) for state in model.layers[0].states]
    made = edgekit.convert(model, tmp_path / "x.tflite", calibration=stream())
    assert len(metadata.read(made.path).states) == 1
    assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(before, model.layers[0].states, strict=True))


class Chip:
    threads = 1

    def run(self, inputs: Any) -> Any:
        raise AssertionError

    def reset(self) -> None:
        pass


def test_several_chips_cannot_share_a_stream(numbers: Path) -> None:
    file, about = edgekit.tflite.read_model(numbers), metadata.Metadata(keeps_state=True)
    chips: dict[str, Runner] = {"coral:usb:0": Chip(), "coral:usb:1": Chip()}
    with pytest.raises(UsageError, match="each see only some"):
        carried(chips, file, about)


def test_states_that_the_network_has_not_are_refused(numbers: Path, tmp_path: Path) -> None:
    about = metadata.Metadata(states=(metadata.State(0, 1),))
    wrong = tmp_path / "wrong.tflite"
    wrong.write_bytes(metadata.write(numbers.read_bytes(), about))
    with pytest.raises(ModelFileError, match="output 1 is a state for input 0"):
        edgekit.load(wrong)
