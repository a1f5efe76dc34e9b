"""Attention masks: Keras pushes masked scores to -1e9, a range in which int8 has no step left for the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras.src import backend
from keras.src.layers.activations import softmax

from edgekit_converters.forms.types import Form, instead

FLOOR = -20.0
"""Score of what is masked: e^-20 is nothing beside a score of -10 or more, and the range stays narrow."""


def _floor(_dtype: Any) -> float:
    return FLOOR


def _apply_scores(original: Callable[..., Any]) -> Callable[..., Any]:
    def apply(layer: Any, scores: Any, value: Any, scores_mask: Any = None, training: bool = False) -> Any:
        if scores_mask is not None:
            mask = scores_mask[:, tf.newaxis] if len(scores_mask.shape) < len(scores.shape) else scores_mask
            scores = tf.where(mask, scores, FLOOR)
        return original(layer, scores, value, scores_mask=None, training=training)

    return apply


FORMS = (
    Form("masks", backend.nn, "_get_large_negative", instead(_floor)),
    Form("masks", softmax, "_large_negative_number", instead(_floor)),
    Form("masks", keras.layers.Attention, "_apply_scores", _apply_scores),
)
