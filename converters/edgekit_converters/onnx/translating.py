"""A `.tflite` network as an ONNX graph, by tf2onnx: the same operations, weights and quantization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import tf2onnx.convert
from ai_edge_litert import schema_py_generated as schema
from tensorflow.lite.tools.flatbuffer_utils import convert_bytearray_to_object, convert_object_to_bytearray
from tf2onnx.handler import tf_op

from edgekit.errors import ConversionError
from edgekit.tflite import ModelFile, parse_model
from edgekit_converters.onnx import dense, gelu, lstm
from edgekit_converters.onnx.graphs import Graph
from edgekit_converters.onnx.symmetric import make_real, make_symmetric
from edgekit_converters.onnx.types import LEAVE_OUT

OPSET = 15
"""The oldest that has all it takes (13, for scales a channel); JetPack 5's TensorRT 8.4 reads it too."""
VECTORS = ("newShape", "squeezeDims")
"""Options of operations that are vectors, and may be left out."""
IR_VERSION = 8
"""Goes with that opset; onnxruntime refuses files of a newer one than it knows."""


def translate(flatbuffer: bytes, folder: Path, *, quantized: bool) -> onnx.ModelProto:
    """Translate a network; its inputs and outputs keep the names that users know, and are real numbers.

    Args:
        flatbuffer: The `.tflite` file.
        folder: Where a file may be put.
        quantized: Whether it is an int8 network that is to compute in int8; else it computes in float, of whatever
            its weights are.

    Raises:
        ConversionError: ONNX, or tf2onnx, has no form for an operation.
    """
    for handlers in (dense, gelu, lstm):
        handlers.register()
    file = parse_model(flatbuffer)
    _check_operations(file)
    path = folder / "translated.tflite"
    path.write_bytes(_readable(flatbuffer))
    model: onnx.ModelProto
    try:
        model, _ = tf2onnx.convert.from_tflite(str(path), opset=OPSET)
    except ConversionError:
        raise
    except Exception as error:  # tf2onnx raises whatever its handlers do
        raise ConversionError(f"tf2onnx cannot translate the network to ONNX: {error}", hint=LEAVE_OUT) from error
    inputs = {tensor.name: tensor for tensor in file.inputs}
    outputs = {tensor.name: tensor for tensor in file.outputs}
    _check_translated(model, {*inputs, *outputs})
    if quantized:
        make_symmetric(model, inputs, outputs)
    else:
        make_real(model)
    _rename(model, file)
    model.ir_version, model.producer_version = IR_VERSION, f"{tf2onnx.__version__}, through EdgeKit"
    _check_sound(model)
    return model


def _check_operations(file: ModelFile) -> None:
    known = {name for versions in tf_op.get_opsets().values() for names in versions for name in names}
    left = {op.label for op in file.main.operators if f"TFL_{op.label}" not in known}
    if left:
        names = ", ".join(sorted(left))
        raise ConversionError(f"{names} cannot be written as ONNX: tf2onnx does not know it", hint=LEAVE_OUT)


def _readable(flatbuffer: bytes) -> bytes:
    """The network as tf2onnx reads it.

    It takes tensors of one name for one tensor, and stumbles over vectors of options that are left out and over the
    variables of LSTMs: those start from zero, as all do that keep nothing between samples.
    """
    model = convert_bytearray_to_object(flatbuffer)
    _name_apart(model.subgraphs[0])
    code = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    codes = {
        at for at, item in enumerate(model.operatorCodes) if code in (item.builtinCode, item.deprecatedBuiltinCode)
    }
    for operator in model.subgraphs[0].operators:
        for name in VECTORS:
            if getattr(operator.builtinOptions, name, ()) is None:
                setattr(operator.builtinOptions, name, [])
        if operator.opcodeIndex in codes:
            operator.inputs = [-1 if at in lstm.STATES else index for at, index in enumerate(operator.inputs)]
    return bytes(convert_object_to_bytearray(model))


def _name_apart(graph: Any) -> None:
    """Give each tensor a name of its own; inputs and outputs keep theirs."""
    ends = {*graph.inputs, *graph.outputs}
    taken = {graph.tensors[index].name for index in ends}
    for index, tensor in enumerate(graph.tensors):
        if index not in ends:
            if tensor.name in taken:
                tensor.name = b"%b_%d" % (tensor.name, index)
            taken.add(tensor.name)


def _check_translated(model: onnx.ModelProto, ends: set[str]) -> None:
    left = sorted({node.op_type.removeprefix("TFL_") for node in model.graph.node if node.op_type.startswith("TFL_")})
    lost = ends - {item.name for item in (*model.graph.input, *model.graph.output)}
    if left or lost:
        what = f"left {', '.join(left)} as it was" if left else f"lost {', '.join(sorted(lost))}"
        raise ConversionError(f"tf2onnx cannot translate the network to ONNX: it {what}", hint=LEAVE_OUT)


def _check_sound(model: onnx.ModelProto) -> None:
    """Operations that tf2onnx could not translate are told in its log, and left half done."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        said = str(error).partition("\n")[0][:300]
        raise ConversionError(
            f"tf2onnx cannot translate the network to ONNX: what it made is no sound graph ({said})", hint=LEAVE_OUT
        ) from error


def _rename(model: onnx.ModelProto, file: ModelFile) -> None:
    """Give inputs and outputs the names that users know, where another tensor bears one of them another."""
    graph = Graph(model)
    names: dict[str, str] = {}
    for tensors, known in ((file.inputs, file.input_names), (file.outputs, file.output_names)):
        names |= {tensor.name: name for tensor, name in zip(tensors, known, strict=True)}
    theirs: dict[str, Any] = {
        name: graph.free(f"{name}_inner") for name in names.values() if name not in names and graph.free(name) != name
    }
    graph.rename(theirs)
    graph.rename(names)
