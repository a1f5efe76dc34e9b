"""Operations of a float flatbuffer in other ones that the Edge TPU has, and that compute the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit_converters.lowering.flatbuffer_editing import CODES, Editor

Replacement = Callable[[Editor, Any], "Sequence[Any] | None"]
"""Gives what stands in the place of an operator; None where it does not fit."""


def _slopes_by_place(editor: Editor, operator: Any) -> Sequence[Any] | None:
    """PRELU with slopes that differ from place to place, as max(x, 0) + slope·(x - max(x, 0))."""
    x, slopes = (int(index) for index in operator.inputs)
    if all(size == 1 for size in editor.shape(slopes)[:-1]):
        return None
    end = operator.outputs[0]
    positive, negative, scaled = (editor.between(end, suffix) for suffix in (";positive", ";negative", ";scaled"))
    return [
        editor.operator("RELU", [x], positive),
        editor.operator("SUB", [x, positive], negative),
        editor.operator("MUL", [negative, slopes], scaled),
        editor.operator("ADD", [positive, scaled], end),
    ]


def _reversed(editor: Editor, operator: Any) -> Sequence[Any] | None:
    """An axis read backwards by a step of -1, as slices of one entry each that are joined the other way round."""
    x, end, options = int(operator.inputs[0]), int(operator.outputs[0]), operator.builtinOptions
    shape, steps = editor.shape(x), editor.integers(operator.inputs[3])
    masks = options.ellipsisMask or options.newAxisMask or options.shrinkAxisMask
    if masks or shape != editor.shape(end) or sorted(steps) != [-1] + [1] * (len(shape) - 1) or steps[0] == -1:
        return None
    axis = steps.index(-1)
    along = np.arange(len(shape)) == axis
    entry = np.where(along, 1, shape).astype(np.int32)
    size = editor.array(entry, "entry")
    parts = [editor.between(end, f";entry{at}", entry.tolist()) for at in range(shape[axis])]
    starts = [editor.array((along * at).astype(np.int32), "start") for at in range(shape[axis])]
    joined = editor.operator("CONCATENATION", parts[::-1], end)
    joined.builtinOptions.axis = axis
    slices = (editor.operator("SLICE", [x, start, size], part) for start, part in zip(starts, parts, strict=True))
    return [*slices, joined]


def _depth_to_space(editor: Editor, operator: Any) -> Sequence[Any] | None:
    """DEPTH_TO_SPACE as a transposed convolution whose kernel is of zeros and ones."""
    x, end = int(operator.inputs[0]), int(operator.outputs[0])
    block, shape, depth = int(operator.builtinOptions.blockSize), editor.shape(end), editor.shape(x)[-1]
    # Channel (row·block + column)·channels + c of a pixel goes to channel c at that row and column.
    pixel = np.eye(depth, dtype=np.float32).reshape(block, block, shape[-1], depth)
    kernel = editor.array(np.ascontiguousarray(pixel.transpose(2, 0, 1, 3)), "kernel")
    made = editor.operator("TRANSPOSE_CONV", [editor.array(np.array(shape, np.int32), "size"), kernel, x], end)
    made.builtinOptions.padding = schema.Padding.VALID
    made.builtinOptions.strideH = made.builtinOptions.strideW = block
    return [made]


def lstms_first(editor: Editor, operators: Sequence[Any]) -> list[Any]:
    """The same operators, with each LSTM as early as its input allows.

    TensorFlow's quantizer leaves one in float that comes after slices of what it takes.
    """
    missing = {int(index) for operator in operators for index in operator.outputs}
    waiting = [operator for operator in operators if editor.code(operator) == CODES.UNIDIRECTIONAL_SEQUENCE_LSTM]
    others = [operator for operator in operators if editor.code(operator) != CODES.UNIDIRECTIONAL_SEQUENCE_LSTM]
    ordered: list[Any] = []
    for operator in (*others, None):
        for lstm in tuple(waiting):
            if int(lstm.inputs[0]) not in missing:
                waiting.remove(lstm)
                ordered.append(lstm)
                missing.difference_update(int(index) for index in lstm.outputs)
        if operator is not None:
            ordered.append(operator)
            missing.difference_update(int(index) for index in operator.outputs)
    return ordered


FORMS: Mapping[int, tuple[str, Replacement]] = {
    CODES.PRELU: ("slopes", _slopes_by_place),
    CODES.STRIDED_SLICE: ("reversing", _reversed),
    CODES.DEPTH_TO_SPACE: ("depth_to_space", _depth_to_space),
}
"""By operation: the name of the cure, and what makes the others."""
