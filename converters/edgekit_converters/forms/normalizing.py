"""Normalization layers whose usual forms go through operations without an int8 form."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgekit_converters.forms.types import Form, instead, refuse_unless, value


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


def _normalize_groups(layer: Any, inputs: Any) -> Any:
    """GroupNormalization (Wu and He 2018): means over positions, then over a group's channels by a constant matrix.

    Keras's own form gives the groups a dimension of their own, which no accelerator takes.
    """
    rank = len(inputs.shape)
    refuse_unless(layer.axis in {-1, rank - 1} and rank > 2 and None not in inputs.shape)
    channels = int(inputs.shape[-1])
    group = channels // layer.groups
    matrix = np.kron(np.eye(layer.groups), np.full((group, group), 1 / group)).astype(np.float32)
    axes = list(range(1, rank - 1))

    def mean(x: Any) -> Any:
        by_channel = tf.reshape(tf.reduce_mean(x, axis=axes), [1, 1, 1, channels])
        by_group = tf.nn.conv2d(by_channel, matrix[np.newaxis, np.newaxis], 1, "VALID")
        return tf.reshape(by_group, [1] * (rank - 1) + [channels])

    deviation = inputs - mean(inputs)
    normalized = deviation * tf.math.rsqrt(mean(deviation * deviation) + layer.epsilon)
    if layer.scale:
        normalized *= tf.reshape(value(layer.gamma), [channels])
    return normalized + tf.reshape(value(layer.beta), [channels]) if layer.center else normalized


FORMS = (
    Form("layer_normalization", keras.layers.LayerNormalization, "call", instead(_normalize)),
    Form("group_normalization", keras.layers.GroupNormalization, "call", instead(_normalize_groups)),
)
