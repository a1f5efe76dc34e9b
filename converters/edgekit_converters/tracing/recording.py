"""Which layer made which operation, written down while a model is traced, to name the layer when one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from edgekit_converters.tracing.places import Place


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer.

    Attributes:
        place: Of the layer.
        layer: The layer.
        arguments: Positional and named arguments; tensors stand as their `tf.TensorSpec`.
        operations: Names of the operations that it put into the graph.
    """

    place: Place
    layer: Any
    arguments: tuple[tuple[Any, ...], Mapping[str, Any]]
    operations: frozenset[str]


def leaves(model: Any, kind: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """The layers of a model with the nested models around each; models are gone into, `kind` being their class."""
    for layer in getattr(model, "layers", []):
        if isinstance(layer, kind):
            for inner, path in leaves(layer, kind):
                yield inner, (layer.name, *path)
        elif type(layer).__name__ != "InputLayer":
            yield layer, ()


@contextmanager
def recorded_calls(model: Any, layer_class: Any, model_class: Any) -> Iterator[list[Call]]:
    """Within it, calls of the model's layers are written down.

    Args:
        model: The model that is traced, under the names that the user gave.
        layer_class: The class whose `__call__` all layers share: that of Keras 3, or of Keras 2.
        model_class: The same for models.
    """
    found = {id(layer): (layer, path) for layer, path in leaves(model, model_class)}
    places = {
        key: Place(str(layer.name), type(layer).__name__, number, len(found), path)
        for number, (key, (layer, path)) in enumerate(found.items(), 1)
    }
    calls: list[Call] = []
    original = layer_class.__call__
    layer_class.__call__ = _recording(original, places, calls)
    try:
        yield calls
    finally:
        layer_class.__call__ = original


def _recording(original: Callable[..., Any], places: Mapping[int, Place], calls: list[Call]) -> Callable[..., Any]:
    inside: list[Any] = []

    def recorded(layer: Any, *args: Any, **kwargs: Any) -> Any:
        place = places.get(id(layer))
        graph = tf.compat.v1.get_default_graph()
        if place is None or inside or tf.executing_eagerly():
            return original(layer, *args, **kwargs)
        before = len(graph.get_operations())
        inside.append(layer)
        try:
            return original(layer, *args, **kwargs)
        finally:
            inside.pop()
            made = frozenset(operation.name for operation in graph.get_operations()[before:])
            calls.append(Call(place, layer, (_specs(args), _specs(kwargs)), made))

    return recorded


def _specs(arguments: Any) -> Any:
    def spec(value: Any) -> Any:
        return tf.TensorSpec(value.shape, value.dtype) if isinstance(value, tf.Tensor) else value

    return tf.nest.map_structure(spec, arguments)


def operations_by_place(calls: list[Call]) -> dict[str, Place]:
    """Each operation that a layer made, by its name in the graph."""
    return {name: call.place for call in calls for name in call.operations}


def maker_of(tensor: Any, known: Mapping[str, Place]) -> Place | None:
    """The layer that gives a tensor of a traced function, past the operations that only hand it on."""
    operation = tensor.op
    while operation.name not in known and len(operation.inputs) == 1:
        operation = operation.inputs[0].op
    return known.get(operation.name)


def places_with_outputs(function: Any, names: Mapping[str, str], known: Mapping[str, Place]) -> dict[str, Place]:
    """The layers by the names of their operations and of the output tensors, which TensorFlow calls otherwise.

    Args:
        function: The traced function.
        names: What the converted file calls each output's tensor, by name of the output.
        known: `operations_by_place`.
    """
    makers = {
        names[output]: maker_of(tensor, known)
        for output, tensor in zip(sorted(function.structured_outputs), function.outputs, strict=True)
        if output in names
    }
    return {**known, **{name: place for name, place in makers.items() if place is not None}}


def places_of(graph: Any, kind: str, known: Mapping[str, Place]) -> list[Place | str]:
    """Where operations of a kind come from.

    Args:
        graph: A `GraphDef` with its library of functions, or None.
        kind: A kind of operation: `Cholesky`.
        known: `operations_by_place`.

    Returns:
        Layers; where none is known, the operation's name in the graph. Each once, in order.
    """
    if graph is None:
        return []
    functions = {function.signature.name: function for function in graph.library.function}
    return list(dict.fromkeys(_search(graph.node, kind, known, functions, frozenset())))


def _search(
    nodes: Any, kind: str, known: Mapping[str, Place], functions: Mapping[str, Any], seen: frozenset[str]
) -> Iterator[Place | str]:
    for node in nodes:
        called = [name for name in _called(node) if name in functions and name not in seen]
        inner = [
            found for name in called
            for found in _search(functions[name].node_def, kind, known, functions, seen | {name})
        ]
        if node.op == kind or inner:
            place = known.get(node.name)
            yield from [place] if place else inner or [node.name]


def _called(node: Any) -> Iterator[str]:
    """Names of the functions that an operation calls: a loop's body, a branch, a function."""
    for attribute in node.attr.values():
        if attribute.HasField("func"):
            yield attribute.func.name
        yield from (function.name for function in attribute.list.func)
