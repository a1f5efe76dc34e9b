"""Fully connected operations of a float flatbuffer as 1x1 convolutions.

Runtimes up to TensorFlow Lite 2.9 and the Edge TPU's compiler take one scale for all weights of FULLY_CONNECTED, and
one for each channel of CONV_2D. `forms.dense` does the same for Keras layers; this serves products of other origins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit_converters.lowering.flatbuffer_editing import CODES, Editor, packed, unpacked

_INPUT, _WEIGHTS, _BIAS = range(3)


def with_convolutions(flatbuffer: bytes) -> tuple[bytes, int]:
    """Rewrite FULLY_CONNECTED with constant float weights as RESHAPE, CONV_2D and RESHAPE.

    Args:
        flatbuffer: A float model.

    Returns:
        The model, and how many operations were rewritten: the same bytes where none was.
    """
    model = unpacked(flatbuffer)
    graph = model.subgraphs[0]
    editor = Editor(model, graph)
    operators: list[Any] = []
    count = 0
    for operator in editor.operators:
        fits = editor.code(operator) == CODES.FULLY_CONNECTED and _has_constants(model, editor, operator)
        operators += _convolution(graph, editor, operator) if fits else [operator]
        count += fits
    graph.operators = operators
    return (packed(model), count) if count else (flatbuffer, 0)


def _has_constants(model: Any, editor: Editor, operator: Any) -> bool:
    weights = model.subgraphs[0].tensors[operator.inputs[_WEIGHTS]]
    known = all(size > 0 for size in editor.shape(operator.inputs[_INPUT]))
    alone = len(editor.users(operator.inputs[_WEIGHTS])) == 1
    constant = editor.is_float(operator.inputs[_WEIGHTS]) and model.buffers[weights.buffer].data is not None
    return known and alone and constant


def _convolution(graph: Any, editor: Editor, operator: Any) -> list[Any]:
    end = int(operator.outputs[0])
    weights = graph.tensors[operator.inputs[_WEIGHTS]]
    units, depth = (int(size) for size in weights.shape)
    places = int(np.prod(editor.shape(operator.inputs[_INPUT]))) // depth
    weights.shape = np.array([units, 1, 1, depth], np.int32)
    picture = editor.between(operator.inputs[_INPUT], ";picture", [1, 1, places, depth])
    result = editor.between(end, ";convolution", [1, 1, places, units])
    has_bias = len(operator.inputs) > _BIAS and operator.inputs[_BIAS] >= 0
    bias = int(operator.inputs[_BIAS]) if has_bias else editor.array(np.zeros(units, np.float32), "zeros")
    made = editor.operator("CONV_2D", [picture, int(operator.inputs[_WEIGHTS]), bias], result)
    made.builtinOptions.padding = schema.Padding.VALID
    made.builtinOptions.strideH = made.builtinOptions.strideW = 1
    made.builtinOptions.dilationHFactor = made.builtinOptions.dilationWFactor = 1
    made.builtinOptions.fusedActivationFunction = operator.builtinOptions.fusedActivationFunction
    shapes = (editor.shape(picture), editor.shape(end))
    first, last = (editor.array(np.array(shape, np.int32), "shape") for shape in shapes)
    return [
        editor.operator("RESHAPE", [int(operator.inputs[_INPUT]), first], picture), made,
        editor.operator("RESHAPE", [result, last], end),
    ]
