"""Cases: layers that prepare data inside a model, and data augmentation, which has to vanish."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np

from benchmarks.coverage.cases import Build, Case, Samples, Source
from benchmarks.coverage.data import features, generator, pixels
from benchmarks.coverage.settling import scatter
from benchmarks.coverage.skeletons import on_features, on_pixels, on_tokens

L = keras.layers

WORDS = ["edge", "device", "model", "sensor"]
AUGMENTING: dict[str, dict[str, Any]] = {
    "AugMix": {}, "CutMix": {}, "MixUp": {}, "RandAugment": {},
    "RandomBrightness": {"factor": 0.2}, "RandomColorDegeneration": {"factor": 0.5},
    "RandomColorJitter": {"brightness_factor": 0.2, "hue_factor": 0.2}, "RandomContrast": {"factor": 0.2},
    "RandomCrop": {"height": 12, "width": 12}, "RandomElasticTransform": {}, "RandomErasing": {}, "RandomFlip": {},
    "RandomGaussianBlur": {}, "RandomGrayscale": {}, "RandomHue": {"factor": 0.2}, "RandomInvert": {},
    "RandomPerspective": {}, "RandomPosterization": {"factor": 4}, "RandomRotation": {"factor": 0.2},
    "RandomSaturation": {"factor": 0.5}, "RandomSharpness": {"factor": 0.5}, "RandomShear": {"x_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2}, "RandomZoom": {"height_factor": 0.2},
    "Solarization": {"threshold_factor": 0.5},
}
"""Layers that do nothing at inference (RandomCrop takes the middle), with their arguments."""


def _case(covers: str, variant: str, build: Build, **settings: Any) -> Case:
    return Case(f"{covers}, {variant}" if variant else covers, build, covers=covers, **settings)


def of_pictures() -> Iterator[Case]:
    """Pixels of 0 to 255 come in; the layer stands before the first convolution."""
    on = partial(_case, draw=pixels)
    yield on("Rescaling", "", lambda: on_pixels(L.Rescaling(1 / 127.5, offset=-1), scale=1))
    for way in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
        yield on("Resizing", way, partial(_before, "Resizing", height=24, width=20, interpolation=way))
    yield on("Resizing", "to a smaller one", lambda: on_pixels(L.Resizing(8, 8)))
    yield on("Resizing", "antialiased", lambda: on_pixels(L.Resizing(8, 8, antialias=True)))
    yield on("Resizing", "cropped", lambda: on_pixels(L.Resizing(24, 20, crop_to_aspect_ratio=True)))
    yield on("Resizing", "padded", lambda: on_pixels(L.Resizing(24, 20, pad_to_aspect_ratio=True)))
    yield on("CenterCrop", "", lambda: on_pixels(L.CenterCrop(12, 10)))
    yield on("AutoContrast", "", lambda: on_pixels(L.AutoContrast()))
    yield on(
        "ContrastLimitedAdaptiveHistogramEqualization", "",
        lambda: on_pixels(L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))),
    )
    for name, arguments in AUGMENTING.items():
        # Keras cannot read RandomShear from the files that it writes: a factor below zero.
        source: Source = "memory" if name == "RandomShear" else "file"
        yield on(name, "", partial(_before, name, **arguments), source=source)
    yield on(
        "Pipeline", "",
        lambda: on_pixels(L.Pipeline([L.Rescaling(1 / 255), L.RandomFlip(), L.CenterCrop(12, 12)]), scale=1),
    )


def of_numbers() -> Iterator[Case]:
    """Normalization, binning, one-hot coding, look-up, hashing."""
    yield _case("Normalization", "", _normalized)
    yield _case(
        "Normalization", "of pixels",
        lambda: on_pixels(L.Normalization(mean=[110, 120, 130], variance=[3000] * 3), scale=1), draw=pixels,
    )
    yield _case("Normalization", "inverted", lambda: on_features(L.Normalization(mean=0.5, variance=2.0, invert=True)))
    edges = [-1.0, -0.3, 0.3, 1.0]
    yield _case("Discretization", "", lambda: _binned(L.Discretization(edges), L.Embedding(5, 4)))
    yield _case("Discretization", "one-hot", lambda: _binned(L.Discretization(edges, output_mode="one_hot")))
    yield _case("CategoryEncoding", "one-hot", lambda: on_tokens(L.CategoryEncoding(20, "one_hot"), length=1))
    yield _case("CategoryEncoding", "multi-hot", lambda: on_tokens(L.CategoryEncoding(20, "multi_hot"), L.Dense(8)))
    yield _case("CategoryEncoding", "count", lambda: on_tokens(L.CategoryEncoding(20, "count"), L.Dense(8)))
    known = [3, 7, 11, 15]
    yield _case("IntegerLookup", "", lambda: on_tokens(L.IntegerLookup(vocabulary=known), L.Embedding(5, 8)))
    yield _case(
        "IntegerLookup", "multi-hot",
        lambda: on_tokens(L.IntegerLookup(vocabulary=known, output_mode="multi_hot"), L.Dense(8)),
    )
    yield _case("Hashing", "", lambda: on_tokens(L.Hashing(8), L.Embedding(8, 8)))
    yield _case("HashedCrossing", "", _crossed)


def of_words() -> Iterator[Case]:
    """Strings come in, which no int8 model takes: the message is what counts."""
    yield _case(
        "StringLookup", "", lambda: on_tokens(L.StringLookup(vocabulary=WORDS), L.Embedding(5, 8), dtype="string")
    )
    yield _case("Hashing", "words", lambda: on_tokens(L.Hashing(8), L.Embedding(8, 8), dtype="string"))
    yield _case("TextVectorization", "", _vectorized)


def of_sound() -> Iterator[Case]:
    """Samples of a sound come in."""
    on = partial(_case, draw=_sound)
    yield on("MelSpectrogram", "", lambda: _heard(L.MelSpectrogram(256, 128, num_mel_bins=16), _as_picture))
    yield on(
        "MelSpectrogram", "power",
        lambda: _heard(L.MelSpectrogram(256, 128, num_mel_bins=16, power_to_db=False), _as_picture),
    )
    for mode in ("log", "magnitude"):
        yield on("STFTSpectrogram", mode, partial(_spectrogram, mode))


def _before(name: str, **arguments: Any) -> Any:
    return on_pixels(getattr(L, name)(**arguments))


def _normalized() -> Any:
    layer = L.Normalization()
    layer.adapt(features(generator(False), 200, 12) * 4 + 10)
    return on_features(layer)


def _binned(*layers: Any) -> Any:
    inputs = keras.Input((1,), name="value")
    x = inputs
    for layer in layers:
        x = layer(x)
    return scatter(keras.Model(inputs, L.Dense(4)(L.Flatten()(x))), 1)


def _crossed() -> Any:
    pair = [keras.Input((1,), dtype="int32", name=name) for name in ("hour", "place")]
    x = L.HashedCrossing(16, output_mode="one_hot")(pair)
    return keras.Model(pair, L.Dense(4)(x))


def _vectorized() -> Any:
    inputs = keras.Input((1,), dtype="string", name="text")
    x = L.TextVectorization(vocabulary=WORDS, output_sequence_length=6)(inputs)
    return keras.Model(inputs, L.Dense(4)(L.Flatten()(L.Embedding(6, 8)(x))))


def _heard(layer: Any, after: Any = None, channels: tuple[int, ...] = ()) -> Any:
    inputs = keras.Input((1024, *channels), name="sound")
    x = layer(inputs)
    x = after(x) if after else x
    return scatter(keras.Model(inputs, L.Dense(4)(L.Flatten()(L.Dense(8, activation="relu")(x)))), 1)


def _spectrogram(mode: str) -> Any:
    return _heard(L.STFTSpectrogram(mode, 128, 64), channels=(1,))


def _as_picture(x: Any) -> Any:
    return L.Conv2D(4, 3, activation="relu")(L.Reshape((*x.shape[1:], 1))(x))


def _sound(model: Any, count: int, fresh: bool) -> Samples:
    """Two tones that rise or fall, and noise; -1 to 1."""
    random = generator(fresh)
    time = np.linspace(0, 1, 1024)
    tones = [
        np.sin(2 * np.pi * (random.uniform(20, 200, (count, 1)) * time + random.uniform(-60, 60, (count, 1)) * time**2))
        for _ in range(2)
    ]
    sound = 0.4 * tones[0] + 0.3 * tones[1] + 0.02 * random.normal(size=(count, 1024))
    name, shape = model.inputs[0].name, model.inputs[0].shape[1:]
    return {name: sound.reshape(count, *shape).astype(np.float32)}
