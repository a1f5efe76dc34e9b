"""What the parts of a model have to be for an interpreter to take them without dying of them.

TensorFlow Lite looks through few of the numbers in a file, and ends the whole process by a segmentation fault for
others. Every check here stands for a file that did so, or for a number next to one that did.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from math import isfinite, prod

from edgekit.tflite.flatbuffer import DamagedError, Record
from edgekit.tflite.model_file import Operator, Quantization, Subgraph, Tensor

MOST_ELEMENTS = 2**33
SMALLEST_SCALE = 2.0**-126
"""The smallest normal float32: the reciprocal of a smaller one may be infinite."""
ZERO_POINTS = {"int4": (-8, 7), "int8": (-(2**7), 2**7 - 1), "uint8": (0, 2**8 - 1), "int16": (-(2**15), 2**15 - 1)}

_LSTM = frozenset({1, 5, 9, 10, 11, 12, 16, 17, 20, 21, 22, 23})
_FROM_1 = range(1, 2**31)
OPTIONAL_INPUTS: Mapping[str, Container[int]] = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": _FROM_1,
    "BIDIRECTIONAL_SEQUENCE_RNN": _FROM_1,
    "CONV_2D": {2},
    "CONV_3D": {2},
    "CONV_3D_TRANSPOSE": {3},
    "DEPTHWISE_CONV_2D": {2},
    "FULLY_CONNECTED": {2},
    "LSH_PROJECTION": {2},
    "LSTM": _LSTM,
    "SVDF": {3},
    "TRANSPOSE_CONV": {3},
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _LSTM,
}
"""Places of the inputs that may be left out, which is written as -1; mostly the bias."""
_UNKNOWN = ("CUSTOM", "DELEGATE", "OPERATOR_", "STABLEHLO_")
"""Operators of whose inputs and outputs nothing is known here."""

WITHOUT_OUTPUTS = ("ASSIGN_VARIABLE", "CALL", "CALL_ONCE", "HASHTABLE_IMPORT", "IF", "WHILE")
PARTS = {"SPLIT": "num_splits", "SPLIT_V": "num_splits", "UNPACK": "num"}
"""Operators with as many outputs as an option of theirs says."""


def check_parts(operator: str, outputs: int, options: Record | None) -> None:
    """See that an operator which takes a tensor to pieces has a place for each of them.

    Raises:
        DamagedError: it has more, or fewer.
    """
    option = PARTS.get(operator)
    if option and options is not None and options.number(option) != outputs:
        raise DamagedError(f"{operator} makes {options.number(option)} parts and has {outputs} outputs")


def check_graph(graph: Subgraph) -> None:
    """Look through one graph.

    Raises:
        DamagedError: a number in it is impossible.
    """
    for tensor in graph.tensors:
        _check_shape(tensor)
        if tensor.quantization:
            _check_quantization(tensor, tensor.quantization)
    for operator in graph.operators:
        if not operator.type.startswith(_UNKNOWN):
            _check_inputs(operator)
            _check_outputs(operator)


def _check_shape(tensor: Tensor) -> None:
    shape = tensor.static_shape
    if any(size < 0 for size in shape) or any(size < -1 for size in tensor.shape):
        raise DamagedError(f"tensor {tensor.index} has a dimension below 0 in its shape {list(shape)}")
    if prod(shape) > MOST_ELEMENTS:
        raise DamagedError(f"tensor {tensor.index} has the impossible shape {list(shape)}")


def _check_quantization(tensor: Tensor, parameters: Quantization) -> None:
    for scale in parameters.scales:
        # 0 is how old converters say that there is none.
        if scale and not (isfinite(scale) and scale >= SMALLEST_SCALE):
            raise DamagedError(f"tensor {tensor.index} has the impossible scale {scale:g}")
    if not any(parameters.scales) and any(parameters.zero_points):
        raise DamagedError(f"tensor {tensor.index} has a zero point and the impossible scale 0")
    lowest, highest = ZERO_POINTS.get(tensor.dtype, (-(2**63), 2**63))
    for zero_point in parameters.zero_points:
        if not lowest <= zero_point <= highest:
            raise DamagedError(f"tensor {tensor.index} is {tensor.dtype} and has the zero point {zero_point}")


def _check_inputs(operator: Operator) -> None:
    optional = OPTIONAL_INPUTS.get(operator.type, ())
    for place, index in enumerate(operator.inputs):
        if index < 0 and place not in optional:
            raise DamagedError(f"operator {operator.index}, {operator.type}, lacks its input {place}")


def _check_outputs(operator: Operator) -> None:
    if not operator.outputs and operator.type not in WITHOUT_OUTPUTS:
        raise DamagedError(f"operator {operator.index}, {operator.type}, has no output")
