"""TFLite's FULLY_CONNECTED, of which tf2onnx 1.17 loses the bias where the input has other than two dimensions."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from tf2onnx.handler import tfl_op
from tf2onnx.tflite_handlers.tfl_math import TflFullyConnectedOp


def register() -> None:
    """Make tf2onnx take this handler in the place of its own."""
    tfl_op("TFL_FULLY_CONNECTED")(_FullyConnected)


class _FullyConnected:
    """The handler, in the form that tf2onnx wants."""

    @classmethod
    def to_tf(cls, ctx: Any, node: Any, **others: Any) -> None:
        """Give the input two dimensions, and leave the rest to tf2onnx."""
        shape, (_, size) = ctx.get_shape(node.input[0]), ctx.get_shape(node.input[1])
        if len(shape) != 2 and not node.get_attr_value("keep_num_dims"):
            rows = [prod(shape) // size, size]
            wanted = ctx.make_const(f"{node.name}_rows", np.array(rows, np.int64)).output[0]
            flat = ctx.make_node(
                "Reshape", [node.input[0], wanted], op_name_scope=node.name, shapes=[rows],
                dtypes=[ctx.get_dtype(node.input[0])],
            )
            flat.skip_conversion = True
            ctx.replace_input(node, node.input[0], flat.output[0], 0)
        TflFullyConnectedOp.to_tf(ctx, node, **others)
