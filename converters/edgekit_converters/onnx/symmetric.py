"""Quantization as TensorRT takes it: symmetric int8, where it computes in int8; real numbers in and out.

TFLite's activations have zero points. TensorRT's have none (docs.nvidia.com/deeplearning/tensorrt, "Working with
Quantized Types"), so each range is widened to the symmetric one that holds it: scale = max(|lowest|, |highest|) / 127.
Weights are symmetric in TFLite too, and stay bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from edgekit.tflite import Quantization, Tensor
from edgekit_converters.onnx.graphs import Graph

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
HIGHEST = 127
COMPUTES = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operations that int8 makes fast: what they take stays quantized, and so does a sum with what a convolution gives,
which TensorRT computes together with it. All else it computes in float, where rounding would only lose accuracy."""
PASSES = frozenset({
    "AveragePool", "Concat", "Flatten", "GlobalAveragePool", "Identity", "MaxPool", "Pad", "Reshape", "Resize", "Slice",
    "Split", "Squeeze", "Transpose", "Unsqueeze", QUANTIZE, DEQUANTIZE,
})
"""Operations that hand on what they get: quantized where something behind them is fast for it."""


@dataclass(frozen=True, slots=True)
class _Parameters:
    """Scale and zero point of one tensor."""

    scale: float
    zero_point: int
    dtype: str

    @property
    def symmetric(self) -> float:
        """The scale of int8 without a zero point that holds the same range."""
        limits = np.iinfo(self.dtype)
        steps = max(limits.max - self.zero_point, self.zero_point - limits.min)
        if self.zero_point == 0 and self.dtype == "int8":
            return self.scale
        return self.scale * steps / HIGHEST


def make_symmetric(model: onnx.ModelProto, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
    """Bring a translated int8 network into the form for TensorRT, in its place.

    Args:
        model: As tf2onnx translates it, with the quantization of each tensor as the `.tflite` has it.
        inputs: The inputs as the `.tflite` has them, by their names in the graph.
        outputs: Likewise.
    """
    graph = Graph(model)
    for name, tensor in inputs.items():
        if tensor.quantization:
            _take_real(graph, name, tensor, tensor.quantization)
    for name, tensor in outputs.items():
        if tensor.quantization:
            _give_real(graph, name, tensor, tensor.quantization)
    constants = []
    _free_moved_constants(graph)
    for node in graph.nodes:
        if node.op_type == DEQUANTIZE and graph.is_constant(node.input[0]):
            constants.append(node)
        elif node.op_type in (QUANTIZE, DEQUANTIZE):
            _settle(graph, node, _parameters(graph, node))
    _fold(graph, [node for node in constants if not _stays(graph, node)])
    _drop_useless(graph)
    graph.tidy()


def make_real(model: onnx.ModelProto) -> None:
    """Give a network that computes in float its weights in float, in its place."""
    graph = Graph(model)
    _fold(graph, [
        node for node in graph.nodes if node.op_type == DEQUANTIZE and graph.is_constant(node.input[0])
    ])
    graph.tidy()


def _free_moved_constants(graph: Graph) -> None:
    """Give constants in float that are dequantized only after they were moved, such as the rows of an embedding."""
    makers, others, done = graph.makers(), {}, []
    for node in graph.nodes:
        first = _first_mover(makers, node) if node.op_type == DEQUANTIZE else None
        if first is None or not graph.is_constant(first.input[0]):
            continue
        values, scale, zero_point = (graph.values(name) for name in (first.input[0], *node.input[1:3]))
        if values.dtype.kind in "iu":  # else another of its dequantizations was here before
            real = _dequantized(values, scale, zero_point, _axis(node))
            first.input[0] = graph.constant(f"{first.input[0]}_real", real)
        others[node.output[0]] = node.input[0]
        done.append(node)
    graph.remove(done)
    graph.replace_taken(others)


def _first_mover(makers: Mapping[str, Any], node: Any) -> Any:
    """The first of the operations that moved what a dequantization takes; None where it was not moved."""
    first = None
    while (maker := makers.get(node.input[0])) is not None and maker.op_type not in (QUANTIZE, DEQUANTIZE):
        first = node = maker
    return first


def _parameters(graph: Graph, node: Any) -> _Parameters:
    scale, zero_point = (graph.values(name) for name in node.input[1:3])
    return _Parameters(float(scale), int(zero_point), str(zero_point.dtype))


def _settle(graph: Graph, node: Any, parameters: _Parameters) -> None:
    """Give an operation the symmetric scale."""
    scale, zero = _constants(graph, parameters.symmetric)
    node.input[1], node.input[2] = scale, zero


def _constants(graph: Graph, scale: float) -> tuple[str, str]:
    value = np.float32(scale)
    return graph.constant(f"scale_{value:.6g}", np.asarray(value)), graph.constant("zero", np.asarray(0, np.int8))


def _stays(graph: Graph, node: Any) -> bool:
    """Whether a constant is symmetric as it is, as weights are; biases are of 32 bits, which TensorRT does not take."""
    values, _, zero_point = (graph.values(name) for name in node.input[:3])
    return bool(values.dtype == np.int8 and not np.any(zero_point))


def _fold(graph: Graph, nodes: Sequence[Any]) -> None:
    """Put the real numbers of constants in the place of what computes them."""
    others = {}
    for node in nodes:
        values, scale, zero_point = (graph.values(name) for name in node.input[:3])
        real = _dequantized(values, scale, zero_point, _axis(node))
        others[node.output[0]] = graph.constant(f"{node.output[0]}_real", real)
    graph.remove(nodes)
    graph.replace_taken(others)


def _dequantized(
    values: NDArray[Any], scale: NDArray[Any], zero_point: NDArray[Any], axis: int
) -> NDArray[np.float32]:
    shape = [-1 if at == axis else 1 for at in range(values.ndim)] if scale.ndim else []
    real = (values.astype(np.float64) - zero_point.reshape(shape)) * scale.reshape(shape).astype(np.float64)
    return np.asarray(real, np.float32)


def _axis(node: Any) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)


