"""How TensorFlow Lite hands parts of a graph to a delegate: by data flow, not by a cut through the list.

The walk is that of tensorflow/lite/graph_info.cc: an epoch takes every operation of one kind (supported or not) whose
inputs are there, again and again, until none is left; then the other kind has its turn.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from edgekit.tflite import Operator


@dataclass(frozen=True, slots=True)
class Epoch:
    """Operations, by index, that run on the same side one after the other."""

    delegated: bool
    operations: tuple[int, ...]


def epochs(operators: Sequence[Operator], supported: Collection[int]) -> list[Epoch]:
    """Split a graph.

    Args:
        operators: In execution order; inputs and outputs are tensor numbers.
        supported: Indices of those that the delegate takes.

    Returns:
        The epochs in the order in which they run. Operations that wait for each other in a circle are in none.
    """
    missing = {tensor for operator in operators for tensor in operator.outputs}
    sides = {side: [o for o in operators if (o.index in supported) == side] for side in (False, True)}
    found: list[Epoch] = []
    while first := _first_ready(sides, missing):
        side = first.index in supported
        taken: list[int] = []
        while ready := _walk(sides[side], missing):
            taken += ready
            sides[side] = [operator for operator in sides[side] if operator.index not in ready]
        found.append(Epoch(side, tuple(taken)))
    return found


def _first_ready(sides: Mapping[bool, Sequence[Operator]], missing: Collection[int]) -> Operator | None:
    """The first operation, in execution order, whose inputs are all there."""
    ready = (
        next((operator for operator in side if not _waits(operator, missing)), None) for side in sides.values()
    )
    return min((operator for operator in ready if operator), key=lambda operator: operator.index, default=None)


def _walk(candidates: Sequence[Operator], missing: set[int]) -> list[int]:
    """Take, in one walk, all whose inputs are there; what they give is no longer missing."""
    ready = []
    for operator in candidates:
        if not _waits(operator, missing):
            missing.difference_update(operator.outputs)
            ready.append(operator.index)
    return ready


def _waits(operator: Operator, missing: Collection[int]) -> bool:
    return any(tensor in missing for tensor in operator.inputs)
