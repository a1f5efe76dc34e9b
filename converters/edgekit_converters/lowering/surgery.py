"""Operations of a finished flatbuffer put in forms that compute the same in int8.

Here rather than while Keras traces, so that SavedModels and a model's own calls of TensorFlow are served too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit_converters.lowering import edgetpu_surgery
from edgekit_converters.lowering.flatbuffer_editing import CODES, Editor, packed, unpacked

ALMOST_ONE = float(np.nextafter(np.float32(1), np.float32(0)))
"""A product with 1 itself would be taken away again."""


def with_int8_forms(flatbuffer: bytes, wanted: Set[str]) -> tuple[bytes, frozenset[str]]:
    """Rewrite the operations of a float model that TensorFlow's quantizer would leave in float, or the target lacks.

    NEG becomes a product with -1, SQUARE a product, and NOT_EQUAL and EQUAL of float tensors look at the distance.
    CAST of a mask to float becomes a choice between 1 and 0. AVERAGE_POOL_2D of a whole picture becomes MEAN.
    LEAKY_RELU becomes PRELU with the same slope for each channel, HARD_SWISH x·relu6(x + 3) / 6; more for the Edge
    TPU is in `edgetpu_surgery`.

    Args:
        flatbuffer: A float model.
        wanted: Names of the cures to apply.

    Returns:
        The model, and which cures were used: the same bytes where none was.
    """
    model = unpacked(flatbuffer)
    used: set[str] = set()
    for graph in model.subgraphs:
        editor = Editor(model, graph)
        operators: list[Any] = []
        for operator in graph.operators or []:
            cure, form = _FORMS.get(editor.code(operator), ("", None))
            fits = form is not None and cure in wanted and _is_in_float(editor, operator)
            made = form(editor, operator) if form is not None and fits else None
            operators += [operator] if made is None else made
            used.update([cure] if made is not None else [])
        graph.operators = edgetpu_surgery.lstms_first(editor, operators) if "reversing" in used else operators
    return (packed(model), frozenset(used)) if used else (flatbuffer, frozenset())


def _is_in_float(editor: Editor, operator: Any) -> bool:
    return any(editor.is_float(index) for index in (operator.inputs[0], operator.outputs[0]))


def with_integer_elu(flatbuffer: bytes, wanted: Set[str]) -> tuple[bytes, frozenset[str]]:
    """Let ELU take and give int8: the runtimes compute it by a table, and TensorFlow's quantizer does not know.

    Args:
        flatbuffer: A quantized model.
        wanted: Names of the cures to apply.
    """
    if "elu" not in wanted:
        return flatbuffer, frozenset()
    model = unpacked(flatbuffer)
    folded = [_fold_elu(Editor(model, graph)) for graph in model.subgraphs]
    return (packed(model), frozenset({"elu"})) if any(folded) else (flatbuffer, frozenset())


def _negated(editor: Editor, operator: Any) -> Iterator[Any]:
    yield editor.operator("MUL", [operator.inputs[0], editor.constant(-1, "minus_one")], operator.outputs[0])


def _squared(editor: Editor, operator: Any) -> Iterator[Any]:
    yield editor.operator("MUL", [operator.inputs[0], operator.inputs[0]], operator.outputs[0])


def _compared(comparison: str) -> Callable[[Editor, Any], Iterator[Any]]:
    def form(editor: Editor, operator: Any) -> Iterator[Any]:
        first, second = operator.inputs
        difference, distance = (editor.between(operator.outputs[0], suffix) for suffix in (";difference", ";distance"))
        yield editor.operator("SUB", [first, second], difference)
        yield editor.operator("ABS", [difference], distance)
        yield editor.operator(comparison, [distance, editor.constant(0, "zero")], operator.outputs[0])

    return form


def _leaky(editor: Editor, operator: Any) -> Iterator[Any]:
    """One operation with a scale of its own for what comes out: max(x, a·x) shares one among three (22 for 34 dB)."""
    shape = editor.shape(operator.inputs[0])
    slopes = editor.constant(operator.builtinOptions.alpha, "slope", [1] * max(len(shape) - 2, 0) + shape[-1:])
    yield editor.operator("PRELU", [operator.inputs[0], slopes], operator.outputs[0])


def _hard_swish(editor: Editor, operator: Any) -> Iterator[Any]:
    x = operator.inputs[0]
    gate, scaled = (editor.between(operator.outputs[0], suffix) for suffix in (";gate", ";scaled"))
    shifted = editor.operator("ADD", [x, editor.constant(3, "three")], gate)
    shifted.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    yield shifted
    yield editor.operator("MUL", [gate, editor.constant(1 / 6, "sixth")], scaled)
    yield editor.operator("MUL", [x, scaled], operator.outputs[0])


def _mask_as_numbers(editor: Editor, operator: Any) -> list[Any] | None:
    if not editor.is_bool(operator.inputs[0]):
        return None
    numbers = [editor.constant(1, "one"), editor.constant(0, "zero")]
    return [editor.operator("SELECT_V2", [operator.inputs[0], *numbers], operator.outputs[0])]


def _average_of_all(editor: Editor, operator: Any) -> list[Any] | None:
    """A mean in the place of pooling, whose input and output share a scale: of large values that is a coarse one for
    their averages (23.2 for 18.7 dB on ResNet8)."""
    options, shape = operator.builtinOptions, editor.shape(operator.inputs[0])
    sizes = [options.filterHeight, options.filterWidth]
    activated = options.fusedActivationFunction != schema.ActivationFunctionType.NONE
    if sizes != shape[1:3] or editor.shape(operator.outputs[0])[1:3] != [1, 1] or sizes == [1, 1] or activated:
        return None
    axes = editor.array(np.array([1, 2], np.int32), "axes")
    mean = editor.operator("MEAN", [operator.inputs[0], axes], operator.outputs[0])
    mean.builtinOptions.keepDims = True
    return [mean]


def _elu_with_a_scale(editor: Editor, operator: Any) -> list[Any] | None:
    """A product behind an ELU whose result is only moved about: what moves it has no scale of its own."""
    users = [editor.code(user) for user in editor.users(operator.outputs[0])]
    if not _MOVING.intersection(users):
        return None
    curve, result = editor.between(operator.outputs[0], ";curve"), operator.outputs[0]
    operator.outputs = [curve]
    return [operator, editor.operator("MUL", [curve, editor.constant(ALMOST_ONE, "almost_one")], result)]


_MOVING = frozenset({
    CODES.RESHAPE, CODES.CONCATENATION, CODES.TRANSPOSE, CODES.SLICE, CODES.STRIDED_SLICE, CODES.PAD, CODES.PADV2,
    CODES.MIRROR_PAD, CODES.SQUEEZE, CODES.EXPAND_DIMS, CODES.PACK, CODES.UNPACK, CODES.SPLIT, CODES.SPLIT_V,
    CODES.GATHER, CODES.MAX_POOL_2D, CODES.RESIZE_NEAREST_NEIGHBOR, CODES.RESIZE_BILINEAR, CODES.TILE,
    CODES.SPACE_TO_DEPTH, CODES.DEPTH_TO_SPACE, CODES.REDUCE_MAX, CODES.MAXIMUM, CODES.MINIMUM,
})
"""Operations that TensorFlow's quantizer gives the scale of what comes in."""