def _take_real(graph: Graph, name: str, tensor: Tensor, quantization: Quantization) -> None:
    """Let an input take real numbers, which the network quantizes itself."""
    quantized = graph.free(f"{name}_quantized")
    graph.replace_taken({name: quantized})
    parameters = _Parameters(quantization.scales[0], quantization.zero_points[0], tensor.dtype)
    graph.add(0, QUANTIZE, (name, *_constants(graph, parameters.symmetric)), quantized)
    _as_float(graph.proto.input, name)


def _give_real(graph: Graph, name: str, tensor: Tensor, quantization: Quantization) -> None:
    """Let an output give real numbers: as they are before they would be quantized, where that is all that is done."""
    makers, takers = graph.makers(), graph.takers()[name]
    maker, ends = makers[name], {item.name for item in graph.proto.output}
    if maker.op_type == QUANTIZE and not takers and maker.input[0] in makers and maker.input[0] not in ends:
        before = maker.input[0]
        graph.remove([maker])
        graph.rename({before: name})
    else:
        quantized = graph.free(f"{name}_quantized")
        graph.replace_taken({name: quantized})
        maker.output[list(maker.output).index(name)] = quantized
        parameters = _Parameters(quantization.scales[0], quantization.zero_points[0], tensor.dtype)
        graph.add(len(graph.nodes), DEQUANTIZE, (quantized, *_constants(graph, parameters.symmetric)), name)
    _as_float(graph.proto.output, name)


def _as_float(items: Any, name: str) -> None:
    for item in items:
        if item.name == name:
            item.type.tensor_type.elem_type = TensorProto.FLOAT


def _drop_useless(graph: Graph) -> None:
    """Leave out pairs of quantizing and dequantizing after which nothing is computed in int8."""
    makers, ends, uses = graph.makers(), {item.name for item in graph.proto.output}, _Uses(graph)
    useless, others, names = [], {}, {}
    for node in graph.nodes:
        maker = makers.get(node.input[0]) if node.op_type == DEQUANTIZE else None
        if maker is None or maker.op_type != QUANTIZE or uses.in_int8(node.output[0]):
            continue
        before, after = maker.input[0], node.output[0]
        if after not in ends:
            others[after] = before
        elif before in makers and before not in ends:  # an output has to keep its name
            names[before] = after
        else:
            continue
        useless.append(node)
    graph.remove(useless)
    graph.replace_taken(others)
    graph.rename(names)
    taken = graph.takers()
    graph.remove([node for node in graph.nodes if node.op_type == QUANTIZE and not taken[node.output[0]]])


class _Uses:
    """What becomes of tensors: whether something computes in int8 with them."""

    def __init__(self, graph: Graph) -> None:
        self._makers, self._takers = graph.makers(), graph.takers()
        self._known: dict[str, bool] = {}

    def in_int8(self, name: str) -> bool:
        """Whether a tensor goes, handed on or not, where int8 is fast."""
        if name not in self._known:
            self._known[name] = any(self._is_fast(node) for node in self._takers.get(name, ()))
        return self._known[name]

    def _is_fast(self, node: Any) -> bool:
        if node.op_type == "Add":
            return any(map(self._is_of_convolution, node.input))
        if node.op_type in PASSES:
            return any(map(self.in_int8, node.output))
        return node.op_type in COMPUTES

    def _is_of_convolution(self, name: str) -> bool:
        node = self._makers.get(name)
        while node is not None and node.op_type in (QUANTIZE, DEQUANTIZE):
            node = self._makers.get(node.input[0])
        return node is not None and node.op_type == "Conv"
