"""From a model to one function with a fixed batch of 1, which is what gets converted.

A free batch dimension leaves SHAPE, STRIDED_SLICE and PACK operations behind, which accelerators refuse; tracing
at batch 1 removes them and takes a fraction of the time of `TFLiteConverter.from_keras_model`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgekit.errors import ConversionError, EdgeKitError, ModelFileError
from edgekit_converters.failing.reasons import reason_of
from edgekit_converters.forms import convertible_layers
from edgekit_converters.forms.replacing import replaced_activations
from edgekit_converters.forms.streaming import (
    StateLink,
    carried_states,
    fresh_states,
    stateful_layers,
    streaming_of,
)
from edgekit_converters.tracing.holding import check_same, random_sample
from edgekit_converters.tracing.naming import names_of, output_leaves, valid_names
from edgekit_converters.tracing.places import Place
from edgekit_converters.tracing.recording import Call, maker_of, operations_by_place, recorded_calls
from edgekit_converters.tracing.shapes import GivenShape
from edgekit_converters.tracing.signatures import Signature, signature_of, with_tokens
from edgekit_converters.tracing.specs import InputSpec


@dataclass(frozen=True, slots=True)
class Frozen:
    """A traced function, what holds its variables, and its inputs in the order of its arguments."""

    function: Any
    trackable: Any
    inputs: tuple[InputSpec, ...]
    rewrites: tuple[str, ...] = ()
    """Names of the cures (`edgekit_converters.cures`) that were used on the way."""
    calls: tuple[Call, ...] = ()
    """The calls of Keras layers, in order; none where the model is no Keras model any more."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """The layer of each operation that is known to come from one, by the operation's name."""
    states: tuple[StateLink, ...] = ()
    """Inputs that take an output again with the next sample."""
    notes: tuple[str, ...] = ()
    """What the user should know of how it came about, a sentence each."""
    hold: Callable[[Mapping[str, Any]], None] | None = None
    """Holds the function against the model that it was made from, on one sample; None where nothing was rewritten."""
    keeps_state: bool = False
    """Whether operations remember something from sample to sample; the function itself does not."""

    @property
    def data_inputs(self) -> tuple[InputSpec, ...]:
        """The inputs that are no states."""
        states = {link.input.name for link in self.states}
        return tuple(spec for spec in self.inputs if spec.name not in states)

    def __call__(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Float outputs by name, NumPy arrays, for inputs by name; states that are not given are zero."""
        zeros = {link.input.name: np.zeros(link.input.shape, link.input.dtype) for link in self.states}
        given = {**zeros, **sample}
        outputs = self.function(*(tf.constant(given[spec.name], spec.dtype) for spec in self.inputs))
        return {name: tensor.numpy() for name, tensor in outputs.items()}


def freeze_keras(
    model: Any, cures: Set[str], given: Sequence[GivenShape] = (),
    sample_shapes: Mapping[str, tuple[int, ...]] | None = None, replace: Mapping[str, str] | None = None,
) -> Frozen:
    """Trace a built Keras model at batch 1, in inference mode.

    Args:
        model: The model.
        cures: Names of the other forms (`edgekit_converters.cures`) that its layers may be given.
        given: Sizes of inputs that the user fixes.
        sample_shapes: Shapes of one calibration sample by input name: what a subclassed model takes, where nothing
            else says it.
        replace: Activations to compute in the place of others, by the names of the others.

    Raises:
        UsageError: a given size does not fit.
        ConversionError: the model was never built, has an input dimension besides the batch that is not fixed, takes
            text, cannot be traced, or a layer that was rewritten computes something else.
        ModelFileError: its weights hold NaN or infinity.
    """
    signature = signature_of(model, given, sample_shapes or {})
    declared = signature
    if "tokens" in cures:
        signature = with_tokens(model, declared)
    check_types(model.name, signature.specs)
    _refuse_what_cannot_be(model)

    layers = stateful_layers(model)
    streaming = streaming_of(layers, cures)
    specs = (*signature.specs, *(link.input for link in streaming.links))

    def call(*tensors: Any) -> dict[str, Any]:
        given = dict(zip((spec.name for spec in specs), tensors, strict=True))
        streaming.given.update(given)
        outputs = _named(model, model(signature.pack(tensors[: len(signature.specs)]), training=False))
        return {**outputs, **streaming.found}

    module = tf.Module()
    with recorded_calls(model, keras.layers.Layer, keras.Model) as calls, valid_names(model) as variables:
        # The converter cannot track a Keras 3 model (READ_VARIABLE fails); it can track the variables' values.
        module.variables_of_model = variables
        with (
            convertible_layers(cures) as rewrites, replaced_activations(replace or {}) as replaced,
            carried_states(streaming),
        ):
            function = trace_model(model.name, call, specs)
            if signature.specs != declared.specs:
                rewrites.append("tokens")
    places = operations_by_place(calls)
    check_outputs(model.name, function, places)
    frozen = Frozen(
        function, module, specs, tuple(dict.fromkeys(rewrites)), tuple(calls), places, streaming.links,
        _told(replace or {}, replaced), keeps_state=bool(streaming.fused),
    )
    if not rewrites and not layers:
        return frozen

    def hold(sample: Mapping[str, Any]) -> None:
        with fresh_states(layers), replaced_activations(replace or {}):
            _hold_against(frozen, model, signature, sample)

    try:
        hold(random_sample(signature.specs))
    except ConversionError:
        if "masks" not in rewrites:
            raise
        # Scores this low are rare; such a model takes Keras's own form.
        return freeze_keras(model, cures - {"masks"}, given, sample_shapes, replace)
    return dataclasses.replace(frozen, hold=hold)


def _told(replace: Mapping[str, str], replaced: Sequence[str]) -> tuple[str, ...]:
    found = [f"{old} was replaced by {new}" for old, new in replace.items() if old in replaced]
    unused = [f"{old} is nowhere in the model: nothing was replaced by {new}" for old, new in replace.items()
              if old not in replaced]
    change = "as asked, which changes what the model computes: measure its accuracy, or train it some more"
    return (*([f"{', '.join(found)}, {change}"] if found else []), *unused)


def _named(model: Any, outputs: Any) -> dict[str, Any]:
    """Output tensors by name; a model that was built by calling it gives the structure that it gives."""
    tensors = keras.tree.flatten(outputs)
    if getattr(model, "outputs", None):
        # A Sequential model that was loaded has outputs, but no `output`.
        struct, leaves = model.outputs[0] if isinstance(model, keras.Sequential) else model.output, output_leaves(model)
    else:
        struct, leaves = outputs, ["output"] if len(tensors) == 1 else [f"output_{i}" for i in range(len(tensors))]
    return dict(zip(names_of(struct, leaves), tensors, strict=True))


def _refuse_what_cannot_be(model: Any) -> None:
    known = {id(layer) for layer in stateful_layers(model)}
    for layer in model._flatten_layers():
        inner = isinstance(layer, keras.layers.RNN) or type(layer).__name__ == "Bidirectional"
        if getattr(layer, "stateful", False) and id(layer) not in known and not inner:
            raise ConversionError(
                f"model '{model.name}' keeps state from call to call in layer '{layer.name}' "
                f"({type(layer).__name__}), and EdgeKit carries that of recurrent layers alone",
                hint="Give the state as an input of the model, and its next value as an output.",
            )
    check_finite(model.name, ((variable.path, variable.value) for variable in model.variables))


def check_finite(name: str, weights: Iterable[tuple[str, Any]]) -> None:
    """See that all weights, given by path, are numbers.

    Raises:
        ModelFileError: some are NaN or infinite.
    """
    for path, variable in weights:
        values = np.asarray(variable)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelFileError(
                f"the weights '{path}' of model '{name}' hold NaN or infinity",
                hint="Train it again: training has diverged.",
            )


def check_types(name: str, specs: Sequence[InputSpec]) -> None:
    """See that the inputs are numbers.

    Raises:
        ConversionError: one takes text or complex numbers.
    """
    for spec in specs:
        if spec.dtype == "string":
            raise ConversionError(
                f"input '{spec.name}' of model '{name}' takes text, which a device cannot process in the model",
                hint="Leave out the layers that split text and look words up (TextVectorization, StringLookup), and "
                "feed the model the numbers that they give.",
            )
        if spec.dtype.startswith("complex"):
            raise ConversionError(
                f"input '{spec.name}' of model '{name}' takes complex numbers, which EdgeKit cannot feed",
                hint="Give real and imaginary part as two float32 inputs.",
            )


def check_outputs(name: str, function: Any, places: Mapping[str, Place]) -> None:
    """See that the outputs are tensors, and of numbers.

    Raises:
        ConversionError: there is none, or one is text or complex; the message names the layer that gives it.
    """
    outputs: dict[str, Any] = function.structured_outputs
    if not outputs:
        raise ConversionError(f"model '{name}' gives no outputs", hint="Have its call() return what it computes.")
    for output, tensor in zip(sorted(outputs), function.outputs, strict=True):  # dicts go by their keys
        if tensor.dtype.is_complex or tensor.dtype == tf.string:
            maker = maker_of(tensor, places)
            kind = "complex numbers" if tensor.dtype.is_complex else "text"
            raise ConversionError(
                f"output '{output}' of model '{name}' is {kind}, which a device cannot give"
                + (f"; it comes from {maker}" if maker else ""),
                hint="End the model in numbers: real part, magnitude (keras.ops.abs) or a class.",
            )


def _hold_against(frozen: Frozen, model: Any, signature: Signature, sample: Mapping[str, Any]) -> None:
    """Refuse rewritten layers whose float results are not those of the model itself, also for a second sample."""
    inputs = signature.pack([tf.constant(sample[s.name], s.dtype) for s in signature.specs])
    states: dict[str, Any] = {}
    for _ in range(2 if frozen.states and not frozen.keeps_state else 1):
        own = _named(model, model(inputs, training=False))
        found = frozen({**sample, **states})
        states = {link.input.name: found.pop(link.output) for link in frozen.states}
        for name, values in found.items():
            check_same(name, values, np.asarray(own[name]), frozen.rewrites)


def trace_model(name: str, call: Callable[..., dict[str, Any]], specs: Sequence[InputSpec]) -> Any:
    """`trace`, with what the model's own layers raise in words.

    Raises:
        ConversionError: the model cannot be called on such inputs.
    """
    try:
        return trace(call, specs)
    except EdgeKitError:
        raise
    except Exception as error:  # whatever the model's own layers raise
        taken = ", ".join(f"{spec.name} {spec.shape}" for spec in specs)
        raise ConversionError(
            f"model '{name}' cannot be called on {taken}: {reason_of(error)}",
            hint="Give the sizes that it was trained with, --input-shape [NAME=]H,W,C; or, where its layers need "
            "more than that, export it from Python: model.export('folder').",
        ) from error


def trace(call: Callable[..., dict[str, Any]], specs: Sequence[InputSpec]) -> Any:
    """The concrete function of a call for these inputs."""
    signature = [tf.TensorSpec(spec.shape, spec.dtype, name=spec.name) for spec in specs]
    return tf.function(call, input_signature=signature, autograph=False).get_concrete_function()
