"""Which operations the accelerator takes where it refuses some: one part of the graph, the largest.

TensorFlow Lite splits a graph by data flow (`edgekit_devices.coral.placement.partition`), and a delegate for GPUs
asks for the largest part alone (`max_delegated_partitions` is 1 by default, tensorflow/lite/delegates/gpu).
"""

from __future__ import annotations

from collections.abc import Collection, Set

from edgekit.tflite import Operator, Subgraph
from edgekit_devices.coral.placement.partition import epochs
from edgekit_devices.gpu.answer import Answer
from edgekit_devices.gpu.placement.single import unfolded


def largest_part(graph: Subgraph, refused: Collection[int]) -> tuple[int, ...]:
    """Indices of the operations of the largest part that can be delegated; the first of several as large.

    Operations that only widen float16 weights are in no part: they run nowhere.

    Args:
        graph: The graph that runs.
        refused: Indices of the operations that the accelerator refuses.
    """
    folded = unfolded(graph)
    operators = [operator for operator in graph.operators if operator.index not in folded]
    taken = {operator.index for operator in operators} - set(refused)
    parts = [epoch.operations for epoch in epochs(operators, taken) if epoch.delegated]
    return max(parts, key=len, default=())


def with_widened(graph: Subgraph, part: Collection[int]) -> Set[int]:
    """A part with what widens the weights that its operations take."""
    inputs = {tensor for index in part for tensor in graph.operators[index].inputs}
    return set(part) | {index for index in unfolded(graph) if _makes(graph.operators[index], inputs)}


def agrees(answer: Answer, graph: Subgraph, part: Collection[int]) -> bool:
    """Whether the accelerator takes as many operations as a part has; it counts what widens weights, or does not."""
    taken = len(graph.operators) if answer.taken is None and not answer.left else answer.taken
    return taken in (len(part), len(with_widened(graph, part)))


def _makes(operator: Operator, tensors: Set[int]) -> bool:
    return bool(set(operator.outputs) & tensors)
