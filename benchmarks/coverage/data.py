"""Samples that look like what a model of that input meets: pictures, signals, tables, token numbers."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
TOKENS = 20
"""Integer inputs hold 0 to 19, unless a case draws its own."""


def generator(fresh: bool) -> np.random.Generator:
    """One stream for calibration, another for the samples that the error is measured on."""
    return np.random.default_rng(2 if fresh else 1)


def samples_like(model: Any, count: int, fresh: bool) -> dict[str, Array]:
    """Samples for each input, by its shape and type."""
    random = generator(fresh)
    return {tensor.name: _samples(tuple(tensor.shape[1:]), str(tensor.dtype), count, random) for tensor in model.inputs}


def _samples(shape: tuple[int, ...], dtype: str, count: int, random: np.random.Generator) -> Array:
    if dtype == "string":
        return np.take(["edge", "device", "model", "sensor"], random.integers(0, 4, (count, *shape)))
    if dtype.startswith(("int", "uint")):
        return random.integers(0, TOKENS, (count, *shape)).astype(dtype)
    if dtype == "bool":
        return random.random((count, *shape)) < 0.7
    if len(shape) == 3 and shape[2] in {1, 3}:
        return pictures(random, count, shape)
    if len(shape) == 1:
        return features(random, count, shape[0])
    return signals(random, count, shape)


def features(random: np.random.Generator, count: int, size: int) -> Array:
    """Columns that hang together, as measurements do, each with a mean and a spread of about 1."""
    mixing = np.random.default_rng(0).normal(size=(size, size)) / np.sqrt(size)
    values: Array = random.normal(size=(count, size)) @ mixing + 0.3 * random.normal(size=(count, size))
    return values.astype(np.float32)


def signals(random: np.random.Generator, count: int, shape: tuple[int, ...]) -> Array:
    """Smooth in every direction but the last (the channels), with noise; about -1.5 to 1.5."""
    values = np.ones((count, *shape))
    for axis, steps in enumerate(shape[:-1] or shape, 1):
        waves = (count, *(1 for _ in range(axis - 1)), 1, *(1 for _ in shape[axis:-1]), shape[-1] if shape[1:] else 1)
        place = np.linspace(0, 1, steps).reshape([steps if i == axis else 1 for i in range(len(shape) + 1)])
        turns, phase = random.uniform(0.5, 2.5, waves), random.uniform(0, 2 * np.pi, waves)
        values = values * np.sin(2 * np.pi * (place * turns) + phase)
    values += 0.5 * random.normal(size=(count, *(1 for _ in shape[:-1]), shape[-1]))
    return (values + 0.1 * random.normal(size=values.shape)).astype(np.float32)


@cache
def photos() -> tuple[Array, ...]:
    """The two photographs that scikit-learn ships: (427, 640, 3), uint8, RGB."""
    import cv2

    folder = resources.files("sklearn.datasets.images")
    found = []
    for name in ("china.jpg", "flower.jpg"):
        picture = cv2.imdecode(np.frombuffer((folder / name).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        found.append(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)))
    return tuple(found)


def pictures(
    random: np.random.Generator, count: int, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0
) -> Array:
    """Crops of photographs, float32, pixels of 0 to 255 brought to `low` to `high`; (count, height, width, 1 or 3)."""
    import cv2

    height, width, channels = shape
    made = np.empty((count, *shape), np.float32)
    for number in range(count):
        photo = photos()[number % 2]
        side = int(random.integers(120, photo.shape[0]))
        top, left = random.integers(0, photo.shape[0] - side + 1), random.integers(0, photo.shape[1] - side + 1)
        crop = cv2.resize(photo[top : top + side, left : left + side], (width, height), interpolation=cv2.INTER_AREA)
        made[number] = crop if channels == 3 else crop.mean(axis=2, keepdims=True)
    return made / 255 * (high - low) + low


def pixels(model: Any, count: int, fresh: bool) -> dict[str, Array]:
    """Pictures for the first input, pixels of 0 to 255 as float32: for models that normalize by themselves."""
    tensor = model.inputs[0]
    return {tensor.name: np.round(pictures(generator(fresh), count, tuple(tensor.shape[1:]), 0, 255))}


def whole(low: int, high: int) -> Any:
    """Makes integer inputs of `low` to `high - 1`."""

    def draw(model: Any, count: int, fresh: bool) -> dict[str, Array]:
        random = generator(fresh)
        return {
            tensor.name: random.integers(low, high, (count, *tensor.shape[1:])).astype(str(tensor.dtype))
            for tensor in model.inputs
        }

    return draw
