"""Models of 2 kB, built by hand, so that tests need neither TensorFlow nor data.

Run when a test first asks for one: tflite-runtime, the interpreter of 32-bit boards, brings no schema to build with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import pytest

schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="needs the schema of ai-edge-litert")

SIDE = 8
CLASSES = 10


def pack(model: Any) -> bytes:
    """The bytes of a ModelT."""
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _quantization(scale: float, zero_point: int) -> Any:
    quantization = schema.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = [scale], [zero_point]
    return quantization


def _tensor(name: str, shape: list[int], type_: int, real: tuple[float, int], buffer: int = 0) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), shape, type_, buffer
    tensor.quantization = _quantization(*real)
    return tensor


def _operator(code: int, inputs: list[int], outputs: list[int], options_type: int, options: Any) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    operator.builtinOptionsType, operator.builtinOptions = options_type, options
    return operator


def _code(builtin: int, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.deprecatedBuiltinCode = code.builtinCode = builtin
    code.version = version
    return code


def _buffer(values: Any = None) -> Any:
    buffer = schema.BufferT()
    buffer.data = None if values is None else np.frombuffer(values.tobytes(), np.uint8)
    return buffer


def _map(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry


def weights() -> Any:
    """Class k looks for light at the pixels whose number ends in k."""
    pixels = np.arange(SIDE * SIDE)
    return np.where(pixels % CLASSES == np.arange(CLASSES)[:, None], 100, -10).astype(np.int8)


def classifier() -> Any:
    """A ModelT: gray picture (1, 8, 8, 1) of 0 to 1, FULLY_CONNECTED, SOFTMAX, ten scores."""
    options = schema.BuiltinOptions
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    int8, int32 = schema.TensorType.INT8, schema.TensorType.INT32
    graph = schema.SubGraphT()
    graph.name = b"main"
    graph.tensors = [
        _tensor("serving_default_image:0", [1, SIDE, SIDE, 1], int8, (1 / 255, -128)),
        _tensor("dense/weights", [CLASSES, SIDE * SIDE], int8, (0.01, 0), buffer=1),
        _tensor("dense/bias", [CLASSES], int32, (0.01 / 255, 0), buffer=2),
        _tensor("dense/logits", [1, CLASSES], int8, (0.1, 0)),
        _tensor("StatefulPartitionedCall:0", [1, CLASSES], int8, (1 / 256, -128)),
    ]
    graph.inputs, graph.outputs = [0], [4]
    graph.operators = [
        _operator(0, [0, 1, 2], [3], options.FullyConnectedOptions, schema.FullyConnectedOptionsT()),
        _operator(1, [3], [4], options.SoftmaxOptions, softmax),
    ]
    signature = schema.SignatureDefT()
    signature.inputs, signature.outputs = [_map("image", 0)], [_map("scores", 4)]
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    runtime = schema.MetadataT()
    runtime.name, runtime.buffer = b"min_runtime_version", 3

    model = schema.ModelT()
    model.version, model.description = 3, b"tiny classifier"
    builtin = schema.BuiltinOperator
    model.operatorCodes = [_code(builtin.FULLY_CONNECTED, 4), _code(builtin.SOFTMAX, 2)]
    model.subgraphs, model.signatureDefs, model.metadata = [graph], [signature], [runtime]
    version = np.frombuffer(b"1.14.0".ljust(16, b"\0"), np.uint8)
    model.buffers = [_buffer(), _buffer(weights()), _buffer(np.zeros(CLASSES, np.int32)), _buffer(version)]
    return model


def _described(name: str, shape: Sequence[int], dtype: str, scale: float | None = None, zero_point: int = 0) -> Any:
    """A TensorT; -1 in the shape is an open dimension, which the interpreter starts with as 1."""
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name.encode(), [abs(size) for size in shape], 0
    tensor.type = getattr(schema.TensorType, dtype.upper())
    if min(shape) < 0:
        tensor.shapeSignature = list(shape)
    if scale is not None:
        tensor.quantization = _quantization(scale, zero_point)
    return tensor


def chain(operators: Sequence[str], size: int) -> Any:
    """A ModelT of operators one behind the other, each of one input and output: float32 of shape (1, size)."""
    graph, model, kinds = schema.SubGraphT(), schema.ModelT(), sorted(set(operators))
    graph.tensors = [_described(f"t{at}", (1, size), "float32") for at in range(len(operators) + 1)]
    graph.inputs, graph.outputs = [0], [len(operators)]
    graph.operators = [_operator(kinds.index(name), [at], [at + 1], 0, None) for at, name in enumerate(operators)]
    model.operatorCodes = [_code(getattr(schema.BuiltinOperator, name), 1) for name in kinds]
    for code in model.operatorCodes:
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    model.version, model.subgraphs, model.buffers = 3, [graph], [_buffer()]
    return model


def one_operator(operator: str, inputs: Sequence[Any], outputs: Sequence[Any], code: str = "") -> Any:
    """A ModelT of one operator; inputs and outputs are given as arguments of `_described`."""
    graph, step, model = schema.SubGraphT(), schema.OperatorT(), schema.ModelT()
    kind = _code(getattr(schema.BuiltinOperator, operator), 1)
    kind.deprecatedBuiltinCode = min(kind.builtinCode, 127)
    kind.customCode = code.encode() if code else None
    graph.tensors = [_described(*tensor) for tensor in (*inputs, *outputs)]
    graph.inputs = step.inputs = list(range(len(inputs)))
    graph.outputs = step.outputs = list(range(len(inputs), len(graph.tensors)))
    step.opcodeIndex, graph.operators = 0, [step]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [kind], [graph], [_buffer()]
    return model
