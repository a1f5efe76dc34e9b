"""From a model to one function with a fixed batch of 1, which is what gets converted.

A free batch dimension leaves SHAPE, STRIDED_SLICE and PACK operations behind, which accelerators refuse; tracing
at batch 1 removes them and takes a fraction of the time of `TFLiteConverter.from_keras_model`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgekit.errors import ConversionError, ModelFileError
from edgekit_converters.rewriting import convertible_layers
from edgekit_converters.specs import InputSpec, tidy

_SCOPE = re.compile(r"[A-Za-z0-9.][\w.\\/>-]*")
TOLERANCE = 1e-4
"""Largest difference of a rewritten layer's float results, as a share of the largest result."""
# Names that Keras counts up over a process, and which would differ from one conversion to the next.
_AUTOMATIC = re.compile(r"(keras_tensor|input_layer|input)(_\d+)*")


@dataclass(frozen=True, slots=True)
class Frozen:
    """A traced function, what holds its variables, and its inputs in the order of its arguments."""

    function: Any
    trackable: Any
    inputs: tuple[InputSpec, ...]
    rewrites: tuple[str, ...] = ()
    """What was put into another form on the way, a sentence each."""

    def __call__(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Float outputs by name, NumPy arrays, for inputs by name."""
        outputs = self.function(*(tf.constant(sample[spec.name], spec.dtype) for spec in self.inputs))
        return {name: tensor.numpy() for name, tensor in outputs.items()}


def freeze_keras(model: Any) -> Frozen:
    """Trace a built Keras model at batch 1, in inference mode.

    Raises:
        ConversionError: the model was never built, has an input dimension besides the batch that is not fixed, or a
            layer that was rewritten computes something else.
        ModelFileError: its weights hold NaN or infinity.
    """
    if not getattr(model, "inputs", None):
        raise ConversionError(
            f"model '{model.name}' has no fixed inputs: it is subclassed, or was never built",
            hint="Build it as keras.Sequential or keras.Model(inputs, outputs), or call it once on data and export it "
            "as a SavedModel: model.export('folder').",
        )
    _refuse_what_cannot_be(model)
    # A Sequential model that was loaded has inputs and outputs, but neither `input` nor `output`.
    sequential = isinstance(model, keras.Sequential)
    struct, outputs_struct = (model.inputs[0], model.outputs[0]) if sequential else (model.input, model.output)
    names = _names(struct, _input_leaves(model))
    specs = _specs(zip(names, ((i.shape, i.dtype) for i in model.inputs), strict=True))
    output_names = _names(outputs_struct, _output_leaves(model))

    def call(*tensors: Any) -> dict[str, Any]:
        outputs = keras.tree.flatten(model(keras.tree.pack_sequence_as(struct, list(tensors)), training=False))
        return dict(zip(output_names, outputs, strict=True))

    # The converter cannot track a Keras 3 model (READ_VARIABLE fails); it can track the variables' values.
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    with valid_scopes(model), convertible_layers() as rewrites:
        frozen = Frozen(_trace(call, specs), module, specs, tuple(dict.fromkeys(rewrites)))
    if rewrites:
        _hold_against(frozen, model, struct, output_names)
    return frozen


def _refuse_what_cannot_be(model: Any) -> None:
    stateful = [layer.name for layer in model._flatten_layers() if getattr(layer, "stateful", False)]
    if stateful:
        raise ConversionError(
            f"model '{model.name}' keeps state from call to call in layer '{stateful[0]}', which EdgeKit cannot yet",
            hint="Build it with stateful=False and give the whole window at once.",
        )
    for variable in model.variables:
        values = np.asarray(variable.value)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelFileError(
                f"the weights '{variable.path}' of model '{model.name}' hold NaN or infinity",
                hint="Train it again: training has diverged.",
            )
        if not _SCOPE.fullmatch(variable.path):
            raise ConversionError(
                f"TensorFlow cannot take the name of the weights '{variable.path}' of model '{model.name}'",
                hint="Name layers and models with letters, digits, '_', '.', '/' and '-' alone.",
            )


@contextmanager
def valid_scopes(model: Any) -> Iterator[None]:
    """Within it, layers go by names that TensorFlow takes for a scope; Keras itself allows more."""
    layers = [model, *model._flatten_layers(include_self=False)]
    odd = [(layer, layer.name) for layer in layers if not _SCOPE.fullmatch(layer.name)]
    for layer, name in odd:
        layer.name = f"layer_{tidy(name)}"
    try:
        yield
    finally:
        for layer, name in odd:
            layer.name = name


def _hold_against(frozen: Frozen, model: Any, struct: Any, output_names: Sequence[str]) -> None:
    """Refuse rewritten layers whose float results are not those of the model itself."""
    random = np.random.default_rng(0)
    sample = {s.name: random.uniform(0, 1, s.shape).astype(s.dtype) for s in frozen.inputs}
    inputs = keras.tree.pack_sequence_as(struct, [tf.constant(sample[s.name]) for s in frozen.inputs])
    own = dict(zip(output_names, keras.tree.flatten(model(inputs, training=False)), strict=True))
    for name, values in frozen(sample).items():
        expected = np.asarray(own[name])
        if np.abs(values - expected).max() > TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise ConversionError(
                f"the rewritten form of a layer changes the output '{name}' of model '{model.name}'",
                hint=f"Rewritten: {'; '.join(frozen.rewrites)}. Please report the model.",
            )


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


def _names(struct: Any, leaves: Sequence[str]) -> list[str]:
    """Names of a structure's tensors in the order in which Keras flattens it (keys of a dict are sorted).

    Keys as the user wrote them; a tensor that is in no dict has its name in `leaves`.
    """
    keys = ["_".join(key for key in path if isinstance(key, str)) for path, _ in keras.tree.flatten_with_path(struct)]
    return [tidy(key or leaf) for key, leaf in zip(keys, leaves, strict=True)]


def _input_leaves(model: Any) -> list[str]:
    """Names of keras.Input as the user gave them; else `input`, `input_2`, …"""
    layers = [layer.name for layer in getattr(model, "layers", []) if type(layer).__name__ == "InputLayer"]
    names = [tensor.name for tensor in model.inputs]
    if len(layers) == len(names):
        names = [layer if _AUTOMATIC.fullmatch(name) else name for layer, name in zip(layers, names, strict=True)]
    return [
        ("input" if not position else f"input_{position + 1}") if _AUTOMATIC.fullmatch(name) else name
        for position, name in enumerate(names)
    ]


def _output_leaves(model: Any) -> list[str]:
    if len(model.outputs) == 1:
        return ["output"]
    return list(getattr(model, "output_names", [f"output_{i}" for i in range(len(model.outputs))]))


def _specs(inputs: Any) -> tuple[InputSpec, ...]:
    return tuple(InputSpec(name, _fixed(name, tuple(shape)), dtype) for name, (shape, dtype) in inputs)


def _fixed(name: str, shape: Sequence[int | None]) -> tuple[int, ...]:
    if None in shape[1:]:
        raise ConversionError(
            f"input '{name}' has the shape {tuple(shape)}, in which None is not fixed",
            hint="Build the model with a full keras.Input shape, such as (224, 224, 3), load the weights, and save it "
            "again.",
        )
    return (1, *(int(size) for size in shape[1:] if size is not None))


def _trace(call: Callable[..., dict[str, Any]], specs: Sequence[InputSpec]) -> Any:
    signature = [tf.TensorSpec(spec.shape, spec.dtype, name=spec.name) for spec in specs]
    return tf.function(call, input_signature=signature, autograph=False).get_concrete_function()
