"""Finds the layer that TensorFlow's converter dies of: each is converted alone, in a child process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from edgekit.errors import ConversionError
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.forms import convertible_layers
from edgekit_converters.loading.opening import load
from edgekit_converters.loading.saved_models import freeze_saved_model, save_frozen
from edgekit_converters.lowering.floating import to_flatbuffer
from edgekit_converters.lowering.quantizing import measure, quantize, to_int16x8
from edgekit_converters.options import Options
from edgekit_converters.process import LAYERS, SUSPECT, Job
from edgekit_converters.tracing.freezing import Frozen, trace
from edgekit_converters.tracing.holding import random_sample
from edgekit_converters.tracing.naming import valid_names
from edgekit_converters.tracing.places import Place
from edgekit_converters.tracing.recording import Call
from edgekit_converters.tracing.specs import InputSpec

SAMPLES = 3


def search(job: Job, report: OnProgress) -> None:
    """Convert each layer alone; the one at work stands in `job.folder / SUSPECT`, also when this process dies.

    Raises:
        ConversionError: TensorFlow's converter cannot take a layer; the message names it.
    """
    suspect = job.folder / SUSPECT
    for number, (place, alone) in enumerate(_layers(job), 1):
        report(Progress("looking for the layer that fails", number, place.count))
        suspect.write_text(str(place))
        _convert(alone, job.options)
    suspect.unlink(missing_ok=True)


def save_layers(frozen: Frozen, cures: Set[str], folder: Path) -> None:
    """Write each layer of a model in memory as a SavedModel of its own, for the child that searches."""
    for number, (_, alone) in enumerate(_alone(frozen, cures)):
        save_frozen(alone, folder / f"{number:04}")


def _layers(job: Job) -> Iterator[tuple[Place, Frozen]]:
    saved = job.folder / LAYERS
    if not saved.is_dir():
        yield from _alone(load(job), job.options.cures)
    else:
        for folder in sorted(saved.iterdir()):
            alone = freeze_saved_model(folder)
            yield from ((place, alone) for place in list(alone.places.values())[:1])


def _alone(frozen: Frozen, cures: Set[str]) -> Iterator[tuple[Place, Frozen]]:
    for call in frozen.calls:
        alone = freeze_call(call, cures)
        if alone is not None:
            yield call.place, alone


def freeze_call(call: Call, cures: Set[str]) -> Frozen | None:
    """One layer as a model of its own; None where its inputs are not all numbers of fixed size."""
    flat = tf.nest.flatten(call.arguments)
    at = [index for index, value in enumerate(flat) if isinstance(value, tf.TensorSpec)]
    if not at or not all(flat[i].shape.is_fully_defined() and _is_number(flat[i].dtype) for i in at):
        return None
    specs = tuple(InputSpec(f"input_{i}", tuple(flat[i].shape), flat[i].dtype.name) for i in at)

    def traced(*tensors: Any) -> dict[str, Any]:
        values = list(flat)
        for index, tensor in zip(at, tensors, strict=True):
            values[index] = tensor
        args, kwargs = tf.nest.pack_sequence_as(call.arguments, values)
        outputs = [value for value in tf.nest.flatten(call.layer(*args, **kwargs)) if value is not None]
        return {f"output_{number}": output for number, output in enumerate(outputs)}

    module = tf.Module()
    if not isinstance(call.layer, keras.layers.Layer):  # of Keras 2, which TensorFlow tracks
        function = trace(traced, specs)
        module.layer = call.layer
    else:
        with valid_names(call.layer) as variables, convertible_layers(cures):
            module.variables_of_layer = variables
            function = trace(traced, specs)
    names = (operation.name for operation in function.graph.get_operations())
    return Frozen(function, module, specs, places=dict.fromkeys(names, call.place))


def _is_number(dtype: Any) -> bool:
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)


def _convert(alone: Frozen, options: Options) -> None:
    try:
        flatbuffer = to_flatbuffer(alone, options)
        if options.calibrated:
            samples = [random_sample(alone.inputs)] * SAMPLES
            if options.precision == "int16x8":
                to_int16x8(flatbuffer, options, samples, lambda _: None)
            else:
                quantize(measure(flatbuffer, samples, lambda _: None), options)
    except ConversionError as error:
        place = next(iter(alone.places.values()))
        named = error.message if str(place) in error.message else f"{error.message}; it fails on {place}"
        raise ConversionError(named, hint=error.hint) from error
