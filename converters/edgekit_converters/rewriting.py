"""Layers in forms that TFLite can hold in int8, put in the place of Keras's own while a model is traced.

TensorFlow 2.21's converter cannot lower the loops of Keras 3's recurrent layers (it fails, or crashes), and leaves
float operations behind in layer normalization. The forms here compute the same: `freezing` holds their float results
against the model's own and refuses what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src import backend

LSTM = "each LSTM layer became one fused operation"
GRU = "GRU was unrolled into one int8 step after the other; the file grows with the number of steps"
LOOP = "a recurrent layer was unrolled into one step after the other; the file grows with the number of steps"
NORMALIZATION = "LayerNormalization was written in operations that have an int8 form"
ALMOST_ONE = float(np.nextafter(np.float32(1), np.float32(0)))
_REPLACED = (
    (backend, "lstm"), (backend, "gru"), (backend, "rnn"), (backend.numpy, "flip"),
    (keras.layers.LayerNormalization, "call"), (keras.layers.LSTM, "inner_loop"),
)


@contextmanager
def convertible_layers() -> Iterator[list[str]]:
    """Within it, Keras traces the forms of this module; the list says which were used, a sentence each."""
    used: list[str] = []
    saved = [(owner, name, getattr(owner, name)) for owner, name in _REPLACED]
    backend.lstm, backend.gru = _reporting(used, LSTM, _lstm), _reporting(used, GRU, _gru)
    backend.rnn = _reporting(used, LOOP, partial(_unrolled, backend.rnn))
    backend.numpy.flip = _flip
    keras.layers.LayerNormalization.call = _reporting(used, NORMALIZATION, _normalize)
    keras.layers.LSTM.inner_loop = _without_returned_state(keras.layers.LSTM.inner_loop)
    try:
        yield used
    finally:
        for owner, name, original in saved:
            setattr(owner, name, original)


def _reporting(used: list[str], name: str, form: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        result = form(*args, **kwargs)
        used.append(name)
        return result

    return call


def _without_returned_state(loop: Callable[..., Any]) -> Callable[..., Any]:
    """The fused operation gives no state: a layer whose state is used goes the way without it."""

    def inner_loop(layer: Any, *args: Any, **kwargs: Any) -> Any:
        allowed = layer.use_cudnn
        layer.use_cudnn = allowed if not layer.return_state else False
        try:
            return loop(layer, *args, **kwargs)
        finally:
            layer.use_cudnn = allowed

    return inner_loop


def _refuse_unless(fits: bool) -> None:
    """Keras then takes its general loop, which `_unrolled` writes out."""
    if not fits:
        raise NotImplementedError


def _value(variable: Any) -> Any:
    return tf.convert_to_tensor(variable.value if isinstance(variable, keras.Variable) else variable)


def _is_zero(state: Any) -> bool:
    """The fused operation starts from zero, whatever state it is given."""
    known = tf.get_static_value(state)
    return known is not None and not np.any(known)


def _lstm(
    inputs: Any, initial_state_h: Any, initial_state_c: Any, mask: Any, kernel: Any, recurrent_kernel: Any, bias: Any,
    activation: Any, recurrent_activation: Any, return_sequences: bool = False, go_backwards: bool = False,
    **_unused: Any,
) -> Any:
    """One LSTM layer in the function that TensorFlow's converter knows from Keras 2, and fuses.

    It goes by the attributes and by the order of arguments and results (prepare_composite_functions_tf.cc).
    """
    _refuse_unless(
        mask is None and bias is not None and _is_zero(initial_state_h) and _is_zero(initial_state_c)
        and activation is keras.activations.tanh and recurrent_activation is keras.activations.sigmoid
    )
    if go_backwards:
        inputs = inputs[:, ::-1]
    attributes = {
        "api_implements": f"lstm_{tf.compat.v1.get_default_graph().unique_name('edgekit')}",
        "api_preferred_device": "CPU",
        "go_backwards": False,
        "time_major": False,
    }
    fused = tf.function(_lstm_loop, experimental_attributes=attributes, autograph=False)
    weights = _value(kernel), _value(recurrent_kernel), _value(bias)
    last, outputs, state_h, state_c, _ = fused(inputs, initial_state_h, initial_state_c, *weights)
    # A concatenation gives its inputs one scale, and an LSTM's output has to keep that of its state: this product
    # stands between them. Without it a bidirectional layer loses all accuracy (5.7 dB).
    outputs = (outputs if return_sequences else last[:, tf.newaxis]) * ALMOST_ONE
    return last * ALMOST_ONE, outputs, [state_h, state_c]


def _lstm_loop(inputs: Any, init_h: Any, init_c: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
    def step(states: Any, sample: Any) -> Any:
        state_h, state_c = states
        gates = tf.split(sample @ kernel + state_h @ recurrent_kernel + bias, 4, axis=1)
        enter, forget, output = (tf.sigmoid(gates[index]) for index in (0, 1, 3))
        state_c = forget * state_c + enter * tf.tanh(gates[2])
        return output * tf.tanh(state_c), state_c

    all_h, all_c = tf.scan(step, tf.transpose(inputs, [1, 0, 2]), (init_h, init_c))
    outputs = tf.transpose(all_h, [1, 0, 2])
    return all_h[-1], outputs, all_h[-1], all_c[-1], tf.constant(1.0)


def _gru(
    inputs: Any, initial_state: Any, mask: Any, kernel: Any, recurrent_kernel: Any, bias: Any, activation: Any,
    recurrent_activation: Any, return_sequences: bool = False, go_backwards: bool = False, reset_after: bool = True,
    **_unused: Any,
) -> Any:
    """One GRU layer, unrolled: what the input gives to the gates in three products, then a product a gate and step.

    Splitting one product by gates, as Keras does, would share one scale among them and leaves SPLIT in float.
    """
    steps = inputs.shape[1]
    _refuse_unless(mask is None and bias is not None and steps is not None)
    biases = tf.reshape(_value(bias), [2 if reset_after else 1, 3, -1])
    kernels, recurrent = tf.split(_value(kernel), 3, axis=1), tf.split(_value(recurrent_kernel), 3, axis=1)
    sequence = tf.reshape(inputs, [steps, inputs.shape[2]])  # the batch is 1
    gates = [sequence @ kernels[gate] + biases[0, gate] for gate in range(3)]
    inner = biases[1] if reset_after else tf.zeros_like(biases[0])
    state, outputs = initial_state, []
    for step in reversed(range(steps)) if go_backwards else range(steps):
        from_input = [gate[step : step + 1] for gate in gates]
        update = recurrent_activation(from_input[0] + (state @ recurrent[0] + inner[0]))
        reset = recurrent_activation(from_input[1] + (state @ recurrent[1] + inner[1]))
        candidate = reset * (state @ recurrent[2] + inner[2]) if reset_after else (reset * state) @ recurrent[2]
        candidate = activation(from_input[2] + candidate)
        state = candidate + update * (state - candidate)
        outputs.append(state)
    return state, tf.stack(outputs, axis=1) if return_sequences else state[:, tf.newaxis], [state]


def _unrolled(loop: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Keras's own loop, written out step by step, where the number of steps is fixed."""
    return loop(*args, **{**kwargs, "unroll": True})


