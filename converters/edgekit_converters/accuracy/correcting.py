"""Biases that take back what rounding the weights shifts on average.

Source: M. Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019, section
4.2: a layer is linear, so that the mean shift of its results is its response to the mean of its inputs with the
rounding errors for weights. Here the means are those of calibration samples, place by place.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from edgekit_converters.lowering.flatbuffer_editing import CODES, add_buffer, code_of, packed, share_buffers, unpacked

Means = Mapping[str, NDArray[np.float64]]
"""By name of a tensor, the mean of its values over samples, in the tensor's shape."""
_LAYERS = frozenset({CODES.CONV_2D, CODES.DEPTHWISE_CONV_2D, CODES.FULLY_CONNECTED})
_INPUT, _WEIGHTS, _BIAS = 0, 1, 2
_INT32 = np.iinfo(np.int32)
_NO_ACTIVATION = schema.ActivationFunctionType.NONE


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer of an unpacked model with weights and a bias of its own: its operator, and the name of its output."""

    name: str
    operator: Any

    def place(self, end: int) -> int:
        """The number of one of the tensors that go in."""
        return int(self.operator.inputs[end])


def layer_inputs(flatbuffer: bytes) -> frozenset[str]:
    """Names of the tensors whose means `corrected` goes by, in a float model."""
    model = unpacked(flatbuffer)
    return frozenset(_name(model, layer.place(_INPUT)) for layer in _layers(model))


def corrected(quantized: bytes, flatbuffer: bytes, means: Means) -> bytes:
    """A quantized model with biases that bring the mean output of each layer back to that of the float layer.

    Args:
        quantized: The int8 model, made from `flatbuffer`.
        flatbuffer: The float model.
        means: Of the tensors that `layer_inputs` names, in the float model.

    Returns:
        The same operations and ranges; the model itself where no layer has a bias of its own.
    """
    model, original = unpacked(quantized), unpacked(flatbuffer)
    float_layers = {layer.name: layer for layer in _layers(original)}
    pairs = [(layer, float_layers[layer.name]) for layer in _layers(model) if layer.name in float_layers]
    pairs = [pair for pair in pairs if _type(model, pair[0].place(_WEIGHTS)) == schema.TensorType.INT8]
    if not pairs:
        return quantized
    inputs = [means[_name(original, layer.place(_INPUT))] for _, layer in pairs]
    for (layer, float_layer) in pairs:
        _take_difference(original, float_layer, model, layer)
    shifts = _responses(original, [layer for _, layer in pairs], inputs)
    for (layer, _), shift in zip(pairs, shifts, strict=True):
        _shift_bias(model, layer.place(_BIAS), shift)
    share_buffers(model)
    return packed(model)


def _layers(model: Any) -> list[_Layer]:
    graph = model.subgraphs[0]
    found = [operator for operator in graph.operators or [] if code_of(model, operator) in _LAYERS]
    found = [operator for operator in found if len(operator.inputs) > _BIAS and operator.inputs[_BIAS] >= 0]
    users = Counter(int(operator.inputs[_BIAS]) for operator in found)
    return [
        _Layer(_name(model, int(operator.outputs[0])), operator) for operator in found
        if users[int(operator.inputs[_BIAS])] == 1
        and all(_values(model, int(operator.inputs[end])) is not None for end in (_WEIGHTS, _BIAS))
    ]


def _name(model: Any, index: int) -> str:
    return str(model.subgraphs[0].tensors[index].name.decode())


def _type(model: Any, index: int) -> int:
    return int(model.subgraphs[0].tensors[index].type)


_TYPES = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.INT8: np.int8, schema.TensorType.INT32: np.int32}


def _values(model: Any, index: int) -> NDArray[np.float64] | None:
    """The real values of a constant; None for a tensor that is computed, or of another type."""
    tensor = model.subgraphs[0].tensors[index]
    data, dtype = model.buffers[tensor.buffer].data, _TYPES.get(tensor.type)
    if data is None or dtype is None:
        return None
    values = np.frombuffer(bytes(data), dtype).reshape(tensor.shape).astype(np.float64)
    if tensor.type == schema.TensorType.FLOAT32:
        return values
    scales = np.asarray(tensor.quantization.scale, np.float64)
    along = [1] * values.ndim
    along[tensor.quantization.quantizedDimension] = -1
    return values * (scales.reshape(along) if scales.size > 1 else scales)


def _take_difference(original: Any, float_layer: _Layer, model: Any, layer: _Layer) -> None:
    """Give a float layer for weights and bias what rounding took from them, and no activation."""
    operator, tensors = float_layer.operator, original.subgraphs[0].tensors
    ends = np.array(operator.inputs)
    for end in (_WEIGHTS, _BIAS):
        exact, rounded = _values(original, float_layer.place(end)), _values(model, layer.place(end))
        assert exact is not None and rounded is not None  # `_layers` has left out the others
        tensor = copy.copy(tensors[ends[end]])
        tensor.buffer = add_buffer(original, (exact - rounded.reshape(exact.shape)).astype(np.float32))
        tensors.append(tensor)
        ends[end] = len(tensors) - 1
    operator.inputs = ends
    operator.builtinOptions.fusedActivationFunction = _NO_ACTIVATION


def _responses(model: Any, layers: list[_Layer], inputs: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """What each layer of a float model gives for an input, the mean of each channel."""
    graph = model.subgraphs[0]
    model.signatureDefs, graph.operators = [], [layer.operator for layer in layers]
    graph.outputs = np.array([layer.operator.outputs[0] for layer in layers], np.int32)
    graph.inputs = np.array([_own_input(graph, layer.operator) for layer in layers], np.int32)
    interpreter = Interpreter(
        model_content=packed(model), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    for details, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(details["index"], values.reshape(details["shape"]).astype(np.float32))
    interpreter.invoke()
    found = (interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details())
    return [values.reshape(-1, values.shape[-1]).astype(np.float64).mean(axis=0) for values in found]


def _own_input(graph: Any, operator: Any) -> int:
    """The number of a new tensor that stands in for a layer's input."""
    tensor = copy.copy(graph.tensors[operator.inputs[_INPUT]])
    tensor.buffer = 0
    graph.tensors.append(tensor)
    operator.inputs = np.array([len(graph.tensors) - 1, *operator.inputs[1:]], np.int32)
    return len(graph.tensors) - 1


def _shift_bias(model: Any, index: int, shift: NDArray[np.float64]) -> None:
    """Add real numbers to a bias of int32. It gets a buffer of its own: equal biases share one."""
    tensor = model.subgraphs[0].tensors[index]
    bias = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.int32)
    moved = np.round(bias + shift / np.asarray(tensor.quantization.scale, np.float64))
    tensor.buffer = add_buffer(model, np.clip(moved, _INT32.min, _INT32.max).astype(np.int32))
