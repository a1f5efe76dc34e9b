"""Operations that LiteRT's GPU library computes wrong, in silence, as found by running them on it.

A network of which one such operation is a small part may agree with the processor well enough on made-up inputs, and
still answer wrong: MLPerf Tiny's int8 ResNet8 does, with 67 % of right answers in the place of 75 %. So these are known
by their form, for the versions of the library on which they were seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from edgekit.tflite import Operator, Subgraph, Tensor

PACKAGE = "ai-edge-litert"
SEEN_IN = "2.3."
"""Start of the versions that were tried."""
_SAME = 0

Tensors = tuple[tuple[Tensor | None, ...], tuple[Tensor, ...]]
Fault = Callable[[Operator, Tensors], bool]


def known_faults(graph: Subgraph) -> dict[int, str]:
    """Operations of a graph that the installed library computes wrong: a sentence for each, by its index.

    Args:
        graph: Read with `details`.
    """
    try:
        seen = version(PACKAGE).startswith(SEEN_IN)
    except PackageNotFoundError:
        seen = False
    return dict(_found(graph)) if seen else {}


def _found(graph: Subgraph) -> Iterator[tuple[int, str]]:
    for operator in graph.operators:
        fault = _FAULTS.get(operator.type)
        inputs = tuple(graph.tensors[index] if index >= 0 else None for index in operator.inputs)
        outputs = tuple(graph.tensors[index] for index in operator.outputs)
        if fault and fault(operator, (inputs, outputs)):
            yield operator.index, fault.__doc__ or ""


def _number(operator: Operator, name: str, default: int) -> int:
    value = operator.options.get(name, default)
    return value if isinstance(value, int) else default


def _strides(operator: Operator) -> tuple[int, int]:
    return _number(operator, "stride_h", 0), _number(operator, "stride_w", 0)


def _pixels(operator: Operator, tensors: Tensors) -> bool:
    """LiteRT 2.3's GPU library computes a convolution of single pixels with int8 weights as if its stride were 1."""
    weights = tensors[0][1]
    if weights is None or weights.dtype != "int8" or len(weights.static_shape) != 4:
        return False
    return weights.static_shape[1:3] == (1, 1) and max(_strides(operator)) > 1


def _transposed(operator: Operator, tensors: Tensors) -> bool:
    """LiteRT 2.3's GPU library computes a padded transposed convolution wrong that enlarges by less than its stride."""
    x, y = tensors[0][2], tensors[1][0]
    if x is None or len(x.static_shape) != 4 or _number(operator, "padding", _SAME) != _SAME:
        return False
    usual = [size * stride for size, stride in zip(x.static_shape[1:3], _strides(operator), strict=True)]
    return list(y.static_shape[1:3]) != usual


def _dense(_operator: Operator, tensors: Tensors) -> bool:
    """LiteRT 2.3's GPU library computes a Dense layer on a picture that is not flattened as a convolution."""
    x, weights = tensors[0][:2]
    if x is None or weights is None or len(weights.static_shape) != 2:
        return False
    return len(x.static_shape) == 4 and x.static_shape[-1] != weights.static_shape[1]


_FAULTS: dict[str, Fault] = {"CONV_2D": _pixels, "TRANSPOSE_CONV": _transposed, "FULLY_CONNECTED": _dense}
