"""What a model costs to run, counted from its file: arithmetic, parameters, memory for activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np

from edgekit.tflite import ModelFile, Operator, Subgraph, Tensor

_HALF_BYTES = {"int4": 0.5, "uint4": 0.5, "int2": 0.25}


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of one run of a model's main graph.

    Attributes:
        macs: Multiply-accumulates. One is a multiplication and an addition, as "mult-adds" in Howard et al. 2017
            (MobileNets). Counted for convolutions, dense layers, matrix products and recurrent layers, one for each
            weight that each output number takes; padding counts as data. Other operations count 0.
        parameters: Numbers among the constants that a training could have set: floats, and quantized integers.
        parameter_bytes: What these take in the file.
        activation_bytes: The most that tensors take which must exist at the same time, in the order of the file. What
            a runtime needs at least: it plans places for them (Pisarchyk & Lee 2020), and kernels take some
            more for themselves.
        by_type: Multiply-accumulates by type of operation, the most first.
        operations: Multiply-accumulates by operation, in execution order.
    """

    macs: int
    parameters: int
    parameter_bytes: int
    activation_bytes: int
    by_type: Mapping[str, int]
    operations: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "operations": list(self.operations)}


def costs_of(file: ModelFile) -> Costs:
    """Count.

    Args:
        file: The model, without the sizes left open that only a run knows.
    """
    graph = file.main
    operations = tuple(macs_of(operator, graph) for operator in graph.operators)
    by_type: dict[str, int] = {}
    for operator, macs in zip(graph.operators, operations, strict=True):
        if macs:
            by_type[operator.label] = by_type.get(operator.label, 0) + macs
    weights = [tensor for tensor in graph.tensors if _is_parameter(tensor) and tensor.index in graph.used]
    return Costs(
        macs=sum(operations),
        parameters=sum(prod(tensor.static_shape) for tensor in weights),
        parameter_bytes=sum(tensor.nbytes for tensor in weights),
        activation_bytes=_most_at_once(graph),
        by_type=dict(sorted(by_type.items(), key=lambda item: -item[1])),
        operations=operations,
    )


def macs_of(operator: Operator, graph: Subgraph) -> int:
    """Multiply-accumulates of one operation for one run; 0 for those without a kernel."""
    if operator.type in _RECURRENT:
        return _recurrent(operator, graph)
    first, kernel, third = (_shape(operator.inputs, place, graph) for place in range(3))
    count = _COUNTS.get(operator.type)
    if count is None or not kernel:
        return 0
    # A transposed convolution takes each number of its input to a whole kernel; the others make each of the output.
    over = third if operator.type == "TRANSPOSE_CONV" else _shape(operator.outputs, 0, graph)
    return prod(over) * count(kernel, first)


_Shape = tuple[int, ...]
_COUNTS: Mapping[str, Callable[[_Shape, _Shape], int]] = {
    "CONV_2D": lambda kernel, _: prod(kernel[1:]),
    "CONV_3D": lambda kernel, _: prod(kernel[:-1]),
    "DEPTHWISE_CONV_2D": lambda kernel, _: prod(kernel[1:3]),
    "FULLY_CONNECTED": lambda kernel, _: kernel[-1],
    "TRANSPOSE_CONV": lambda kernel, _: prod(kernel[:3]),
    "BATCH_MATMUL": lambda _, first: (0, *first)[-1],
}
"""For each number of the output, from the shapes of the kernel and of the first input."""
_RECURRENT = frozenset({"UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "LSTM", "RNN"})


def _recurrent(operator: Operator, graph: Subgraph) -> int:
    """Each step takes every weight once."""
    matrices = [
        graph.tensors[index].static_shape for index in operator.inputs[1:]
        if index >= 0 and graph.tensors[index].constant and len(graph.tensors[index].static_shape) == 2
    ]
    steps = prod(_shape(operator.inputs, 0, graph)[:-1])
    return steps * sum(prod(shape) for shape in matrices)


def _shape(indices: tuple[int, ...], place: int, graph: Subgraph) -> tuple[int, ...]:
    index = indices[place] if place < len(indices) else -1
    return graph.tensors[index].static_shape if index >= 0 else ()


def _is_parameter(tensor: Tensor) -> bool:
    """Axes, shapes and paddings are constants too, of integers that stand for themselves."""
    return tensor.constant and (tensor.dtype.startswith("float") or tensor.quantization is not None)


def _most_at_once(graph: Subgraph) -> int:
    """From where it is computed to where it is last read, a tensor takes its place."""
    last_use = {index: place for place, operator in enumerate(graph.operators) for index in operator.inputs}
    last_use |= dict.fromkeys(graph.outputs, len(graph.operators))
    made = dict.fromkeys(graph.inputs, 0)
    for place, operator in enumerate(graph.operators):
        made |= {index: place for index in operator.outputs if index not in made}
    change = [0.0] * (len(graph.operators) + 2)
    for index, start in made.items():
        tensor = graph.tensors[index]
        if not tensor.constant:
            change[start] += _size(tensor)
            change[max(start, last_use.get(index, start)) + 1] -= _size(tensor)
    return int(max(np.cumsum(change), default=0))


def _size(tensor: Tensor) -> float:
    width = _HALF_BYTES.get(tensor.dtype)
    try:
        width = width or np.dtype(tensor.dtype).itemsize
    except TypeError:  # a type that NumPy does not know
        width = 0
    return prod(tensor.static_shape) * width
