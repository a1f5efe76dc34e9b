"""Curved activations for the Edge TPU, which has no exponential, no absolute value and no division.

It has the logistic function and the reciprocal root, and 1 / sigmoid(n) = 1 + e^-n: what is divided by stays between
1/2 and 1, or between 1 and 2, so that int8 holds it well.

Clevert et al. 2016 (ELU), Klambauer et al. 2017 (SELU), Barron 2017 (CELU), Misra 2019 (Mish), Hendrycks and Gimpel
2016 (GELU).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras.src import backend
from keras.src.activations import activations

from edgekit_converters.forms.activating import elu_forms
from edgekit_converters.forms.types import Form, instead

_BY_TANH = (1.5957691216057308, 0.07135481282741237)
_BY_ERF = (1.595015619964381, 0.07401141977256202, -0.00070305327720861)
_FARTHEST = 28.0


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


def _softsign(x: Any) -> Any:
    """x / (1 + |x|), where |x| is of two parts: int8 loses half of max(x, -x)."""
    x = tf.convert_to_tensor(x)
    return _over(x, tf.nn.relu(x) + tf.nn.relu(-1.0 * x) + 1.0)


def _mish(x: Any) -> Any:
    """x·tanh(log(1 + e^x)), which is x·(1 - t²) / (1 + t²) with t = sigmoid(-x)."""
    x = tf.convert_to_tensor(x)
    below = tf.sigmoid(-1.0 * x)
    square = below * below
    return x * _over(1.0 - square, square + 1.0)


def _gelu(x: Any, approximate: bool = True) -> Any:
    """x·sigmoid(x·p(x²)).

    With a p of first degree that is the approximation by tanh, exactly. For the one by erf, p of second degree leaves a
    difference of 2.6e-5 at most, and silu one of 0.2. Where x² is cut off, the sigmoid is 1.
    """
    x = tf.convert_to_tensor(x)
    square = tf.minimum(x * x, _FARTHEST)
    if approximate:
        return x * tf.sigmoid(x * (_BY_TANH[1] * square + _BY_TANH[0]))
    return x * tf.sigmoid(x * (square * (_BY_ERF[2] * square + _BY_ERF[1]) + _BY_ERF[0]))


FORMS = (
    *elu_forms("curves", _elu),
    Form("curves", backend.nn, "softsign", instead(_softsign)),
    Form("curves", backend.nn, "gelu", instead(_gelu)),
    Form("curves", activations.Mish, "static_call", instead(_mish)),
)