def _flip(x: Any, axis: Any = None) -> Any:
    """A slice with a step of -1: TensorFlow's quantizer gives REVERSE_V2 two scales, and it changes no value."""
    rank = len(x.shape)
    axes = range(rank) if axis is None else [a % rank for a in (axis if isinstance(axis, (list, tuple)) else [axis])]
    return x[tuple(slice(None, None, -1 if at in axes else 1) for at in range(rank))]


def _normalize(layer: Any, inputs: Any) -> Any:
    """LayerNormalization (Ba et al. 2016) as d·rsqrt(mean(d²) + ε)·gamma + beta with d = x - mean(x).

    Keras's own form goes through NEG and SQUARED_DIFFERENCE, which stay float.
    """
    rank = len(inputs.shape)
    axes = [axis % rank for axis in (layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis])]
    deviation = inputs - tf.reduce_mean(inputs, axis=axes, keepdims=True)
    variance = tf.reduce_mean(deviation * deviation, axis=axes, keepdims=True)
    normalized = deviation * tf.math.rsqrt(variance + layer.epsilon)
    shape = [inputs.shape[axis] if axis in axes else 1 for axis in range(rank)]
    if layer.scale:
        normalized *= tf.reshape(_value(layer.gamma), shape)
    return normalized + tf.reshape(_value(layer.beta), shape) if layer.center else normalized
