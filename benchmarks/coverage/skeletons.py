"""Small networks around a layer under test: something that computes before it, and something after."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import keras

from benchmarks.coverage.settling import scatter

L = keras.layers

CLASSES = 4


def _finish(inputs: Any, x: Any, name: str) -> Any:
    if len(x.shape) > 2:
        x = L.Flatten()(x)
    return scatter(keras.Model(inputs, L.Dense(CLASSES, name="head")(x)), zlib.crc32(name.encode()))


def _apply(x: Any, layers: tuple[Callable[[Any], Any], ...]) -> Any:
    for layer in layers:
        x = layer(x)
    return x


def on_pictures(*layers: Callable[[Any], Any], channels: int = 8) -> Any:
    """Layers behind a convolution, on pictures of 16 by 16."""
    inputs = keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(channels, 3, padding="same", activation="relu", name="stem")(inputs)
    return _finish(inputs, _apply(x, layers), "pictures")


def on_pixels(*layers: Callable[[Any], Any], scale: float = 1 / 255) -> Any:
    """Layers before a convolution, on pictures of 16 by 16 with pixels of 0 to 255; `scale` is for their results."""
    inputs = keras.Input((16, 16, 3), name="image")
    x = _apply(inputs, layers)
    x = x if scale == 1 else L.Rescaling(scale)(x)
    x = L.Conv2D(8, 3, padding="same", activation="relu", name="stem")(x)
    return _finish(inputs, L.GlobalAveragePooling2D()(x), "pixels")


def on_series(*layers: Callable[[Any], Any], steps: int = 12) -> Any:
    """Layers behind a convolution, on 12 steps of 6 channels."""
    inputs = keras.Input((steps, 6), name="window")
    x = L.Conv1D(8, 3, padding="same", name="stem")(inputs)
    return _finish(inputs, _apply(x, layers), "series")


def on_volumes(*layers: Callable[[Any], Any]) -> Any:
    """Layers behind a convolution, on 6 by 6 by 6 places of 2 channels."""
    inputs = keras.Input((6, 6, 6, 2), name="volume")
    x = L.Conv3D(4, 3, padding="same", activation="relu", name="stem")(inputs)
    return _finish(inputs, _apply(x, layers), "volumes")


def on_features(*layers: Callable[[Any], Any]) -> Any:
    """Layers behind a dense layer, on 16 features."""
    inputs = keras.Input((16,), name="features")
    return _finish(inputs, _apply(L.Dense(12, name="stem")(inputs), layers), "features")


def on_tokens(*layers: Callable[[Any], Any], length: int = 10, dtype: str = "int32") -> Any:
    """Layers on ten token numbers, or words."""
    inputs = keras.Input((length,), dtype=dtype, name="tokens")
    return _finish(inputs, _apply(inputs, layers), "tokens")


def on_films(*layers: Callable[[Any], Any], shape: tuple[int, ...] = (5, 8, 8, 2)) -> Any:
    """Layers on a few steps of something with a shape of its own."""
    inputs = keras.Input(shape, name="film")
    return _finish(inputs, _apply(inputs, layers), "films")


def on_branches(join: Callable[[Any], Any], *, dense: bool = False) -> Any:
    """A layer that takes two branches of one network."""
    if dense:
        inputs = keras.Input((16,), name="features")
        branches = [L.Dense(12, name=f"branch_{n}")(inputs) for n in range(2)]
    else:
        inputs = keras.Input((16, 16, 3), name="image")
        branches = [L.Conv2D(8, 3, padding="same", name=f"branch_{n}", strides=2)(inputs) for n in range(2)]
    return _finish(inputs, join(branches), "branches")
