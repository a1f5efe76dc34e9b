"""TFLite's LSTM as ONNX's, which tf2onnx lacks.

Both compute the same gates; ONNX wants them in the order input, output, forget, cell, and time in front of the batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tf2onnx.handler import tfl_op

from edgekit.errors import ConversionError

NAME = "UNIDIRECTIONAL_SEQUENCE_LSTM"
STATES = (18, 19)
"""Inputs of TFLite's that hold what it remembers; tf2onnx cannot read such variables."""
KEPT = 13
"""Inputs of the plain form that are left without those: the sequence, and weights, recurrent weights and biases of four
gates each, in the order input, forget, cell, output."""
ORDER = (0, 3, 1, 2)
"""ONNX's gates by their places in TFLite's order."""
_HINT = "Convert with --keep lstm, which gives one step after the other in plain operations."


def register() -> None:
    """Make tf2onnx know the operation."""
    tfl_op(f"TFL_{NAME}")(_Lstm)


class _Lstm:
    """Its handler, in the form that tf2onnx wants: a method for each version of ONNX's operation."""

    @classmethod
    def version_7(cls, ctx: Any, node: Any, **_others: Any) -> None:
        """Put ONNX's operation in its place."""
        if len(node.input) != KEPT or node.get_attr_value("fused_activation_function") not in (b"TANH", "TANH"):
            raise ConversionError("an LSTM has peepholes, a projection or another activation than tanh", hint=_HINT)
        sequence, *rest = node.input
        constants = [_constant(ctx.get_node_by_output(name)) for name in rest]
        weights, recurrent, biases = (
            np.concatenate([constants[4 * part + gate] for gate in ORDER])[np.newaxis] for part in range(3)
        )
        biases = np.concatenate([biases, np.zeros_like(biases)], axis=1)  # the other half is for the recurrent weights
        given, shape, dtype = node.output[0], ctx.get_shape(node.output[0]), ctx.get_dtype(node.output[0])
        is_time_major = bool(node.get_attr_value("time_major"))
        ctx.remove_node(node.name)
        if not is_time_major:
            sequence = ctx.make_node("Transpose", [sequence], attr={"perm": [1, 0, 2]}).output[0]
        lstm = ctx.make_node(
            "LSTM",
            [sequence, *(ctx.make_const(f"{node.name}_{name}", values).output[0] for name, values in
                         (("weights", weights), ("recurrent", recurrent), ("biases", biases)))],
            attr={"hidden_size": int(recurrent.shape[2])}, output_count=3, op_name_scope=node.name,
        )
        axis = ctx.make_const(f"{node.name}_axis", np.array([1], np.int64)).output[0]
        last = "Squeeze" if is_time_major else "Transpose"
        squeezed = ctx.make_node(
            "Squeeze", [lstm.output[0], axis], **({"outputs": [given]} if last == "Squeeze" else {})
        )
        if last == "Transpose":
            ctx.make_node(
                "Transpose", [squeezed.output[0]], attr={"perm": [1, 0, 2]}, outputs=[given], shapes=[shape],
                dtypes=[dtype],
            )


def _constant(node: Any) -> NDArray[np.float32]:
    """The real numbers of a constant, which may be quantized."""
    if node.is_const():
        return np.asarray(node.get_tensor_value(as_list=False), np.float32)
    if node.type == "Cast":  # weights of 16 bits
        return _constant(node.inputs[0])
    if node.type != "DequantizeLinear" or not all(item.is_const() for item in node.inputs):
        raise ConversionError("the weights of an LSTM are computed, and ONNX's are fixed", hint=_HINT)
    values, scale, zero_point = (item.get_tensor_value(as_list=False) for item in node.inputs)
    return np.asarray((values.astype(np.float64) - zero_point) * np.float64(scale), np.float32)
