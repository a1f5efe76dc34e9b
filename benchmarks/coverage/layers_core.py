"""Cases: activations, dense and convolutional layers, pooling, reshaping, merging, normalization, regularization."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras

from benchmarks.coverage.cases import Build, Case, Source
from benchmarks.coverage.skeletons import on_branches, on_features, on_pictures, on_series, on_volumes

L = keras.layers


def _case(covers: str, variant: str, build: Build, source: Source = "file") -> Case:
    return Case(f"{covers}, {variant}" if variant else covers, build, covers=covers, source=source)


def _around(place: Callable[..., Any], layer: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    """A network around one layer, which is made when the network is: Keras then names it alike in every run."""
    return place(layer(*arguments, **settings))


def _wide() -> Any:
    """A convolution whose results spread by about 2, as those before an activation do in a trained network."""
    return L.Conv2D(8, 1, kernel_initializer=keras.initializers.RandomNormal(stddev=1.5))


def _activated(layer: Callable[..., Any], function: Any) -> Any:
    return on_pictures(_wide(), layer(function))


def activations() -> Iterator[Case]:
    """Every function of `keras.activations` under its own name, and the layers that are activations."""
    functions = {
        name: function for name, function in vars(keras.activations).items()
        if inspect.isfunction(function) and name == function.__name__
        and name not in {"get", "serialize", "deserialize"}
    }
    for name in sorted(functions):
        if name not in _WITH_ARGUMENTS:
            yield _case("Activation", name, partial(_activated, L.Activation, name))
    for name, function in _WITH_ARGUMENTS.items():
        yield Case(
            f"Activation, {name}", partial(_activated, L.Lambda, function), covers="Lambda", source="memory"
        )
    yield _case("ReLU", "", lambda: on_pictures(_wide(), L.ReLU()))
    yield _case("ReLU", "limit, slope and threshold", lambda: on_pictures(_wide(), L.ReLU(2.0, 0.1, 0.2)))
    yield _case("LeakyReLU", "", lambda: on_pictures(_wide(), L.LeakyReLU(0.2)))
    yield _case("PReLU", "", lambda: on_pictures(_wide(), L.PReLU()))
    yield _case("PReLU", "a slope a channel", lambda: on_pictures(_wide(), L.PReLU(shared_axes=(1, 2))))
    yield _case("ELU", "", lambda: on_pictures(_wide(), L.ELU()))
    yield _case("Softmax", "", lambda: on_features(L.Rescaling(2.0), L.Softmax()))
    yield _case("Softmax", "over channels of pictures", lambda: on_pictures(_wide(), L.Softmax()))
    yield _case("Softmax", "over rows", lambda: on_pictures(_wide(), L.Softmax(axis=1)))


_WITH_ARGUMENTS: dict[str, Callable[[Any], Any]] = {
    "gelu by tanh": lambda x: keras.activations.gelu(x, approximate=True),
    # Activation takes for granted that a result has the shape of its input; this one halves it.
    "glu": keras.activations.glu,
    "threshold": lambda x: keras.activations.threshold(x, 0.1, 0.0),
}


def dense_and_convolutional() -> Iterator[Case]:
    """Dense, EinsumDense and all convolutions."""
    yield _case("Dense", "", lambda: on_features(L.Dense(8, activation="relu")))
    yield _case("Dense", "on a series", lambda: on_series(L.Dense(8)))
    yield _case("Dense", "on pictures, no bias", lambda: on_pictures(L.Dense(8, use_bias=False)))
    yield _case("EinsumDense", "", lambda: on_series(L.EinsumDense("abc,cd->abd", (12, 8), bias_axes="d")))
    yield _case("EinsumDense", "over steps", lambda: on_series(L.EinsumDense("abc,bd->adc", (6, 8))))
    yield _case("Conv1D", "", lambda: on_series(L.Conv1D(8, 3, activation="relu")))
    yield _case("Conv1D", "causal, dilated", lambda: on_series(L.Conv1D(8, 3, padding="causal", dilation_rate=2)))
    yield _case("Conv1D", "strides, groups", lambda: on_series(L.Conv1D(8, 3, strides=2, groups=2)))
    yield _case("Conv2D", "", lambda: on_pictures(L.Conv2D(8, 3, activation="relu")))
    yield _case("Conv2D", "strides", lambda: on_pictures(L.Conv2D(8, 3, strides=2, padding="same")))
    yield _case("Conv2D", "dilated", lambda: on_pictures(L.Conv2D(8, 3, dilation_rate=2, padding="same")))
    yield _case("Conv2D", "groups", lambda: on_pictures(L.Conv2D(8, 3, groups=4)))
    yield _case("Conv3D", "", lambda: on_volumes(L.Conv3D(4, 3, activation="relu")))
    yield _case("Conv3D", "strides", lambda: on_volumes(L.Conv3D(4, 3, strides=2, padding="same")))
    yield _case("Conv3D", "groups", lambda: on_volumes(L.Conv3D(4, 3, groups=2)))
    yield _case("Conv3D", "dilated", lambda: on_volumes(L.Conv3D(4, 3, dilation_rate=2, padding="same")))
    yield _case("Conv1DTranspose", "", lambda: on_series(L.Conv1DTranspose(8, 3, strides=2, padding="same")))
    yield _case("Conv2DTranspose", "", lambda: on_pictures(L.Conv2DTranspose(8, 3, strides=2, padding="same")))
    yield _case("Conv2DTranspose", "valid", lambda: on_pictures(L.Conv2DTranspose(8, 3, strides=2)))
    yield _case(
        "Conv2DTranspose", "output padding",
        lambda: on_pictures(L.Conv2DTranspose(8, 3, strides=2, padding="same", output_padding=0)),
    )
    yield _case("Conv2DTranspose", "dilated", lambda: on_pictures(L.Conv2DTranspose(8, 3, dilation_rate=2)))
    yield _case("Conv3DTranspose", "", lambda: on_volumes(L.Conv3DTranspose(4, 3, strides=2, padding="same")))
    yield _case("DepthwiseConv1D", "", lambda: on_series(L.DepthwiseConv1D(3, activation="relu")))
    yield _case("DepthwiseConv2D", "", lambda: on_pictures(L.DepthwiseConv2D(3, activation="relu6")))
    yield _case("DepthwiseConv2D", "multiplier", lambda: on_pictures(L.DepthwiseConv2D(3, depth_multiplier=2)))
    yield _case("DepthwiseConv2D", "strides", lambda: on_pictures(L.DepthwiseConv2D(3, strides=2, padding="same")))
    yield _case("DepthwiseConv2D", "dilated", lambda: on_pictures(L.DepthwiseConv2D(3, dilation_rate=2)))
    yield _case("SeparableConv1D", "", lambda: on_series(L.SeparableConv1D(8, 3)))
    yield _case("SeparableConv2D", "", lambda: on_pictures(L.SeparableConv2D(8, 3, activation="relu")))


def pooling() -> Iterator[Case]:
    """Every pooling layer in 1, 2 and 3 dimensions."""
    dimensions = {"1D": on_series, "2D": on_pictures, "3D": on_volumes}
    for kind in ("Average", "Max"):
        for dimension, place in dimensions.items():
            pool = getattr(L, f"{kind}Pooling{dimension}")
            everywhere = getattr(L, f"Global{kind}Pooling{dimension}")
            adaptive = getattr(L, f"Adaptive{kind}Pooling{dimension}")
            yield _case(pool.__name__, "", partial(_around, place, pool, 2))
            yield _case(everywhere.__name__, "", partial(_around, place, everywhere))
            yield _case(adaptive.__name__, "", partial(_around, place, adaptive, 3))
    yield _case("AveragePooling2D", "same, strides", lambda: on_pictures(L.AveragePooling2D(3, 2, "same")))
    yield _case("MaxPooling2D", "same, strides", lambda: on_pictures(L.MaxPooling2D(3, 2, "same")))
    yield _case("AdaptiveAveragePooling2D", "even", lambda: on_pictures(L.AdaptiveAveragePooling2D(4)))
    yield _case(
        "GlobalAveragePooling2D", "dimensions kept", lambda: on_pictures(L.GlobalAveragePooling2D(keepdims=True))
    )


def reshaping() -> Iterator[Case]:
    """Layers that move values without computing, and up-sampling."""
    yield _case("Flatten", "", lambda: on_pictures(L.Flatten()))
    yield _case("Reshape", "", lambda: on_pictures(L.Reshape((32, 64)), L.Dense(4)))
    yield _case("Permute", "", lambda: on_pictures(L.Permute((3, 1, 2)), L.Dense(4)))
    yield _case("RepeatVector", "", lambda: on_features(L.RepeatVector(5), L.Conv1D(4, 3)))
    yield _case("Cropping1D", "", lambda: on_series(L.Cropping1D((1, 2)), L.Conv1D(4, 3)))
    yield _case("Cropping2D", "", lambda: on_pictures(L.Cropping2D(((1, 2), (3, 1))), L.Conv2D(4, 3)))
    yield _case("Cropping3D", "", lambda: on_volumes(L.Cropping3D(1), L.Conv3D(4, 3)))
    yield _case("ZeroPadding1D", "", lambda: on_series(L.ZeroPadding1D(2), L.Conv1D(4, 3)))
    yield _case("ZeroPadding2D", "", lambda: on_pictures(L.ZeroPadding2D(((1, 2), (0, 1))), L.Conv2D(4, 3)))
    yield _case("ZeroPadding3D", "", lambda: on_volumes(L.ZeroPadding3D(1), L.Conv3D(4, 3)))
    yield _case("UpSampling1D", "", lambda: on_series(L.UpSampling1D(2), L.Conv1D(4, 3)))
    for way in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
        yield _case("UpSampling2D", way, partial(_around, on_pictures, L.UpSampling2D, 2, interpolation=way))
    yield _case("UpSampling2D", "by 2 and 3", lambda: on_pictures(L.UpSampling2D((2, 3)), L.Conv2D(4, 3)))
    yield _case("UpSampling3D", "", lambda: on_volumes(L.UpSampling3D(2), L.Conv3D(2, 3)))


def merging() -> Iterator[Case]:
    """Layers that bring two branches together."""
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        yield _case(name, "", partial(_joined, name))
    yield _case("Concatenate", "over rows", lambda: on_branches(L.Concatenate(axis=1)))
    yield _case("Dot", "", lambda: on_branches(L.Dot(axes=1), dense=True))
    yield _case("Dot", "cosine", lambda: on_branches(L.Dot(axes=1, normalize=True), dense=True))
    yield _case("Dot", "of pictures", lambda: on_branches(lambda two: L.Dot(axes=(3, 3))(_flat_places(two))))


def _joined(name: str) -> Any:
    return on_branches(getattr(L, name)())


def _flat_places(two: Any) -> Any:
    return [L.Reshape((1, 16, 32))(x) for x in two]


def normalization() -> Iterator[Case]:
    """Every layer that normalizes what a network computes."""
    yield _case(
        "BatchNormalization", "after a convolution", lambda: on_pictures(L.Conv2D(8, 3), L.BatchNormalization())
    )
    yield _case(
        "BatchNormalization", "before one",
        lambda: on_pictures(L.MaxPooling2D(), L.BatchNormalization(), L.Conv2D(8, 3)),
    )
    yield _case("BatchNormalization", "after Dense", lambda: on_features(L.BatchNormalization()))
    yield _case("LayerNormalization", "", lambda: on_series(L.LayerNormalization(), L.Dense(8)))
    yield _case("LayerNormalization", "of pictures", lambda: on_pictures(L.LayerNormalization(axis=(1, 2, 3))))
    yield _case("LayerNormalization", "no scale", lambda: on_series(L.LayerNormalization(scale=False, center=False)))
    yield _case("GroupNormalization", "", lambda: on_pictures(L.GroupNormalization(4), L.Conv2D(8, 3)))
    yield _case("GroupNormalization", "instance", lambda: on_pictures(L.GroupNormalization(-1), L.Conv2D(8, 3)))
    yield _case("RMSNormalization", "", lambda: on_series(L.RMSNormalization(), L.Dense(8)))
    yield _case("UnitNormalization", "", lambda: on_features(L.UnitNormalization()))
    yield _case("SpectralNormalization", "", lambda: on_pictures(L.SpectralNormalization(L.Conv2D(8, 3))))


def regularization() -> Iterator[Case]:
    """Layers that act in training alone, and have to vanish."""
    for name, argument in {
        "Dropout": 0.3, "GaussianDropout": 0.3, "GaussianNoise": 0.3, "AlphaDropout": 0.3,
        "ActivityRegularization": 0.1,
    }.items():
        yield _case(name, "", partial(_around, on_features, getattr(L, name), argument))
    yield _case("SpatialDropout1D", "", lambda: on_series(L.SpatialDropout1D(0.3)))
    yield _case("SpatialDropout2D", "", lambda: on_pictures(L.SpatialDropout2D(0.3)))
    yield _case("SpatialDropout3D", "", lambda: on_volumes(L.SpatialDropout3D(0.3)))
    yield _case("Identity", "", lambda: on_features(L.Identity()))
    yield _case("Lambda", "", lambda: on_features(L.Lambda(lambda x: x * 0.5 + 1)), "memory")
