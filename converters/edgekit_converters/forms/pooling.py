"""Adaptive pooling, whose windows Keras gathers one element at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from keras.src import backend

from edgekit_converters.forms.types import Form, instead, refuse_unless


def _adaptive(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """Window i of n over a length L goes from floor(i·L/n) to ceil((i+1)·L/n), along one axis after the other."""

    def pool(inputs: Any, output_size: int | Sequence[int], data_format: str | None = None) -> Any:
        axes = range(1, len(inputs.shape) - 1)
        refuse_unless(backend.standardize_data_format(data_format) == "channels_last" and None not in inputs.shape)
        sizes = [output_size] * len(axes) if isinstance(output_size, int) else list(output_size)
        for axis, count in zip(axes, sizes, strict=True):
            inputs = _along(inputs, axis, int(count), reduce)
        return inputs

    return pool


def _along(x: Any, axis: int, count: int, reduce: Callable[..., Any]) -> Any:
    length = int(x.shape[axis])
    parts = []
    for at in range(count):
        start, stop = at * length // count, -(-(at + 1) * length // count)
        parts.append(reduce(_slice(x, axis, start, stop), axis=axis, keepdims=True))
    return tf.concat(parts, axis=axis)


def _slice(x: Any, axis: int, start: int, stop: int) -> Any:
    return x[tuple(slice(start, stop) if at == axis else slice(None) for at in range(len(x.shape)))]


FORMS = (
    Form("pooling", backend.nn, "adaptive_average_pool", instead(_adaptive(tf.reduce_mean))),
    Form("pooling", backend.nn, "adaptive_max_pool", instead(_adaptive(tf.reduce_max))),
)
