"""From a model to one function with a fixed batch of 1, which is what gets converted.

A free batch dimension leaves SHAPE, STRIDED_SLICE and PACK operations behind, which accelerators refuse; tracing
at batch 1 removes them and takes a fraction of the time of `TFLiteConverter.from_keras_model`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from edgekit.errors import ConversionError
from edgekit_converters.specs import InputSpec


@dataclass(frozen=True, slots=True)
class Frozen:
    """A traced function, what holds its variables, and its inputs in the order of its arguments."""

    function: Any
    trackable: Any
    inputs: tuple[InputSpec, ...]

    def __call__(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Float outputs by name, NumPy arrays, for inputs by name."""
        outputs = self.function(*(tf.constant(sample[spec.name], spec.dtype) for spec in self.inputs))
        return {name: tensor.numpy() for name, tensor in outputs.items()}


def freeze_keras(model: Any) -> Frozen:
    """Trace a built Keras model at batch 1, in inference mode.

    Raises:
        ConversionError: the model was never built, or has an input dimension besides the batch that is not fixed.
    """
    if not getattr(model, "inputs", None):
        raise ConversionError(
            f"model '{model.name}' has no fixed inputs: it is subclassed, or was never built",
            hint="Build it as keras.Sequential or keras.Model(inputs, outputs), or call it once on data and export\n"
            "it as a SavedModel: model.export('folder').",
        )
    # A Sequential model that was loaded has inputs but no `input`.
    struct = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    names = _input_names(model, struct)
    specs = _specs(zip(names, ((i.shape, i.dtype) for i in model.inputs), strict=True))
    output_names = _output_names(model)

    def call(*tensors: Any) -> dict[str, Any]:
        outputs = keras.tree.flatten(model(keras.tree.pack_sequence_as(struct, list(tensors)), training=False))
        return dict(zip(output_names, outputs, strict=True))

    # The converter cannot track a Keras 3 model (READ_VARIABLE fails); it can track the variables' values.
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    return Frozen(_trace(call, specs), module, specs)


def freeze_saved_model(folder: Path) -> Frozen:
    """Trace a SavedModel's serving signature at batch 1.

    Raises:
        ConversionError: the folder cannot be read, has no signature to serve, or an input that is not fixed.
    """
    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConversionError(f"TensorFlow cannot load the SavedModel {folder}: {first}") from error
    signature = _serving_signature(folder, loaded)
    arguments = signature.structured_input_signature[1]
    names = sorted(arguments)
    specs = _specs((name, (arguments[name].shape, arguments[name].dtype.name)) for name in names)

    def call(*tensors: Any) -> dict[str, Any]:
        outputs: dict[str, Any] = signature(**dict(zip(names, tensors, strict=True)))
        return outputs

    return Frozen(_trace(call, specs), loaded, specs)


def save_frozen(frozen: Frozen, folder: Path) -> None:
    """Write a SavedModel that `freeze_saved_model` reads: the way of a model in memory to the child process."""
    module = frozen.trackable
    module.serve = frozen.function
    tf.saved_model.save(module, str(folder), signatures=frozen.function)


def _serving_signature(folder: Path, loaded: Any) -> Any:
    signatures = getattr(loaded, "signatures", {})
    for name in ("serving_default", "serve", *signatures):
        if name in signatures:
            return signatures[name]
    raise ConversionError(
        f"the SavedModel {folder} has no signature to serve", hint="Export it with model.export('folder')."
    )


def _input_names(model: Any, struct: Any) -> list[str]:
    """Names as the user wrote them: keys of a dict, names of keras.Input; else `input`, `input_2`, …"""
    if isinstance(struct, dict):
        return list(struct)
    layers = [layer.name for layer in getattr(model, "layers", []) if type(layer).__name__ == "InputLayer"]
    names = [tensor.name for tensor in model.inputs]
    if len(layers) == len(names):
        names = [layer if _automatic(name) else name for layer, name in zip(layers, names, strict=True)]
    return [
        ("input" if not position else f"input_{position + 1}") if _automatic(name) else name
        for position, name in enumerate(names)
    ]


def _automatic(name: str) -> bool:
    """Names that Keras counts up over a process, which would differ from one conversion to the next."""
    return name.startswith(("keras_tensor", "input_layer", "input_"))


def _output_names(model: Any) -> list[str]:
    if len(model.outputs) == 1:
        return ["output"]
    if isinstance(model.output, dict):
        return list(model.output)
    return list(getattr(model, "output_names", [f"output_{i}" for i in range(len(model.outputs))]))


def _specs(inputs: Any) -> tuple[InputSpec, ...]:
    return tuple(InputSpec(_tidy(name), _fixed(name, tuple(shape)), dtype) for name, (shape, dtype) in inputs)


def _tidy(name: str) -> str:
    """TensorFlow allows few characters in the name of an argument, and would change the others itself."""
    return re.sub(r"\W", "_", name)


def _fixed(name: str, shape: Sequence[int | None]) -> tuple[int, ...]:
    free = [str(axis) for axis, size in enumerate(shape) if axis > 0 and size is None]
    if free:
        raise ConversionError(
            f"input '{name}' has the shape {tuple(shape)}: dimension {', '.join(free)} is not fixed",
            hint="Build the model with a full keras.Input shape, such as (224, 224, 3), load the weights, and\n"
            "save it again.",
        )
    return (1, *(int(size) for size in shape[1:] if size is not None))


def _trace(call: Callable[..., dict[str, Any]], specs: Sequence[InputSpec]) -> Any:
    signature = [tf.TensorSpec(spec.shape, spec.dtype, name=spec.name) for spec in specs]
    return tf.function(call, input_signature=signature, autograph=False).get_concrete_function()
