"""A graph written as JSON: operations with the shapes and types of their tensors, and no weights.

Enough to tell a placement, and safe to pass on where the model is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.tflite import Operator, Quantization, Subgraph, Tensor
from edgekit.tflite.model_file import Option

_ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")


def read_record(record: Mapping[str, Any]) -> Subgraph:
    """Make a graph of a record.

    Args:
        record: `ops` in execution order, each with `op` (such as `CONV_2D` or `CUSTOM:name`), `version`, `options`
            as the generated schema names them, `inputs` and `outputs` (`name`, `shape`, `dtype`, `const`, `q` with
            `scale`, `zp` and `n` scales, `value` of small constants, `variable`; null for an input left out) and
            their numbers `in_ids` and `out_ids`; `graph_inputs` and `graph_outputs` with the names of the graph's
            own tensors.

    Raises:
        KeyError: one of these is missing.
    """
    described: dict[int, Mapping[str, Any]] = {}
    for op in record["ops"]:
        for ids, tensors in ((op["in_ids"], op["inputs"]), (op["out_ids"], op["outputs"])):
            described.update((id_, tensor) for id_, tensor in zip(ids, tensors, strict=True) if tensor)
    numbers = {id_: index for index, id_ in enumerate(sorted(described))}
    tensors = tuple(_tensor(numbers[id_], described[id_]) for id_ in sorted(described))
    by_name = {tensor.name: tensor.index for tensor in tensors}

    def ends(key: str) -> tuple[int, ...]:
        return tuple(by_name[tensor["name"]] for tensor in record[key] if tensor["name"] in by_name)

    operators = tuple(_operator(op, numbers) for op in record["ops"])
    return Subgraph(str(record.get("model", "")), tensors, operators, ends("graph_inputs"), ends("graph_outputs"))


def _operator(op: Mapping[str, Any], numbers: Mapping[int, int]) -> Operator:
    type_, _, custom = str(op["op"]).partition(":")

    def places(ids: Sequence[int]) -> tuple[int, ...]:
        return tuple(numbers.get(id_, -1) for id_ in ids)

    options = {_snake(name): number for name, value in (op["options"] or {}).items()
               if (number := _option(name, value)) is not None}
    return Operator(
        op["index"], type_, op["version"], places(op["in_ids"]), places(op["out_ids"]), custom, options
    )


def _snake(name: str) -> str:
    """`dilationHFactor` as `dilation_h_factor`."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _option(name: str, value: Any) -> Option | None:
    if isinstance(value, str):
        return _ACTIVATIONS.index(value) if name == "fusedActivationFunction" else None
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, (int, float)) else None


def _tensor(index: int, tensor: Mapping[str, Any]) -> Tensor:
    value = tensor.get("value")
    return Tensor(
        index=index,
        name=tensor["name"],
        shape=tuple(tensor.get("shape_signature") or tensor["shape"]),
        static_shape=tuple(tensor["shape"]),
        dtype=str(tensor["dtype"]).lower(),
        quantization=_quantization(tensor["q"]),
        constant=tensor["const"],
        variable=bool(tensor.get("variable")),
        values=tuple(value) if isinstance(value, list) else None,
    )


def _quantization(said: Mapping[str, Any] | None) -> Quantization | None:
    """The first scale stands for all `n` of them: how many there are is what matters."""
    if said is None:
        return None
    number = said.get("n", 1)
    return Quantization((said["scale"],) * number, (said["zp"],) * number, said.get("axis", 0))
