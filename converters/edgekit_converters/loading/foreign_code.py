"""Code in model files: named and refused before a file is loaded. A model file is data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.errors import ModelFileError

_CODE = {"Lambda", "__lambda__"}
_TENSORFLOW_CALLS = {"TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty"}
# What a layer made of a call of TensorFlow's may call: arithmetic, and nothing that reads, writes or runs.
_ARITHMETIC = re.compile(
    r"(?:(?:math|nn|linalg|signal|image|bitwise|__operators__|keras\.(?:activations|backend))\.\w+"
    r"|abs|acos|add|argmax|argmin|cast|clip_by_value|concat|constant|convert_to_tensor|cos|cumsum|divide|einsum|equal"
    r"|exp|expand_dims|eye|fill|floor|gather|gather_nd|greater|greater_equal|identity|less|less_equal|matmul|maximum"
    r"|minimum|multiply|negative|not_equal|norm|one_hot|ones|ones_like|pad|pow|range|rank|repeat|reshape|reverse"
    r"|roll|round|scalar_mul|shape|sigmoid|sign|sin|size|slice|sort|split|sqrt|square|squeeze|stack|stop_gradient"
    r"|strided_slice|subtract|tan|tanh|tensordot|tile|transpose|truediv|unstack|where|zeros|zeros_like"
    r"|reduce_\w+|space_to_depth|depth_to_space|batch_to_space|space_to_batch)"
)
_KERAS_MODULE = re.compile(
    r"(?:tf_)?keras(?:\.src)?(?:\.(?:layers|engine|models|initializers|regularizers|constraints|activations|"
    r"mixed_precision|applications)(?:\.\w+)*)?|builtins"
)


def refuse_code(path: Path, config: Any) -> None:
    """Refuse a configuration that holds Python code, or a call of TensorFlow's that is no arithmetic.

    Raises:
        ModelFileError: it does; the message names the layers.
    """
    lambdas = dict.fromkeys(_shown(node) for node in _nodes(config) if node.get("class_name") in _CODE)
    if lambdas:
        layers = [shown for shown in lambdas if "(Lambda)" in shown] or lambdas
        raise ModelFileError(
            f"{path} holds Python code in a Lambda layer, which EdgeKit does not run: {', '.join(layers)}",
            hint="Put a layer of keras.layers or a registered class in its place; or, where you trust the code, "
            "build the model in Python and pass it in memory: edgekit.convert(model, ...).",
        )
    calls = [node for node in _nodes(config) if node.get("class_name") in _TENSORFLOW_CALLS]
    odd = [f"{_shown(node)} calls {_function(node)}" for node in calls if not _ARITHMETIC.fullmatch(_function(node))]
    if odd:
        raise ModelFileError(
            f"{path} calls functions of TensorFlow that are no arithmetic, which EdgeKit does not run: {odd[0]}",
            hint="Where you trust the file, load the model in Python and export it: model.export('folder').",
        )


def refuse_foreign_code(path: Path, config: Any, custom: frozenset[str]) -> None:
    """Refuse a configuration that names modules outside of Keras: Keras 2 would import them.

    Args:
        path: Of the model, for the message.
        config: Its configuration.
        custom: Names of the classes that the user brings.

    Raises:
        ModelFileError: it does.
    """
    for node in _nodes(config):
        module, kind = node.get("module"), node.get("registered_name") or node.get("class_name")
        if isinstance(module, str) and not _KERAS_MODULE.fullmatch(module) and kind not in custom:
            raise ModelFileError(
                f"{path} uses a class of the module {module}, which is no part of Keras: {_shown(node)}",
                hint=f"Where you trust it: --custom-objects {module}:{node.get('class_name')}",
            )


def _nodes(config: Any) -> Iterator[dict[str, Any]]:
    if isinstance(config, list):
        for item in config:
            yield from _nodes(item)
    elif isinstance(config, dict):
        yield config
        for value in config.values():
            yield from _nodes(value)


def _function(node: dict[str, Any]) -> str:
    inner = node.get("config")
    return str(inner.get("function", "")) if isinstance(inner, dict) else ""


def _shown(node: dict[str, Any]) -> str:
    inner = node.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    return f"'{name}' ({node.get('class_name')})" if isinstance(name, str) else str(node.get("class_name"))
