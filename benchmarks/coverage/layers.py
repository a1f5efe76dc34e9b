"""Every class of `keras.layers` in at least one configuration, or a reason why it is left out."""

from __future__ import annotations

import inspect
from itertools import chain
from typing import Any

from keras import layers

from benchmarks.coverage import layers_core, layers_preprocessing, layers_sequence
from benchmarks.coverage.cases import Case

EXCLUDED = {
    "Layer": "the base class of all layers",
    "Wrapper": "the base class of layers that hold another",
    "InputSpec": "a description of inputs, no layer",
    "InputLayer": "the input of every model in this table",
    "FlaxLayer": "computes in JAX",
    "JaxLayer": "computes in JAX",
    "TorchModuleWrapper": "computes in PyTorch",
    "TFSMLayer": "holds a SavedModel, which converts by itself",
    "Equalization": "gives its input back at inference, of which Keras builds no functional model",
    "MaxNumBoundingBoxes": "changes the boxes of training data, and leaves pictures as they are",
}
"""Classes that no case covers, and why."""


def cases() -> tuple[Case, ...]:
    """All of them, in the order of the table."""
    return tuple(chain(
        layers_core.dense_and_convolutional(), layers_core.activations(), layers_core.pooling(),
        layers_core.normalization(), layers_core.merging(), layers_core.reshaping(), layers_core.regularization(),
        layers_sequence.recurrent(), layers_sequence.wrappers(), layers_sequence.attention(),
        layers_sequence.embeddings(),
        layers_preprocessing.of_pictures(), layers_preprocessing.of_numbers(), layers_preprocessing.of_sound(),
        layers_preprocessing.of_words(),
    ))


def public_classes() -> dict[str, Any]:
    """Every class of `keras.layers`, by each of its names."""
    return {name: found for name, found in vars(layers).items() if inspect.isclass(found)}


def missing() -> set[str]:
    """Classes of `keras.layers` that are neither covered nor left out for a reason."""
    every = public_classes()
    known = {every[name] for name in {case.covers for case in cases()} | set(EXCLUDED)}
    return {name for name, found in every.items() if found not in known}
