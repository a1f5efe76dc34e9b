"""How much of a network a delegate took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DELEGATE = "DELEGATE"
"""What the runtimes call an operation that stands for those that a delegate took."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """What a delegate took of a network's main graph.

    Attributes:
        taken: How many operations.
        total: Of how many.
        left: How many of each kind it left to the processor, by name.
    """

    taken: int
    total: int
    left: Mapping[str, int]

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {name}" for name, count in self.left.items())
        return f"{self.taken} of {self.total} operations" + (f" and leaves {kinds}" if kinds else "")


def delegation_of(interpreter: Any) -> Delegation:
    """What the delegates took that an interpreter was made with.

    The operations that were taken stay in its list, with those behind them that stand for them. An operation was taken
    where it lies between the inputs and the outputs of one of these.

    Args:
        interpreter: With the allocation of its tensors come the delegates that the runtime adds of its own accord
            (XNNPACK), which go by the same name: before it, only those count that it was made with.
    """
    nodes = interpreter._get_ops_details()
    own = [node for node in nodes if node["op_name"] != DELEGATE]
    makers = {int(tensor): at for at, node in enumerate(own) for tensor in node["outputs"]}
    taken = {at for node in nodes if node["op_name"] == DELEGATE for at in _between(node, own, makers)}
    left = Counter(node["op_name"] for at, node in enumerate(own) if at not in taken)
    return Delegation(len(taken), len(own), dict(left.most_common()))


def _between(part: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]], makers: Mapping[int, int]) -> set[int]:
    """The operations from a part's inputs to its outputs, found backwards."""
    seen = {int(tensor) for tensor in part["inputs"]}
    waiting, found = [int(tensor) for tensor in part["outputs"]], set()
    while waiting:
        tensor = waiting.pop()
        if tensor in makers and tensor not in seen:
            seen.add(tensor)
            found.add(makers[tensor])
            waiting += [int(before) for before in nodes[makers[tensor]]["inputs"]]
    return found
