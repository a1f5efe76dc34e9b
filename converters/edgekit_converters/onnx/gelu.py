"""TFLite's GELU in ONNX's operations, which tf2onnx lacks: x · Φ(x) (Hendrycks and Gimpel, arXiv:1606.08415)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tf2onnx.handler import tfl_op

CUBE = 0.044715
"""Factor of x³ in the approximation by tanh, in that paper."""


def register() -> None:
    """Make tf2onnx know the operation."""
    tfl_op("TFL_GELU")(_Gelu)


class _Gelu:
    """Its handler, in the form that tf2onnx wants: a method for each version of ONNX's operations."""

    @classmethod
    def version_9(cls, ctx: Any, node: Any, **_others: Any) -> None:
        """Put ONNX's operations in its place."""
        x, given, prefix = node.input[0], node.output[0], node.name
        approximate = bool(node.get_attr_value("approximate"))
        shape, dtype = ctx.get_shape(given), ctx.get_dtype(given)
        ctx.remove_node(node.name)

        def number(name: str, value: float) -> str:
            return str(ctx.make_const(f"{prefix}_{name}", np.float32(value)).output[0])

        def compute(kind: str, *inputs: str, **others: Any) -> str:
            return str(ctx.make_node(kind, [*inputs], op_name_scope=prefix, **others).output[0])

        if approximate:
            cube = compute("Mul", compute("Mul", compute("Mul", x, x), x), number("cube", CUBE))
            sigma = compute("Tanh", compute("Mul", compute("Add", x, cube), number("width", math.sqrt(2 / math.pi))))
        else:
            sigma = compute("Erf", compute("Mul", x, number("width", math.sqrt(0.5))))
        share = compute("Mul", compute("Add", sigma, number("one", 1.0)), number("half", 0.5))
        compute("Mul", x, share, outputs=[given], shapes=[shape], dtypes=[dtype])
