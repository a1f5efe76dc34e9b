"""Names of a model's inputs, outputs and weights, in forms that TensorFlow takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from edgekit_converters.tracing.specs import distinct, tidy

_SCOPE = re.compile(r"[A-Za-z0-9.][\w./>-]*", re.ASCII)
# Names that Keras counts up over a process, and which would differ from one conversion to the next.
_AUTOMATIC = re.compile(r"(keras_tensor|input_layer|input)(_\d+)*")


def names_of(struct: Any, leaves: Sequence[str]) -> list[str]:
    """Names of a structure's tensors in the order in which Keras flattens it (keys of a dict are sorted).

    Keys as the user wrote them; a tensor that is in no dict has its name in `leaves`. No name comes twice.
    """
    keys = ["_".join(key for key in path if isinstance(key, str)) for path, _ in keras.tree.flatten_with_path(struct)]
    return distinct(tidy(key or leaf) for key, leaf in zip(keys, leaves, strict=True))


def input_leaves(model: Any) -> list[str]:
    """Names of keras.Input as the user gave them; else `input`, `input_2`, …"""
    layers = [layer.name for layer in getattr(model, "layers", []) if type(layer).__name__ == "InputLayer"]
    names = [tensor.name for tensor in model.inputs]
    if len(layers) == len(names):
        names = [layer if _AUTOMATIC.fullmatch(name) else name for layer, name in zip(layers, names, strict=True)]
    return numbered([plain_name(name) for name in names])


def plain_name(name: str) -> str:
    """The name, or nothing where Keras made it up."""
    return "" if _AUTOMATIC.fullmatch(name) else name


def numbered(names: Sequence[str]) -> list[str]:
    """The same, with `input`, `input_2`, … by position where a name is empty."""
    return [name or ("input" if not at else f"input_{at + 1}") for at, name in enumerate(names)]


def output_leaves(model: Any) -> list[str]:
    """Names of the outputs: `output` for the only one, else those of the layers that give them."""
    if len(model.outputs) == 1:
        return ["output"]
    return list(getattr(model, "output_names", [f"output_{i}" for i in range(len(model.outputs))]))


@contextmanager
def valid_names(model: Any) -> Iterator[list[Any]]:
    """Within it, layers and weights go by names that TensorFlow takes for a scope; Keras itself allows more.

    Yields the variables that hold the model's weights meanwhile: its own, and copies of those with odd names.
    """
    with valid_layers(model, "name"), ExitStack() as stack:
        for number, variable in enumerate(model.variables):
            if not _SCOPE.fullmatch(variable.path):
                stack.callback(setattr, variable, "_value", variable.value)
                variable._value = tf.Variable(variable.value, trainable=False, name=f"weights_{number}")
        yield [variable.value for variable in model.variables]


@contextmanager
def valid_layers(model: Any, attribute: str) -> Iterator[None]:
    """The same for layers alone, whose name is held in an attribute: `name` of Keras 3, `_name` of Keras 2."""
    with ExitStack() as stack:
        for layer in [model, *model._flatten_layers(include_self=False)]:
            if not _SCOPE.fullmatch(layer.name):
                stack.callback(setattr, layer, attribute, layer.name)
                setattr(layer, attribute, f"layer_{tidy(layer.name)}")
        yield
