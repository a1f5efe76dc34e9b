"""Brings untrained weights to where training would have them, roughly: so that an error means something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

LOGIT_SPREAD = 3.0
"""Standard deviation of the last layer's results: a classifier that is fairly sure of most samples."""
OFFSET = 2.0
"""What BatchNormalization adds, in standard deviations."""
LAYER_SCALE = 0.2
"""ConvNeXt starts the scale of its blocks at 1e-6, at which they do nothing; training raises it."""


def scatter(model: Any, seed: int) -> Any:
    """Move what starts as zeros and ones (biases, offsets, gains, statistics) off its start."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        shape, name = tuple(variable.shape), variable.path.rsplit("/", 1)[-1]
        if name in {"bias", "beta", "moving_mean"} and variable.dtype == "float32":
            variable.assign(np.asarray(variable) + random.normal(0, 0.1, shape))
        elif name in {"gamma", "scale", "moving_variance"}:
            variable.assign(np.asarray(variable) * random.uniform(0.6, 1.4, shape))
        elif name == "embeddings":
            variable.assign(random.normal(0, 0.5, shape))
        elif name == "alpha":
            variable.assign(random.uniform(0.05, 0.4, shape))
    return model


def spread_results(model: Any, run: Callable[[Any], Any]) -> None:
    """Scale the last layers of a model that was not trained so that each of their results spreads around 0.

    Args:
        model: Its last layers are changed where they have a kernel; what spreads already stays.
        run: Gives the results of a model with the same inputs on samples.
    """
    outputs = getattr(model, "outputs", None) or ()
    for layer in filter(None, [_last_layer(model, tensor) for tensor in outputs]):
        activation, layer.activation = layer.activation, keras.activations.linear
        values = np.asarray(run(keras.Model(model.inputs, layer.output)))
        layer.activation = activation
        plain = activation is keras.activations.linear and any(layer.output is tensor for tensor in outputs)
        _spread(layer, values, 1.0 if plain else LOGIT_SPREAD)


def _last_layer(model: Any, tensor: Any) -> Any:
    """The dense or convolutional layer that computes an output; None where another kind does."""
    for layer in reversed(model.layers):
        kind = type(layer).__name__
        if kind in {"Dense", "Conv2D"} and (layer.output is tensor or len(model.outputs) == 1):
            return layer
        if kind not in {"Activation", "Reshape", "Flatten", "Softmax"} and len(model.outputs) == 1:
            return None
    return None


def _spread(layer: Any, values: Any, wanted: float) -> None:
    values = values.reshape(-1, values.shape[-1])
    spreads = values.std(axis=0)
    if wanted / 2 < spreads.mean() < wanted * 4:
        return
    kernel, *bias = layer.get_weights()
    gain = wanted / np.maximum(spreads, 1e-6)
    layer.set_weights([kernel * gain, *((old - values.mean(axis=0)) * gain for old in bias)])


def settle(model: Any, batch: Any) -> None:
    """Bring a deep network that was not trained to pass differences on, neither lost nor blown up.

    BatchNormalization gets the statistics of a batch: the results would be all but constant otherwise. Its offsets
    put most units where they are linear: with offsets of zero each layer makes a small difference larger, so that
    noise of 1 % at MobileNet's input leaves 1 dB at its output (25 dB with them), whatever the arithmetic.
    """
    for layer in model._flatten_layers():
        if type(layer).__name__ == "LayerScale":
            layer.gamma.assign(np.full(layer.gamma.shape, LAYER_SCALE, np.float32))
        elif type(layer).__name__ == "BatchNormalization" and layer.center:
            layer.beta.assign(np.full(layer.beta.shape, OFFSET, np.float32))
    _measure_statistics(model, batch)
    _read_what_differs(model, batch)


def _read_what_differs(model: Any, batch: Any) -> None:
    """Point the last layer at the directions in which samples differ most, as training does; random ones see noise."""
    layer = _last_layer(model, model.outputs[0])
    kernel, bias = layer.get_weights()
    features = np.asarray(keras.Model(model.inputs, layer.input)(batch, training=False)).reshape(-1, kernel.shape[-2])
    mean, classes = features.mean(axis=0), len(bias)
    directions = np.linalg.svd(features - mean, full_matrices=False)[2][:classes]
    mixing = np.linalg.qr(np.random.default_rng(0).normal(size=(classes, len(directions))))[0]
    chosen = (mixing @ directions).T
    gain = LOGIT_SPREAD / float(np.std((features - mean) @ chosen, axis=0).mean())
    layer.set_weights([(chosen * gain).reshape(kernel.shape), -mean @ chosen * gain])


def _measure_statistics(model: Any, batch: Any) -> None:
    normalizing = [layer for layer in model._flatten_layers() if type(layer).__name__ == "BatchNormalization"]
    dropping = [layer for layer in model._flatten_layers() if hasattr(layer, "rate")]
    kept = [(layer, "momentum", layer.momentum) for layer in normalizing]
    kept += [(layer, "rate", layer.rate) for layer in dropping]
    for layer, setting, _ in kept:
        setattr(layer, setting, 0.0)
    model(batch, training=True)
    for layer, setting, value in kept:
        setattr(layer, setting, value)
