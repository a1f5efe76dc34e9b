"""Carries what a model says of itself into the file that was compiled from it: the compiler drops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from edgekit.errors import ConversionError
from edgekit.metadata import InputMetadata, Metadata, OutputMetadata, State
from edgekit.tflite import ModelFile, Tensor
from edgekit_devices.coral.placement.verdicts import TARGET

Item = TypeVar("Item", InputMetadata, OutputMetadata)


@dataclass(frozen=True, slots=True)
class Segment:
    """One of several files that a model was compiled to; `index` counts from 0."""

    index: int
    count: int

    @property
    def last(self) -> bool:
        """Whether it gives what the model gives."""
        return self.index == self.count - 1


def check_ends(source: ModelFile, compiled: ModelFile, segment: Segment | None = None) -> None:
    """See that a compiled file takes and gives what the model does.

    Raises:
        ConversionError: it does not, so that it was not made of this model.
    """
    ends = (
        ("input", source.inputs, compiled.inputs, segment is None or segment.index == 0),
        ("output", source.outputs, compiled.outputs, segment is None or segment.last),
    )
    for what, ours, theirs, matters in ends:
        # A segment may take or pass on more than the model does.
        if matters and not (_kinds(ours) == _kinds(theirs) if segment is None else _kinds(ours) <= _kinds(theirs)):
            raise ConversionError(
                f"{compiled.label} was not compiled from {source.label}: its {what}s differ",
                hint=f"The model has {_said(ours)}; the compiled file has {_said(theirs)}.",
            )


def _kinds(tensors: Sequence[Tensor]) -> set[tuple[object, ...]]:
    return {(tensor.name, tensor.static_shape, tensor.dtype, tensor.quantization) for tensor in tensors}


def _said(tensors: Sequence[Tensor]) -> str:
    return ", ".join(f"{tensor.name} {tensor.dtype} {list(tensor.static_shape)}" for tensor in tensors)


def carried(
    source: ModelFile, about: Metadata, compiled: ModelFile, provenance: Mapping[str, Any],
    segment: Segment | None = None,
) -> Metadata:
    """The model's metadata as that of the compiled file.

    Inputs and outputs are matched by the names of their tensors, which the compiler keeps; the names that users know
    are written out, since it drops the signatures that hold them.

    Args:
        source: The model.
        about: What it says of itself.
        compiled: The compiled file.
        provenance: What to add to the provenance under `compiler`.
        segment: Which part of the model it is; None for all of it.
    """
    named_in = _named(about.inputs, source.input_names, InputMetadata())
    named_out = _named(about.outputs, source.output_names, OutputMetadata())
    inputs = {tensor.name: item for tensor, item in zip(source.inputs, named_in, strict=True)}
    outputs = {tensor.name: item for tensor, item in zip(source.outputs, named_out, strict=True)}
    return replace(
        about,
        inputs=tuple(inputs.get(tensor.name, InputMetadata()) for tensor in compiled.inputs),
        outputs=tuple(outputs.get(tensor.name, OutputMetadata()) for tensor in compiled.outputs),
        states=() if segment else _states(about.states, source, compiled),
        task=about.task if segment is None or segment.last else None,
        target=TARGET,
        provenance={**about.provenance, "compiler": dict(provenance)},
    )


def _named(items: tuple[Item, ...], names: Sequence[str], blank: Item) -> tuple[Item, ...]:
    filled = items + (blank,) * (len(names) - len(items))
    return tuple(
        item if item.name else replace(item, name=name) for item, name in zip(filled, names, strict=True)
    )


def _states(states: Sequence[State], source: ModelFile, compiled: ModelFile) -> tuple[State, ...]:
    """The same tensors, at the places that they have in the compiled file."""
    inputs = [tensor.name for tensor in compiled.inputs]
    outputs = [tensor.name for tensor in compiled.outputs]
    return tuple(
        State(
            inputs.index(source.inputs[state.input].name), outputs.index(source.outputs[state.output].name)
        )
        for state in states
    )
