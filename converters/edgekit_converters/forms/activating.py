"""Activations in parts whose ranges suit int8, and argmax.

Klambauer et al. 2017 (SELU), Barron 2017 (CELU), Clevert et al. 2016 (ELU).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras.src import backend

from edgekit_converters.forms.types import Form, instead

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _softplus(x: Any) -> Any:
    """log(1 + e^x) as max(x, 0) + log(1 + e^-|x|).

    The exponential then stays within 0 to 1: written plainly, its range takes all of int8's resolution.
    """
    positive = tf.nn.relu(x)
    return positive + tf.math.log(1 + tf.exp(x - 2 * positive))


def _elu(x: Any, alpha: float = 1.0) -> Any:
    """x where positive, alpha·(e^x - 1) elsewhere, by TFLite's ELU, whose alpha is 1."""
    x = tf.convert_to_tensor(x)
    curve = tf.nn.elu(x)
    return curve if alpha == 1 else alpha * curve - (alpha - 1) * tf.nn.relu(x)


def elu_forms(cure: str, elu: Callable[..., Any]) -> tuple[Form, ...]:
    """ELU, and the two activations that it is all of, by one form of it.

    Args:
        cure: Name of the cure that they belong to.
        elu: Takes x and alpha.
    """

    def selu(x: Any) -> Any:
        return _SELU_SCALE * elu(x, _SELU_ALPHA)

    def celu(x: Any, alpha: float = 1.0) -> Any:  # max(x, 0) + min(alpha·(e^(x/alpha) - 1), 0)
        return elu(x) if alpha == 1 else alpha * elu(tf.convert_to_tensor(x) / alpha)

    named = {"elu": elu, "selu": selu, "celu": celu}
    return tuple(Form(cure, backend.nn, name, instead(form)) for name, form in named.items())


def _argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index of the largest along an axis, int32; of 0 and -0, which Keras tells apart, the first."""
    x = tf.convert_to_tensor(x)
    found = tf.argmax(tf.reshape(x, [-1]) if axis is None else x, axis=axis or 0, output_type="int32")
    if not keepdims:
        return found
    return tf.reshape(found, [1] * len(x.shape)) if axis is None else tf.expand_dims(found, axis)


FORMS = (
    Form("argmax", backend.numpy, "argmax", instead(_argmax)),
    Form("softplus", backend.nn, "softplus", instead(_softplus)),
    *elu_forms("elu", _elu),
)
