"""Resizing: nearest as the one operation that TFLite has for it, bicubic and Lanczos as matrix products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src import backend
from numpy.typing import NDArray

from edgekit_converters.forms.types import Form, refuse_unless

_BY_MATRICES = ("bicubic", "lanczos3", "lanczos5")
_PICTURE, _PICTURES = 3, 4


def _upsample(original: Callable[..., Any]) -> Callable[..., Any]:
    """`UpSampling2D` by nearest neighbours: Keras repeats rows and columns, which becomes TILE."""

    def resize(
        layer: Any, x: Any, height_factor: int, width_factor: int, data_format: str, interpolation: str = "nearest"
    ) -> Any:
        refuse_unless(interpolation == "nearest" and data_format == "channels_last" and None not in x.shape[1:3])
        return _nearest(x, x.shape[1] * height_factor, x.shape[2] * width_factor)

    return resize


def _repeat(original: Callable[..., Any]) -> Callable[..., Any]:
    """Repeating along one inner axis, as `UpSampling1D` and grouped attention do."""

    def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
        shape = x.shape
        refuse_unless(
            axis is not None and isinstance(repeats, int) and shape.rank is not None and x.dtype == tf.float32
            and None not in shape
        )
        at = int(axis or 0) % shape.rank
        refuse_unless(0 < at < shape.rank - 1)
        before, inner = int(np.prod(shape[:at])), int(np.prod(shape[at + 1 :]))
        rows = tf.reshape(x, [before, shape[at], 1, inner])
        return tf.reshape(
            _nearest(rows, shape[at] * repeats, 1), [*shape[:at], shape[at] * repeats, *shape[at + 1 :]]
        )

    return repeat


def _nearest(x: Any, height: int, width: int) -> Any:
    """TensorFlow 1's operation, without half-pixel centres: for whole factors the same, and known to old runtimes."""
    return tf.compat.v1.image.resize_nearest_neighbor(x, [height, width])


def _resize(original: Callable[..., Any]) -> Callable[..., Any]:
    """A resize that TFLite lacks: separable and linear, so a matrix for rows and one for columns are all of it."""

    def resize(images: Any, size: Any, interpolation: str = "bilinear", antialias: bool = False, **others: Any) -> Any:
        shape = images.shape
        refuse_unless(
            interpolation in _BY_MATRICES and shape.rank in {_PICTURE, _PICTURES} and None not in shape[-3:]
            and not others.get("crop_to_aspect_ratio") and not others.get("pad_to_aspect_ratio")
            and others.get("data_format") in {None, "channels_last"}
        )
        height, width, depth = (int(length) for length in shape[-3:])
        rows = _matrix(height, int(size[0]), interpolation, antialias)
        columns = _matrix(width, int(size[1]), interpolation, antialias)
        by_rows = tf.transpose(tf.reshape(images, [height, width * depth]))
        tall = tf.reshape(by_rows @ rows.T, [width, depth * size[0]])
        both = tf.reshape(tf.transpose(tall) @ columns.T, [depth, size[0], size[1]])
        result = tf.transpose(both, [1, 2, 0])
        return result if shape.rank == _PICTURE else result[tf.newaxis]

    return resize


def _matrix(length: int, wanted: int, interpolation: str, antialias: bool) -> NDArray[np.float32]:
    """The weights by which `wanted` new rows come from `length` old ones, as TensorFlow itself gives them."""
    with tf.init_scope():
        identity = tf.eye(length)[:, :, tf.newaxis]
        weights = tf.image.resize(identity, [wanted, length], method=interpolation, antialias=antialias)
        found: NDArray[np.float32] = weights[:, :, 0].numpy()
    return found


FORMS = (
    Form("upsampling", keras.layers.UpSampling2D, "_resize_images", _upsample),
    Form("upsampling", backend.numpy, "repeat", _repeat),
    Form("resizing", backend.image, "resize", _resize),
)
