"""Which single operations the accelerator refuses or computes otherwise: its log names kinds of operations alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edgekit.tflite import Operator, Subgraph
from edgekit_devices.gpu.faults import known_faults
from edgekit_devices.gpu.placement.asking import Told, ask
from edgekit_devices.gpu.placement.partition import agrees, largest_part
from edgekit_devices.gpu.placement.single import form_of, single, unfolded

MOST_ASKED = 40
"""Single operations that are asked for, at 1 s each."""

Ask = Callable[[Operator], Told]


@dataclass(frozen=True, slots=True)
class Refusals:
    """What the accelerator does not do right, by the index of the operation.

    Attributes:
        refused: The accelerator's own words.
        wrong: Operations that it computes otherwise than the processor.
        certain: Whether all were asked for that had to be.
    """

    refused: Mapping[int, str] = field(default_factory=dict)
    wrong: frozenset[int] = frozenset()
    certain: bool = True


def find(model: bytes, graph: Subgraph, told: Told) -> Refusals:
    """Ask for single operations: for those of a kind that was named, unless the accelerator's own count says that it
    refuses all of the kind; for all where the model computes something else; and for those of a form that is known to
    be computed wrong, of which a model may agree all the same on what was tried.

    Args:
        model: The whole model.
        graph: Its first graph.
        told: What came of asking for the model.

    Raises:
        DeviceError: no adapter answers any more, or the driver hangs.
    """
    refused, all_asked = _refused(graph, told, lambda one: ask(single(model, graph, one), compared=False))
    left = refused.keys() | unfolded(graph)
    suspects = known_faults(graph) if not told.wrong else range(len(graph.operators))
    forms = _forms(graph, [one for one in graph.operators if one.index in suspects and one.index not in left])
    wrong = [
        members for members in forms[:MOST_ASKED] if ask(single(model, graph, members[0]), compared=True).wrong
    ]
    return Refusals(refused, frozenset(one.index for members in wrong for one in members), all_asked)


def _refused(graph: Subgraph, told: Told, asking: Ask) -> tuple[dict[int, str], bool]:
    kinds = _kinds(graph, told)
    named = [operator for operator in graph.operators if _kind(operator) in kinds]
    if agrees(told.answer, graph, largest_part(graph, {operator.index for operator in named})):
        return {operator.index: kinds[_kind(operator)][0] for operator in named}, True
    forms = _forms(graph, named)
    reasons: dict[int, str] = {}
    for number, members in enumerate(forms):
        kind = _kind(members[0])
        reason = kinds[kind][0]
        if number < MOST_ASKED:
            reason = _reason(asking(members[0]), graph, kinds[kind])
        reasons.update({member.index: reason for member in members if reason})
    return reasons, len(forms) <= MOST_ASKED


def _forms(graph: Subgraph, operators: Sequence[Operator]) -> list[list[Operator]]:
    """Operations that get the same answer, together."""
    forms: dict[tuple[object, ...], list[Operator]] = {}
    for operator in operators:
        forms.setdefault(form_of(graph, operator), []).append(operator)
    return list(forms.values())


def _kinds(graph: Subgraph, told: Told) -> dict[str, list[str]]:
    """The reasons that the log gives, by kind of operation."""
    kinds: dict[str, list[str]] = {}
    for line in told.answer.reasons:
        kind, _, reason = line.partition(": ")
        kinds.setdefault(kind.strip().upper(), []).append(_without_names(reason, graph))
    return kinds


def _kind(operator: Operator) -> str:
    return operator.label.upper()


def _reason(told: Told, graph: Subgraph, known: Sequence[str]) -> str:
    """Why a single operation is refused; empty where it is not."""
    if told.whole:
        return ""
    said = [line.partition(": ")[2] for line in told.answer.reasons]
    return _without_names(said[0], graph) if said else told.refused or known[0]


def _without_names(reason: str, graph: Subgraph) -> str:
    """The words without the name of the tensor that some of them end in."""
    names = (tensor.name for tensor in graph.tensors if tensor.name and reason.endswith(tensor.name))
    longest = max(names, key=len, default="")
    return f"{(reason.removesuffix(longest).strip() or reason).rstrip('.')}."
