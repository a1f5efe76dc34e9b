"""Normalization layers whose usual forms go through operations without an int8 form."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from edgekit_converters.forms.types import Form, instead, value


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
        normalized *= tf.reshape(value(layer.gamma), shape)
    return normalized + tf.reshape(value(layer.beta), shape) if layer.center else normalized


FORMS = (Form("layer_normalization", keras.layers.LayerNormalization, "call", instead(_normalize)),)
