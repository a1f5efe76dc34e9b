"""Every architecture of `keras.applications`, with weights that were not trained but behave like it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from benchmarks.coverage.cases import Case, Samples
from benchmarks.coverage.data import generator, pictures
from benchmarks.coverage.settling import settle

CLASSES = 10
SIDE = 64
LARGER_SIDES = {"InceptionV3": 96, "InceptionResNetV2": 96, "Xception": 96}
"""Pictures of 64 by 64, but where the architecture refuses them."""
PIXELS_IN = ("EfficientNet", "ConvNeXt", "MobileNetV3")
"""Architectures that take pixels of 0 to 255 and normalize by themselves."""
BATCH = 32
# Smallest first, by the number of weights (millions), so that most of the table is there early.
WEIGHTS = {
    "MobileNetV3Small": 1, "MobileNetV2": 2, "MobileNetV3Large": 3, "MobileNet": 3, "EfficientNetB0": 4,
    "NASNetMobile": 4, "EfficientNetV2B0": 6, "EfficientNetB1": 7, "EfficientNetV2B1": 7, "DenseNet121": 7,
    "EfficientNetB2": 8, "EfficientNetV2B2": 9, "EfficientNetB3": 11, "DenseNet169": 13, "EfficientNetV2B3": 13,
    "EfficientNetB4": 18, "DenseNet201": 18, "EfficientNetV2S": 20, "VGG16": 40, "VGG19": 45, "Xception": 21,
    "InceptionV3": 22, "ResNet50": 24, "ResNet50V2": 24, "ConvNeXtTiny": 28, "EfficientNetB5": 28,
    "EfficientNetB6": 41, "ResNet101": 43, "ResNet101V2": 43, "ConvNeXtSmall": 49, "EfficientNetV2M": 53,
    "InceptionResNetV2": 54, "ResNet152": 58, "ResNet152V2": 58, "EfficientNetB7": 64, "NASNetLarge": 85,
    "ConvNeXtBase": 88, "EfficientNetV2L": 118, "ConvNeXtLarge": 196, "ConvNeXtXLarge": 348,
}


def architectures() -> dict[str, Callable[..., Any]]:
    """Every function of `keras.applications` that makes a model."""
    return {name: made for name, made in vars(keras.applications).items() if inspect.isfunction(made)}


def cases() -> tuple[Case, ...]:
    """All of them; an architecture that is new in Keras comes last."""
    ordered = sorted(architectures(), key=lambda name: (WEIGHTS.get(name, 1000), name))
    return tuple(
        Case(name, partial(_build, name), partial(_pictures, name), calibration=24, fresh=24) for name in ordered
    )


def _build(name: str) -> Any:
    side = LARGER_SIDES.get(name, SIDE)
    model = architectures()[name](weights=None, input_shape=(side, side, 3), classes=CLASSES)
    settle(model, next(iter(_pictures(name, model, BATCH, False).values())))
    return model


def _pictures(name: str, model: Any, count: int, fresh: bool) -> Samples:
    low, high = (0.0, 255.0) if name.startswith(PIXELS_IN) else (-1.0, 1.0)
    tensor = model.inputs[0]
    return {tensor.name: pictures(generator(fresh), count, tuple(tensor.shape[1:]), low, high)}
