"""Operations in forms that LiteRT's GPU accelerator takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any

import numpy as np

from edgekit_converters.lowering.flatbuffer_editing import CODES, Editor, packed, unpacked

SLICES = "slices"


def with_gpu_forms(flatbuffer: bytes, wanted: Set[str]) -> tuple[bytes, frozenset[str]]:
    """Rewrite the operations of a float model that the GPU would leave to the processor.

    A STRIDED_SLICE that drops an axis, such as each step of an unrolled recurrent layer, keeps it, and a RESHAPE drops
    it. Nothing is computed otherwise.

    Args:
        flatbuffer: A float model; its weights may be of float16.
        wanted: Names of the cures to apply.

    Returns:
        The model, and which cures were used: the same bytes where none was.
    """
    if SLICES not in wanted:
        return flatbuffer, frozenset()
    model, found = unpacked(flatbuffer), False
    for graph in model.subgraphs:
        editor = Editor(model, graph)
        operators: list[Any] = []
        for operator in editor.operators:
            drops = editor.code(operator) == CODES.STRIDED_SLICE and _drops_alone(editor, operator)
            operators += _keeping_axes(editor, operator) if drops else [operator]
            found = found or drops
        graph.operators = operators
    return (packed(model), frozenset({SLICES})) if found else (flatbuffer, frozenset())


def _drops_alone(editor: Editor, operator: Any) -> bool:
    """Whether a slice of real numbers drops axes, by constants, and does nothing else that is rare."""
    options, (begin, end) = operator.builtinOptions, operator.inputs[1:3]
    return (
        options.shrinkAxisMask and not options.ellipsisMask and not options.newAxisMask
        and editor.is_float(operator.inputs[0]) and bool(editor.integers(begin)) and bool(editor.integers(end))
    )


def _keeping_axes(editor: Editor, operator: Any) -> Iterator[Any]:
    x, end = int(operator.inputs[0]), int(operator.outputs[0])
    sizes, options = editor.shape(x), operator.builtinOptions
    begins, ends = editor.integers(operator.inputs[1]), editor.integers(operator.inputs[2])
    dropped = [axis for axis in range(len(begins)) if options.shrinkAxisMask >> axis & 1]
    for axis in dropped:
        begins[axis] %= sizes[axis]
        ends[axis] = begins[axis] + 1
        options.endMask &= ~(1 << axis)
        options.beginMask &= ~(1 << axis)
    options.shrinkAxisMask = 0
    shape = editor.shape(end)
    kept = editor.between(end, ";kept", _with_ones(shape, dropped))
    operator.inputs = [x, _array(editor, begins, "begin"), _array(editor, ends, "end"), int(operator.inputs[3])]
    operator.outputs = [kept]
    yield operator
    yield editor.operator("RESHAPE", [kept, _array(editor, shape, "shape")], end)


def _with_ones(shape: Sequence[int], axes: Sequence[int]) -> list[int]:
    """A shape with an axis of size 1 at each of the given places, in rising order."""
    found = list(shape)
    for axis in axes:
        found.insert(axis, 1)
    return found


def _array(editor: Editor, values: Sequence[int], name: str) -> int:
    return editor.array(np.array(values, np.int32), name)
