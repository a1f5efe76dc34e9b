"""Names of Keras layers, as far as the names of tensors tell them.

TensorFlow names a tensor `model/layer/Operation`, and after fusing joins several such names by semicolons.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from edgekit.tflite.model_file import tidy_name
from edgekit_devices.coral.placement.step import Step

_MADE_UP = re.compile(r"(tfl|arith|std)\.|StatefulPartitionedCall|PartitionedCall|Identity")
_SECOND = re.compile(r"_1$")
_MOST_SHARE = 0.8
_KERNEL = re.compile(r"conv|depthwise|matmul|tensordot", re.IGNORECASE)
_WITHIN = frozenset({"Repeat", "batchnorm", "resize", "weights_quant"})
_WITH_KERNEL = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})
_AFTER_LAYER = frozenset({"SOFTMAX", "LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1"})
"""Operations that are mostly the activation of the layer before them."""


def layer_names(found: Sequence[Step]) -> list[str]:
    """The layer of each operation; empty where no name tells it."""
    scopes = [_scope(step) for step in found]
    known = [scope for scope in scopes if scope]
    root, share = _root(known)
    drop = 1 if share else 0
    inner = {part for scope in known for part in scope[drop:][:1]}
    # Keras 3 enters each scope a second time while it exports, which puts _1 behind every name.
    twice = bool(share) and root.endswith("_1") and all(map(_SECOND.search, inner))
    made_by: dict[int, str] = {}
    names = []
    for step, scope in zip(found, scopes, strict=True):
        parts = scope[drop:] if scope and scope[0] == root else scope
        name = "/".join(_SECOND.sub("", part) if twice else part for part in parts)
        if not name and step.type in _AFTER_LAYER:
            name = next((made_by[index] for index in step.operator.inputs if index in made_by), "")
        made_by.update(dict.fromkeys(step.operator.outputs, name))
        names.append(name)
    return names


def operation_name(step: Step) -> str:
    """The first name of the operation's first output."""
    return _first(step.outputs[0].name) if step.outputs else ""


def _first(name: str) -> str:
    return tidy_name(name.partition(";")[0])


def _scope(step: Step) -> tuple[str, ...]:
    """The parts of a name that tell a layer, without the operation's own; empty where none does.

    Of an operation with a kernel the name that says so comes first: others are of an activation or normalization that
    is fused into the layer.
    """
    with_kernel = step.type in _WITH_KERNEL
    kernel = [tensor for tensor in step.inputs[1:2] if tensor and tensor.constant and with_kernel]
    names = [name.split("/") for tensor in (*kernel, *step.outputs[:1]) for name in tensor.name.split(";")]
    if with_kernel:
        names.sort(key=lambda parts: not _KERNEL.match(parts[-1]))
    return next((scope for scope in map(_outer, names) if scope), ())


def _outer(parts: Sequence[str]) -> tuple[str, ...]:
    """The scopes of a name, but for those that a layer makes within itself."""
    scopes = [part for part in parts[:-1] if part and not _MADE_UP.match(part)]
    while scopes and scopes[-1] in _WITHIN:
        scopes.pop()
    return tuple(scopes)


def _root(scopes: Sequence[tuple[str, ...]]) -> tuple[str, bool]:
    """The first part that nearly all names have, which is the model's name, and whether there is one."""
    counted = Counter(scope[0] for scope in scopes if len(scope) > 1)
    name, number = counted.most_common(1)[0] if counted else ("", 0)
    return name, number >= _MOST_SHARE * len(scopes) > 0
