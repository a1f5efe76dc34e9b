"""Grouped convolution for runtimes that know none: CONV_2D takes groups since version 6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras.src import backend

from edgekit_converters.forms.types import Form, refuse_unless

PICTURE = 4


def _side_by_side(original: Callable[..., Any]) -> Callable[..., Any]:
    def conv(inputs: Any, kernel: Any, *args: Any, **kwargs: Any) -> Any:
        kernel, depth = tf.convert_to_tensor(kernel), inputs.shape[-1]
        data_format = backend.standardize_data_format(kwargs.get("data_format"))
        refuse_unless(len(inputs.shape) == PICTURE and data_format == "channels_last" and depth != kernel.shape[-2])
        groups = depth // kernel.shape[-2]
        parts = zip(tf.split(inputs, groups, axis=-1), tf.split(kernel, groups, axis=-1), strict=True)
        return tf.concat([original(part, weights, *args, **kwargs) for part, weights in parts], axis=-1)

    return conv


FORMS = (Form("groups", backend.nn, "conv", _side_by_side),)
