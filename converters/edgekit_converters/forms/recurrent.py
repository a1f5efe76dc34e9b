"""Recurrent layers: LSTM as the one operation that TFLite has for it, others step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src import backend

from edgekit_converters.forms.types import Form, instead, refuse_unless, value

ALMOST_ONE = float(np.nextafter(np.float32(1), np.float32(0)))


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


def _a_product_a_gate(call: Callable[..., Any]) -> Callable[..., Any]:
    """Keras's form with a product for each gate: splitting one product leaves SPLIT in float."""

    def cell_call(cell: Any, *args: Any, **kwargs: Any) -> Any:
        implementation = cell.implementation
        cell.implementation = 1
        try:
            return call(cell, *args, **kwargs)
        finally:
            cell.implementation = implementation

    return cell_call


def _is_zero(state: Any) -> bool:
    """The fused operation starts from zero, whatever state it is given."""
    known = tf.get_static_value(state)
    return known is not None and not np.any(known)


def can_be_fused(layer: Any) -> bool:
    """Whether an LSTM layer that is given no mask and no state becomes the fused operation."""
    return (
        layer.use_bias and not layer.return_state and layer.use_cudnn is not False
        and _usual(layer.activation, layer.recurrent_activation)
    )


def _usual(activation: Any, recurrent_activation: Any) -> bool:
    return activation is keras.activations.tanh and recurrent_activation is keras.activations.sigmoid


MOST_SLICED = 5
"""Dimensions that the kernel of STRIDED_SLICE takes at most."""


def _lstm(
    inputs: Any, initial_state_h: Any, initial_state_c: Any, mask: Any, kernel: Any, recurrent_kernel: Any, bias: Any,
    activation: Any, recurrent_activation: Any, return_sequences: bool = False, go_backwards: bool = False,
    **_unused: Any,
) -> Any:
    """One LSTM layer in the function that TensorFlow's converter knows from Keras 2, and fuses.

    It goes by the attributes and by the order of arguments and results (prepare_composite_functions_tf.cc).
    """
    refuse_unless(
        mask is None and bias is not None and _is_zero(initial_state_h) and _is_zero(initial_state_c)
        and _usual(activation, recurrent_activation)
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
    weights = value(kernel), value(recurrent_kernel), value(bias)
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
    refuse_unless(mask is None and bias is not None and steps is not None)
    biases = tf.reshape(value(bias), [2 if reset_after else 1, 3, -1])
    kernels, recurrent = tf.split(value(kernel), 3, axis=1), tf.split(value(recurrent_kernel), 3, axis=1)
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


def _unrolled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Keras's own loop, written out step by step; where the number of steps is not fixed, it says so."""

    def rnn(*args: Any, **kwargs: Any) -> Any:
        return loop(*args, **{**kwargs, "unroll": True})

    return rnn


def _steps(x: Any, num: int | None = None, axis: int = 0, name: str = "steps") -> Any:
    """`tf.unstack` as slices: the Edge TPU has no UNPACK."""
    count = x.shape[axis]
    refuse_unless(axis == 0 and count is not None)
    flat = tf.reshape(x, [count, -1]) if len(x.shape) > MOST_SLICED else x
    return [tf.reshape(flat[at], x.shape[1:]) if flat is not x else x[at] for at in range(count)]


def _flip(x: Any, axis: Any = None) -> Any:
    """A slice with a step of -1: TensorFlow's quantizer gives REVERSE_V2 two scales, and it changes no value."""
    rank = len(x.shape)
    axes = range(rank) if axis is None else [a % rank for a in (axis if isinstance(axis, (list, tuple)) else [axis])]
    return x[tuple(slice(None, None, -1 if at in axes else 1) for at in range(rank))]


FORMS = (
    Form("lstm", backend, "lstm", instead(_lstm), keras_goes_on=True),
    Form("lstm", keras.layers.LSTM, "inner_loop", _without_returned_state, reported=False),
    Form("lstm", backend.numpy, "flip", instead(_flip), reported=False),
    Form("gru", backend, "gru", instead(_gru), keras_goes_on=True),
    Form("loops", backend, "rnn", _unrolled),
    Form("loops", tf, "unstack", instead(_steps), reported=False),
    Form("loops", keras.layers.LSTMCell, "call", _a_product_a_gate, reported=False),
    Form("loops", keras.layers.GRUCell, "call", _a_product_a_gate, reported=False),
)
