"""Stateful recurrent layers: what they remember goes in and out of the function with each sample.

The state of an LSTM that becomes the fused operation is that operation's own; the runtime lets it outlive a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras

from edgekit_converters.forms.recurrent import can_be_fused
from edgekit_converters.tracing.specs import InputSpec, tidy


@dataclass(frozen=True, slots=True)
class StateLink:
    """A state that the runtime carries: an input, and the output that is its next value."""

    input: InputSpec
    output: str


@dataclass(slots=True)
class Streaming:
    """The stateful layers of a model while it is traced.

    Attributes:
        layers: Layers whose state becomes inputs and outputs, with the links of each.
        fused: Layers whose state stays in the fused operation.
        given: Tensors of the states by input name, for the trace at hand.
        found: Tensors of the next states by output name, once the trace is over.
    """

    layers: dict[int, tuple[StateLink, ...]] = field(default_factory=dict)
    fused: set[int] = field(default_factory=set)
    given: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def links(self) -> tuple[StateLink, ...]:
        """All states that go in and out, layer by layer."""
        return tuple(link for links in self.layers.values() for link in links)


def stateful_layers(model: Any) -> list[Any]:
    """The recurrent layers that keep their state from call to call, in the model's order."""
    return [
        layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN) and layer.stateful
        and layer.states is not None
    ]


def streaming_of(layers: Sequence[Any], cures: Set[str]) -> Streaming:
    """How the states of these layers are to be carried.

    Args:
        layers: Stateful ones.
        cures: Names of the forms that may be used: without `lstm`, no state stays within an operation.
    """
    found = Streaming()
    for layer in layers:
        if "lstm" in cures and isinstance(layer, keras.layers.LSTM) and can_be_fused(layer):
            found.fused.add(id(layer))
            continue
        states = keras.tree.flatten(layer.states)
        name = tidy(layer.name)
        found.layers[id(layer)] = tuple(
            StateLink(
                InputSpec(f"{name}_state_{at}", (1, *(int(size) for size in state.shape[1:])), "float32"),
                f"{name}_next_state_{at}",
            )
            for at, state in enumerate(states)
        )
    return found


@contextmanager
def carried_states(streaming: Streaming) -> Iterator[None]:
    """Within it, stateful layers take their states from `streaming.given`, and leave the next in `streaming.found`."""
    original = keras.layers.RNN.call
    keras.layers.RNN.call = _carrying(original, streaming)
    try:
        yield
    finally:
        keras.layers.RNN.call = original


def _carrying(original: Callable[..., Any], streaming: Streaming) -> Callable[..., Any]:
    def call(layer: Any, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        links = streaming.layers.get(id(layer))
        if initial_state is not None or (links is None and id(layer) not in streaming.fused):
            return original(layer, sequences, initial_state=initial_state, mask=mask, training=training)
        with _stateless(layer, return_state=bool(links) or layer.return_state):
            if not links:
                return original(layer, sequences, mask=mask, training=training)
            tensors = [streaming.given[link.input.name] for link in links]
            states = keras.tree.pack_sequence_as(layer.states, tensors)
            output, *after = original(layer, sequences, initial_state=states, mask=mask, training=training)
        streaming.found.update(zip((link.output for link in links), keras.tree.flatten(after), strict=True))
        return (output, *after) if layer.return_state else output

    return call


@contextmanager
def _stateless(layer: Any, *, return_state: bool) -> Iterator[None]:
    """The layer as one that keeps nothing, and gives its state where that is wanted."""
    before = layer.stateful, layer.return_state
    layer.stateful, layer.return_state = False, return_state
    try:
        yield
    finally:
        layer.stateful, layer.return_state = before


@contextmanager
def fresh_states(layers: Sequence[Any]) -> Iterator[None]:
    """Within it, the layers start from zero; what they held is put back."""
    variables = [variable for layer in layers for variable in keras.tree.flatten(layer.states)]
    held = [variable.numpy() for variable in variables]
    for variable in variables:
        variable.assign(keras.ops.zeros_like(variable))
    try:
        yield
    finally:
        for variable, values in zip(variables, held, strict=True):
            variable.assign(values)
