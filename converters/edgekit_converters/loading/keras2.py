"""Keras 2 models that Keras 3 refuses, through `tf_keras`: an extra, which holds Keras 2 as it last was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import tensorflow as tf

from edgekit.errors import MissingDependencyError, ModelFileError
from edgekit_converters.failing.reasons import reason_of
from edgekit_converters.loading.foreign_code import refuse_foreign_code
from edgekit_converters.loading.keras_files import KerasFile, linked, read_config
from edgekit_converters.tracing.freezing import Frozen, check_finite, check_outputs, check_types, trace_model
from edgekit_converters.tracing.naming import numbered, plain_name, valid_layers
from edgekit_converters.tracing.recording import operations_by_place, recorded_calls
from edgekit_converters.tracing.shapes import GivenShape, fixed_shapes
from edgekit_converters.tracing.specs import InputSpec, distinct, tidy

INSTALL = "Keras 2 can, as an extra: pip install 'edgekit-sdk[keras2]'"


def load_keras2(file: KerasFile, folder: Path, custom: Mapping[str, Any], refused: ModelFileError) -> Any:
    """The model as Keras 2 builds it.

    Args:
        file: A file that Keras 2 wrote.
        folder: Takes a link with the suffix that Keras goes by.
        custom: Custom objects by name.
        refused: Why Keras 3 does not take it.

    Raises:
        MissingDependencyError: `tf_keras` is not installed.
        ModelFileError: Keras 2 cannot load it either, or it names code that is no part of Keras.
    """
    if find_spec("tf_keras") is None:
        raise MissingDependencyError(f"{refused.message}; Keras {file.version or 2} wrote it", hint=INSTALL)
    refuse_foreign_code(file.path, read_config(file.path, file.kind), frozenset(custom))
    import tf_keras

    try:
        return tf_keras.models.load_model(
            linked(file, folder, "keras2"), custom_objects=dict(custom), compile=False, safe_mode=True
        )
    except Exception as error:  # Keras raises whatever its layers do
        if "Unknown layer" in str(error) or "Could not locate" in str(error):
            raise refused from error
        raise ModelFileError(
            f"neither Keras 3 nor Keras 2 can load {file.path}: {reason_of(error)}", hint=refused.hint
        ) from error


def freeze_keras2(model: Any, given: Sequence[GivenShape] = ()) -> Frozen:
    """Trace a Keras 2 model at batch 1, in inference mode.

    Raises:
        UsageError: a given size does not fit.
        ConversionError: an input dimension besides the batch is not fixed, or the model cannot be traced.
        ModelFileError: its weights hold NaN or infinity.
    """
    import tf_keras

    names = distinct(map(tidy, numbered([plain_name(name) for name in model.input_names])))
    tensors = tf.nest.flatten(model.inputs)
    fixed = fixed_shapes({n: list(t.shape) for n, t in zip(names, tensors, strict=True)}, given)
    specs = tuple(InputSpec(n, fixed[n], t.dtype.name) for n, t in zip(names, tensors, strict=True))
    check_types(model.name, specs)
    check_finite(model.name, ((v.name.split(":")[0], v.numpy()) for v in model.variables if v.dtype.is_floating))
    outputs = distinct(map(tidy, model.output_names)) if len(model.output_names) > 1 else ["output"]

    def call(*arguments: Any) -> dict[str, Any]:
        packed = tf.nest.pack_sequence_as(model.input, list(arguments))
        return dict(zip(outputs, tf.nest.flatten(model(packed, training=False)), strict=True))

    with recorded_calls(model, tf_keras.layers.Layer, tf_keras.Model) as calls, valid_layers(model, "_name"):
        function = trace_model(model.name, call, specs)
    module = tf.Module()  # the converter cannot save a model with odd names, and falls back to its older way
    module.variables_of_model = list(model.variables)
    places = operations_by_place(calls)
    check_outputs(model.name, function, places)
    return Frozen(function, module, specs, calls=tuple(calls), places=places)
