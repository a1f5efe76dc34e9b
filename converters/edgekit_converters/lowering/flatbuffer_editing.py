"""A TFLite flatbuffer as objects that can be changed, and back again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

CODES = schema.BuiltinOperator
_INTEGERS = {schema.TensorType.INT32: np.int32, schema.TensorType.INT64: np.int64}
_LARGEST_DEPRECATED = 127
"""Numbers above go into the newer field alone (schema.fbs, `deprecated_builtin_code`)."""


def unpacked(flatbuffer: bytes) -> Any:
    """A model's bytes as a `ModelT`."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))


def packed(model: Any) -> bytes:
    """The bytes of a `ModelT`, which declare no operation that is not used."""
    _drop_unused_codes(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def share_buffers(model: Any) -> None:
    """Hold equal constants of a `ModelT` once, and let all that is computed have one empty buffer.

    An unrolled layer has its weights as often as it has steps, and an empty buffer takes some 50 bytes.
    """
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    kept: dict[bytes, int] = {b"": 0}
    buffers = [model.buffers[0]]
    for holder in (*tensors, *(model.metadata or [])):
        data = model.buffers[holder.buffer].data
        values = b"" if data is None else bytes(data)
        if values not in kept:
            kept[values] = len(buffers)
            buffers.append(model.buffers[holder.buffer])
        holder.buffer = kept[values]
    model.buffers = buffers


def _drop_unused_codes(model: Any) -> None:
    """The calibrator refuses a file that declares an operation which it cannot log, used or not."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators or []]
    used = sorted({int(operator.opcodeIndex) for operator in operators})
    places = {old: new for new, old in enumerate(used)}
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for operator in operators:
        operator.opcodeIndex = places[int(operator.opcodeIndex)]


def add_buffer(model: Any, values: NDArray[Any]) -> int:
    """The number of a new buffer of a `ModelT` that holds some values."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def code_of(model: Any, operator: Any) -> int:
    """The number of an operator's kind in a `ModelT`, as in `CODES`."""
    return _number(model.operatorCodes[operator.opcodeIndex])


def _number(code: Any) -> int:
    """Old files have it in the older of two fields."""
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


class Editor:
    """One graph, and what is needed to change it."""

    def __init__(self, model: Any, graph: Any) -> None:
        self._model, self._graph = model, graph

    @property
    def operators(self) -> list[Any]:
        """All operators, in execution order."""
        return self._graph.operators or []

    def code(self, operator: Any) -> int:
        """The number of an operator's kind, as in `CODES`."""
        return code_of(self._model, operator)

    def is_float(self, index: int) -> bool:
        """Whether a tensor is of float32."""
        return bool(self._graph.tensors[index].type == schema.TensorType.FLOAT32)

    def is_bool(self, index: int) -> bool:
        """Whether a tensor is a mask."""
        return bool(self._graph.tensors[index].type == schema.TensorType.BOOL)

    def is_output(self, index: int) -> bool:
        """Whether a tensor is among the graph's outputs."""
        return index in list(self._graph.outputs)

    def users(self, index: int) -> list[Any]:
        """The operators that take a tensor."""
        return [operator for operator in self.operators if index in list(operator.inputs)]

    def remove(self, unwanted: Any) -> None:
        """Leave out an operator."""
        self._graph.operators = [operator for operator in self.operators if operator is not unwanted]

    def rename(self, index: int, like: int) -> None:
        """Give a tensor the name of another, which a layer's scope is part of."""
        self._graph.tensors[index].name = self._graph.tensors[like].name

    def shape(self, index: int) -> list[int]:
        """A tensor's sizes."""
        return [int(size) for size in self._graph.tensors[index].shape]

    def maker(self, index: int) -> Any | None:
        """The operator that computes a tensor; None for an input of the graph and for a constant."""
        return next((operator for operator in self.operators if index in list(operator.outputs)), None)

    def integers(self, index: int) -> list[int]:
        """The values of a constant tensor of int32 or int64; empty for any other."""
        tensor = self._graph.tensors[index]
        data = self._model.buffers[tensor.buffer].data
        dtype = _INTEGERS.get(tensor.type)
        return [] if data is None or dtype is None else np.frombuffer(bytes(data), dtype).tolist()

    def constant(self, value: float, name: str, shape: Sequence[int] = (1,)) -> int:
        """The number of a new tensor that holds one float everywhere."""
        return self.array(np.full(shape, value, np.float32), name)

    def array(self, values: NDArray[np.float32] | NDArray[np.int32], name: str) -> int:
        """The number of a new constant tensor."""
        index = self._add(name, np.array(values.shape, np.int32), add_buffer(self._model, values))
        if values.dtype == np.int32:
            self._graph.tensors[index].type = schema.TensorType.INT32
        return index

    def between(self, like: int, suffix: str, shape: Sequence[int] = ()) -> int:
        """The number of a new computed float tensor, of another's shape unless one is given."""
        origin = self._graph.tensors[like]
        return self._add(origin.name.decode() + suffix, np.array(shape, np.int32) if shape else origin.shape, 0)

    def _add(self, name: str, shape: NDArray[np.int32], buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, shape, buffer
        tensor.type = schema.TensorType.FLOAT32
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def operator(self, name: str, inputs: list[int], output: int) -> Any:
        """A new operator, without a fused activation."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self._opcode(getattr(CODES, name))
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options := _OPTIONS[name]:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")()
        return operator

    def _opcode(self, builtin: int) -> int:
        for index, code in enumerate(self._model.operatorCodes):
            if _number(code) == builtin and code.version == 1:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, _LARGEST_DEPRECATED), 1
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1


_OPTIONS = {
    "MUL": "MulOptions", "SUB": "SubOptions", "ABS": "AbsOptions", "GREATER": "GreaterOptions",
    "LESS_EQUAL": "LessEqualOptions", "ADD": "AddOptions", "PRELU": "", "RELU": "", "SLICE": "SliceOptions",
    "CONCATENATION": "ConcatenationOptions", "TRANSPOSE_CONV": "TransposeConvOptions",
    "SELECT_V2": "SelectV2Options", "MEAN": "ReducerOptions", "CONV_2D": "Conv2DOptions", "RESHAPE": "ReshapeOptions",
}