_FORMS: dict[int, tuple[str, Callable[[Editor, Any], Iterable[Any] | None]]] = {
    CODES.CAST: ("operations", _mask_as_numbers),
    CODES.ELU: ("elu", _elu_with_a_scale),
    CODES.AVERAGE_POOL_2D: ("averages", _average_of_all),
    **edgetpu_surgery.FORMS,
    CODES.NEG: ("operations", _negated),
    CODES.SQUARE: ("operations", _squared),
    CODES.NOT_EQUAL: ("operations", _compared("GREATER")),
    CODES.EQUAL: ("operations", _compared("LESS_EQUAL")),
    CODES.LEAKY_RELU: ("leaky_relu", _leaky),
    CODES.HARD_SWISH: ("hard_swish", _hard_swish),
}


def _fold_elu(editor: Editor) -> bool:
    """Take away the DEQUANTIZE before and the QUANTIZE after each ELU; say whether there was one."""
    producers = {int(index): operator for operator in editor.operators for index in operator.outputs}
    folded = False
    for operator in editor.operators:
        if editor.code(operator) != CODES.ELU or not editor.is_float(operator.outputs[0]):
            continue
        before, after = producers.get(int(operator.inputs[0])), editor.users(operator.outputs[0])
        if before is None or editor.code(before) != CODES.DEQUANTIZE or editor.is_output(operator.outputs[0]):
            continue
        if [editor.code(user) for user in after] != [CODES.QUANTIZE]:
            continue
        editor.rename(after[0].outputs[0], operator.outputs[0])
        operator.inputs, operator.outputs = before.inputs, after[0].outputs
        editor.remove(after[0])
        if not editor.users(before.outputs[0]):
            editor.remove(before)
        folded = True
    return folded
