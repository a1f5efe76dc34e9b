"""Why an operation is where it is, in sentences, and what to change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from edgekit.placement import Refusal
from edgekit_devices.coral.placement import phrases
from edgekit_devices.coral.placement.advice import NOT_SUPPORTED, for_operation
from edgekit_devices.coral.placement.cautions import CAUTIONS
from edgekit_devices.coral.placement.general import quantize_from_integers
from edgekit_devices.coral.placement.rule import Rule
from edgekit_devices.coral.placement.step import EIGHT_BIT, Step

TARGET = "coral"
_NAMED = 3
"""Most operations that are named as a cause."""
_BETWEEN = frozenset({"QUANTIZE", "DEQUANTIZE"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where one operation goes and why, as in `edgekit.placement.PlacedOperation`."""

    placement: str
    status: str
    reason: str = ""
    advice: str = ""
    certain: bool = True
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of the graph when an operation's verdict is written.

    Attributes:
        steps: Its operations.
        broken: For each the rule that keeps it on the CPU; None where none does.
        layers: For each the name of its Keras layer, or nothing.
        homes: Number of the kept part by operation.
        early: Operations that run before the first part.
        edges: Pairs of operations where the second takes a result of the first.
        refused: Why the compiler takes no part of the file.
    """

    steps: tuple[Step, ...]
    broken: tuple[Rule | None, ...]
    layers: tuple[str, ...]
    homes: Mapping[int, int]
    early: frozenset[int]
    edges: Sequence[tuple[int, int]]
    refused: tuple[Refusal, ...]

    def label(self, index: int) -> str:
        """An operation for a sentence: its number, type and layer."""
        layer = f", layer {self.layers[index]}" if self.layers[index] else ""
        return f"operation {index} ({self.steps[index].operator.label}{layer})"

    def producers(self, index: int) -> list[int]:
        """Operations whose results this one takes."""
        return [source for source, target in self.edges if target == index]

    def consumers(self, index: int) -> list[int]:
        """Operations that take its results."""
        return [target for source, target in self.edges if source == index]

    def causes(self) -> list[frozenset[int]]:
        """For each operation those unsupported ones on which it depends, and which do not run before the first part."""
        found: list[frozenset[int]] = [frozenset()] * len(self.steps)
        inputs: dict[int, list[int]] = {}
        for source, target in self.edges:
            inputs.setdefault(target, []).append(source)
        for index in range(len(self.steps)):
            above = {s for s in inputs.get(index, []) if s < index}
            own = {source for source in above if self.broken[source] and source not in self.early}
            found[index] = frozenset(own).union(*(found[source] for source in above))
        return found


def verdict(context: Context, index: int, causes: Collection[int]) -> Verdict:
    """Say where an operation goes, why, and what to change.

    Args:
        context: The graph.
        index: The operation.
        causes: What `context.causes` says of it.
    """
    step = context.steps[index]
    if context.refused:
        return _refused(context, index)
    if context.broken[index]:
        return _unsupported(context, step, context.broken[index])
    if index not in context.homes:
        return _cut_off(context, causes)
    cautions = [rule for rule in CAUTIONS if rule.concerns(step) and not rule.holds(step)]
    reason, advice = (" ".join(texts) for texts in ([r.message for r in cautions], [r.advice for r in cautions]))
    return Verdict(TARGET, phrases.MAPPED, reason, advice, certain=not cautions)


def _refused(context: Context, index: int) -> Verdict:
    """The file's own trouble first, then what else keeps this operation from the Edge TPU."""
    own = next((refusal for refusal in context.refused if index in refusal.operations), None)
    if own:
        return Verdict("cpu", own.status, own.reason, own.advice)
    status, reason = context.refused[0].status, "The compiler refuses the whole file."
    rule = context.broken[index]
    if rule is None:
        return Verdict("cpu", status, reason)
    then = _unsupported(context, context.steps[index], rule)
    return Verdict("cpu", status, f"{reason} Without that: {then.reason}", then.advice, then.certain)


def _unsupported(context: Context, step: Step, rule: Rule | None) -> Verdict:
    if rule is None:
        raise ValueError(f"operation {step.operator.index} is supported")
    reason, advice = rule.message, rule.advice
    if rule.status == phrases.UNSUPPORTED or step.type == "CUSTOM":
        reason = f"The Edge TPU does not compute {step.operator.label}."
        advice = for_operation(step.type, step.operator.custom_code)
    elif rule.status == phrases.DATA_TYPE or rule is quantize_from_integers:
        reason, advice = _other_numbers(context, step, rule)
    return Verdict("cpu", rule.status, reason, advice, rule.certain)


def _other_numbers(context: Context, step: Step, rule: Rule) -> tuple[str, str]:
    """Reason and advice for an operation on numbers of more than 8 bits."""
    if step.type == "DEQUANTIZE":
        others = context.consumers(step.operator.index)
        if not others:
            return (
                "It gives an output of the model as float numbers.",
                "Convert with int8 or uint8 outputs, or leave it: one DEQUANTIZE on the CPU costs little.",
            )
        return f"It makes float numbers for {context.label(others[0])}.", _island(context, others[0], rule)
    if step.type == "QUANTIZE":
        others = context.producers(step.operator.index)
        if not others:
            return (
                "It makes integers of a float input of the model.",
                "Convert with int8 or uint8 inputs, or leave it: one QUANTIZE on the CPU costs little.",
            )
        return f"It takes float numbers from {context.label(others[0])}.", _island(context, others[0], rule)
    wrong = sorted({tensor.dtype for tensor in (*step.data, *step.outputs)} - EIGHT_BIT)
    return f"It works on {', '.join(wrong)} numbers.", NOT_SUPPORTED.get(step.type, rule.advice)


def _island(context: Context, index: int, rule: Rule) -> str:
    """What to do about the operation for whose sake numbers are converted."""
    return NOT_SUPPORTED.get(context.steps[index].type, rule.advice)


def _cut_off(context: Context, causes: Collection[int]) -> Verdict:
    """A supported operation behind one that is not: the compiler keeps the first part alone."""
    roots = [cause for cause in sorted(causes) if context.steps[cause].type not in _BETWEEN] or sorted(causes)
    named = ", ".join(context.label(root) for root in roots[:_NAMED])
    more = f" and {len(roots) - _NAMED} more" if len(roots) > _NAMED else ""
    return Verdict(
        "cpu", phrases.ONE_SUBGRAPH,
        f"The compiler keeps the first part alone, and this comes after {named}{more} on the CPU.",
        f"Change {named}{more}, or end the model there and do the rest on the host; or have all parts kept (the "
        "compiler's option -a).", certain=any(rule.certain for rule in map(context.broken.__getitem__, roots) if rule),
        after=tuple(roots),
    )
