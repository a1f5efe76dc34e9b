"""Operations of a finished flatbuffer put in forms that compute the same in int8.

Here rather than while Keras traces, so that SavedModels and a model's own calls of TensorFlow are served too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

CODES = schema.BuiltinOperator
_LARGEST_DEPRECATED = 127
"""Numbers above go into the newer field alone (schema.fbs, `deprecated_builtin_code`)."""


def with_int8_forms(flatbuffer: bytes, wanted: Set[str]) -> tuple[bytes, frozenset[str]]:
    """Rewrite the operations of a float model that TensorFlow's quantizer would leave in float, or the target lacks.

    NEG becomes a product with -1, SQUARE a product, and NOT_EQUAL and EQUAL of float tensors look at the distance.
    LEAKY_RELU becomes max(x, a·x), HARD_SWISH x·relu6(x + 3) / 6.

    Args:
        flatbuffer: A float model.
        wanted: Names of the cures to apply.

    Returns:
        The model, and which cures were used: the same bytes where none was.
    """
    model = _unpacked(flatbuffer)
    used: set[str] = set()
    for graph in model.subgraphs:
        editor = _Editor(model, graph)
        operators: list[Any] = []
        for operator in graph.operators or []:
            cure, form = _FORMS.get(editor.code(operator), ("", None))
            if form is None or cure not in wanted or not editor.is_float(operator.inputs[0]):
                operators.append(operator)
                continue
            operators += form(editor, operator)
            used.add(cure)
        graph.operators = operators
    return (_packed(model), frozenset(used)) if used else (flatbuffer, frozenset())


def with_integer_elu(flatbuffer: bytes, wanted: Set[str]) -> tuple[bytes, frozenset[str]]:
    """Let ELU take and give int8: the runtimes compute it by a table, and TensorFlow's quantizer does not know.

    Args:
        flatbuffer: A quantized model.
        wanted: Names of the cures to apply.
    """
    if "elu" not in wanted:
        return flatbuffer, frozenset()
    model = _unpacked(flatbuffer)
    folded = [_fold_elu(_Editor(model, graph)) for graph in model.subgraphs]
    return (_packed(model), frozenset({"elu"})) if any(folded) else (flatbuffer, frozenset())


class _Editor:
    """One graph, and what is needed to change it."""

    def __init__(self, model: Any, graph: Any) -> None:
        self._model, self._graph = model, graph

    @property
    def operators(self) -> list[Any]:
        return self._graph.operators or []

    def code(self, operator: Any) -> int:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))

    def is_float(self, index: int) -> bool:
        return bool(self._graph.tensors[index].type == schema.TensorType.FLOAT32)

    def is_output(self, index: int) -> bool:
        return index in list(self._graph.outputs)

    def users(self, index: int) -> list[Any]:
        return [operator for operator in self.operators if index in list(operator.inputs)]

    def remove(self, unwanted: Any) -> None:
        """Leave out an operator."""
        self._graph.operators = [operator for operator in self.operators if operator is not unwanted]

    def constant(self, value: float, name: str) -> int:
        """The number of a new tensor that holds one float."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.float32(value).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        return self._add(name, np.array([1], np.int32), len(self._model.buffers) - 1)

    def between(self, like: int, suffix: str) -> int:
        """The number of a new computed float tensor, of another's shape."""
        origin = self._graph.tensors[like]
        return self._add(origin.name.decode() + suffix, origin.shape, 0)

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
        options = _OPTIONS[name]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
        operator.builtinOptions = getattr(schema, f"{options}T")()
        return operator

    def _opcode(self, builtin: int) -> int:
        for index, code in enumerate(self._model.operatorCodes):
            if max(int(code.builtinCode), int(code.deprecatedBuiltinCode)) == builtin and code.version == 1:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, _LARGEST_DEPRECATED), 1
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1


_OPTIONS = {
    "MUL": "MulOptions", "SUB": "SubOptions", "ABS": "AbsOptions", "GREATER": "GreaterOptions",
    "LESS_EQUAL": "LessEqualOptions", "ADD": "AddOptions", "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
}


def _negated(editor: _Editor, operator: Any) -> Iterator[Any]:
    yield editor.operator("MUL", [operator.inputs[0], editor.constant(-1, "minus_one")], operator.outputs[0])


def _squared(editor: _Editor, operator: Any) -> Iterator[Any]:
    yield editor.operator("MUL", [operator.inputs[0], operator.inputs[0]], operator.outputs[0])


def _compared(comparison: str) -> Callable[[_Editor, Any], Iterator[Any]]:
    def form(editor: _Editor, operator: Any) -> Iterator[Any]:
        first, second = operator.inputs
        difference, distance = (editor.between(operator.outputs[0], suffix) for suffix in (";difference", ";distance"))
        yield editor.operator("SUB", [first, second], difference)
        yield editor.operator("ABS", [difference], distance)
        yield editor.operator(comparison, [distance, editor.constant(0, "zero")], operator.outputs[0])

    return form


def _leaky(editor: _Editor, operator: Any) -> Iterator[Any]:
    """max(x, a·x), which is LeakyReLU for a slope of 1 at most, as Keras has it."""
    x, small = operator.inputs[0], editor.between(operator.outputs[0], ";small")
    slope = float(operator.builtinOptions.alpha)
    yield editor.operator("MUL", [x, editor.constant(slope, "slope")], small)
    yield editor.operator("MAXIMUM" if slope <= 1 else "MINIMUM", [x, small], operator.outputs[0])


def _hard_swish(editor: _Editor, operator: Any) -> Iterator[Any]:
    x = operator.inputs[0]
    gate, scaled = (editor.between(operator.outputs[0], suffix) for suffix in (";gate", ";scaled"))
    shifted = editor.operator("ADD", [x, editor.constant(3, "three")], gate)
    shifted.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    yield shifted
    yield editor.operator("MUL", [gate, editor.constant(1 / 6, "sixth")], scaled)
    yield editor.operator("MUL", [x, scaled], operator.outputs[0])


_FORMS: dict[int, tuple[str, Callable[[_Editor, Any], Iterator[Any]]]] = {
    CODES.NEG: ("operations", _negated),
    CODES.SQUARE: ("operations", _squared),
    CODES.NOT_EQUAL: ("operations", _compared("GREATER")),
    CODES.EQUAL: ("operations", _compared("LESS_EQUAL")),
    CODES.LEAKY_RELU: ("leaky_relu", _leaky),
    CODES.HARD_SWISH: ("hard_swish", _hard_swish),
}


def _fold_elu(editor: _Editor) -> bool:
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
        operator.inputs, operator.outputs = before.inputs, after[0].outputs
        editor.remove(after[0])
        if not editor.users(before.outputs[0]):
            editor.remove(before)
        folded = True
    return folded


def _drop_unused_codes(model: Any) -> None:
    """The calibrator refuses a file that declares an operation which it cannot log, used or not."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators or []]
    used = sorted({int(operator.opcodeIndex) for operator in operators})
    places = {old: new for new, old in enumerate(used)}
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for operator in operators:
        operator.opcodeIndex = places[int(operator.opcodeIndex)]


def _unpacked(flatbuffer: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))


def _packed(model: Any) -> bytes:
    _drop_unused_codes(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
