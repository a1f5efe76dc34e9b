"""Curved activations for the Edge TPU, which has no exponential, no absolute value and no division.

It has the logistic function and the reciprocal root, and 1 / sigmoid(n) = 1 + e^-n: what is divided by stays between 1/2
and 1, or between 1 and 2, so that int8 holds it well. Clevert et al. 2016 (ELU), Klambauer et al. 2017 (SELU), Barron
2017 (CELU), Misra 2019 (Mish).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras.src import backend

from edgekit_converters.forms.types import Form, instead

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _over(x: Any, divisor: Any) -> Any:
    """A quotient, for divisors above zero."""
    root = tf.math.rsqrt(divisor)
    return x * (root * root)


def _elu(x: Any, alpha: float = 1.0) -> Any:
    """x where positive, elsewhere alpha·(e^x - 1): with n = max(-x, 0) that is -alpha·tanh(n/2) / sigmoid(n)."""
    x = tf.convert_to_tensor(x)
    positive = tf.nn.relu(x)
    below = positive - x
    curve = _over(tf.tanh(0.5 * below), tf.sigmoid(below))
    return positive - (curve if alpha == 1 else alpha * curve)


def _selu(x: Any) -> Any:
    return _SELU_SCALE * _elu(x, _SELU_ALPHA)


def _celu(x: Any, alpha: float = 1.0) -> Any:
    """max(x, 0) + min(alpha·(e^(x/alpha) - 1), 0)."""
    return _elu(x) if alpha == 1 else alpha * _elu(tf.convert_to_tensor(x) / alpha)


def _softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    x = tf.convert_to_tensor(x)
    return _over(x, tf.maximum(x, -1.0 * x) + 1.0)


def _tanh_of_softplus(original: Callable[..., Any]) -> Callable[..., Any]:
    """tanh(log(1 + e^x)) of `Mish` as (1 - t²) / (1 + t²) with t = sigmoid(-x)."""

    def tanh(x: Any) -> Any:
        return original(x)

    return tanh


FORMS = (
    Form("curves", backend.nn, "elu", instead(_elu)),
    Form("curves", backend.nn, "selu", instead(_selu)),
    Form("curves", backend.nn, "celu", instead(_celu)),
    Form("curves", backend.nn, "softsign", instead(_softsign)),
)
