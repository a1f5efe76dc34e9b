"""An operation together with the tensors that it takes and gives: what the rules look at."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from edgekit.tflite import Operator, Subgraph, Tensor

EIGHT_BIT = frozenset({"int8", "uint8"})


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a graph; `inputs` has None for an optional input that is left out."""

    operator: Operator
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]

    @property
    def type(self) -> str:
        """Such as `CONV_2D`."""
        return self.operator.type

    @property
    def data(self) -> tuple[Tensor, ...]:
        """Inputs that are computed: neither constants nor the state that a recurrent operation keeps."""
        return tuple(tensor for tensor in self.inputs if tensor and not tensor.constant and not tensor.variable)

    def input(self, place: int) -> Tensor | None:
        """An input; None where there is none."""
        return self.inputs[place] if place < len(self.inputs) else None

    def shape(self, place: int) -> tuple[int, ...]:
        """Dimensions of an input; empty where there is none."""
        tensor = self.input(place)
        return tensor.static_shape if tensor else ()

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Dimensions of the first output."""
        return self.outputs[0].static_shape if self.outputs else ()

    def option(self, name: str, default: int = 0) -> int:
        """A number of the operation's options."""
        value = self.operator.options.get(name, default)
        return value if isinstance(value, int) else default

    def values(self, place: int) -> tuple[int, ...] | None:
        """The numbers of a constant input; None where they are not known."""
        tensor = self.input(place)
        return tensor.values if tensor else None

    def axes(self, place: int, rank: int) -> frozenset[int]:
        """Axes that a constant input names, counted from 0; none where they are not known."""
        return frozenset(axis % rank for axis in self.values(place) or () if rank)


def steps(graph: Subgraph) -> tuple[Step, ...]:
    """The operations of a graph, in execution order."""
    tensors = graph.tensors
    return tuple(
        Step(
            operator,
            tuple(tensors[index] if index >= 0 else None for index in operator.inputs),
            tuple(tensors[index] for index in operator.outputs),
        )
        for operator in graph.operators
    )


def edges(graph: Subgraph) -> tuple[tuple[int, int], ...]:
    """Pairs of operations where the second takes a result of the first."""
    producers = {tensor: operator.index for operator in graph.operators for tensor in operator.outputs}
    return tuple(
        (producers[tensor], operator.index)
        for operator in graph.operators for tensor in dict.fromkeys(operator.inputs) if tensor in producers
    )


_BYTES = {"float32": 4, "int32": 4, "uint32": 4, "int64": 8, "float64": 8, "int16": 2, "uint16": 2, "float16": 2}


def bytes_of(tensor: Tensor) -> int:
    """Bytes of a tensor's values."""
    return prod(tensor.static_shape) * _BYTES.get(tensor.dtype, 1)
