"""Dense layers for runtimes that compute them with one scale alone, or compute several wrong in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from edgekit_converters.forms.types import Form, refuse_unless, value


def _as_convolution(original: Callable[..., Any]) -> Callable[..., Any]:
    """A 1x1 convolution, which has a scale for each channel since the first runtimes (41 against 32 dB on ad01)."""

    def call(layer: Any, inputs: Any, training: Any = None) -> Any:
        shape = inputs.shape
        refuse_unless(None not in shape and getattr(layer, "quantization_mode", None) is None)
        units = int(layer.kernel.shape[-1])
        positions = int(shape.num_elements() // shape[-1])
        kernel = tf.reshape(value(layer.kernel), [1, 1, int(shape[-1]), units])
        result = tf.nn.conv2d(tf.reshape(inputs, [1, 1, positions, int(shape[-1])]), kernel, 1, "VALID")
        if layer.bias is not None:
            result += value(layer.bias)
        # Keras's own activations work along the last axis at most; before the reshape they fuse.
        ours = layer.activation is not None and layer.activation.__module__.startswith("keras.")
        if ours:
            result = layer.activation(result)
        result = tf.reshape(result, [*shape[:-1], units])
        return result if ours or layer.activation is None else layer.activation(result)

    return call


FORMS = (Form("dense", keras.layers.Dense, "call", _as_convolution),)
