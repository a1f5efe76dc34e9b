"""The whole of it: refusals, rules, partition, verdicts, costs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import takewhile

from edgekit.choices import one_of
from edgekit.placement import SUBGRAPHS, Crossing, Part, PlacedOperation, Placement, Subgraphs
from edgekit.tflite import Subgraph, parse_model, read_model
from edgekit_devices.coral.placement.cautions import dense_inputs
from edgekit_devices.coral.placement.costs import macs, memory, parameter_bytes
from edgekit_devices.coral.placement.finished import describe_compiled
from edgekit_devices.coral.placement.general import GENERAL
from edgekit_devices.coral.placement.layers import layer_names, operation_name
from edgekit_devices.coral.placement.limits import LIMITS
from edgekit_devices.coral.placement.partition import Epoch, epochs
from edgekit_devices.coral.placement.refusals import refusals
from edgekit_devices.coral.placement.rule import Rule
from edgekit_devices.coral.placement.step import Step, bytes_of, edges, steps
from edgekit_devices.coral.placement.verdicts import TARGET, Context, verdict

COMPILER = "edgetpu_compiler 16.0.384591198"
"""The last one, of July 2021, with its default runtime 14."""


def analyse(model: str | os.PathLike[str] | bytes, *, subgraphs: Subgraphs = "first") -> Placement:
    """Tell where the Edge TPU's compiler will put each operation of a model, without running it.

    Args:
        model: A `.tflite` file, or its bytes. One that is compiled already is opened, and what it holds is told.
        subgraphs: `first`: only the first part that the Edge TPU can run goes there, as the compiler has it by
            default; `all`: every part, as with its option `-a`.

    Raises:
        MissingFileError: there is no such file.
        ModelFileError: it is not a TFLite model, or is damaged.
        UsageError: `subgraphs` is none of the two.
    """
    one_of("subgraphs", subgraphs, SUBGRAPHS)
    file = parse_model(model, details=True) if isinstance(model, bytes) else read_model(model, details=True)
    if file.is_edgetpu:
        return describe_compiled(file, model)
    return place(file.main, subgraphs=subgraphs, others=file.subgraphs[1:])


def place(graph: Subgraph, *, subgraphs: Subgraphs = "first", others: Sequence[Subgraph] = ()) -> Placement:
    """Tell where the operations of one graph go.

    Args:
        graph: The graph that runs, with options and small constants (`details`).
        subgraphs: As for `analyse`.
        others: Further graphs of the same file.
    """
    found = steps(graph)
    broken = tuple(_first_broken(step) for step in found)
    order = epochs(graph.operators, frozenset(index for index, rule in enumerate(broken) if rule is None))
    refused = refusals(graph, others)
    parts = [epoch for epoch in order if epoch.delegated and not refused]
    kept = parts if subgraphs == "all" else parts[:1]
    context = Context(
        found, broken, tuple(layer_names(found)), edges=edges(graph), refused=refused,
        homes={index: number for number, part in enumerate(kept) for index in part.operations},
        early=frozenset(index for epoch in takewhile(_stays, order) for index in epoch.operations),
    )
    operations = tuple(_placed(context, index, causes) for index, causes in enumerate(context.causes()))
    return Placement(
        target=TARGET, compiler=COMPILER, mode=subgraphs, operations=operations, edges=tuple(context.edges),
        parts=tuple(_part(graph, epoch) for epoch in kept), refusals=refused,
        memory=None if refused else memory([operation.parameter_bytes for operation in operations], _wide(found)),
        notes=tuple(_notes(graph, parts, kept)),
    )


def _first_broken(step: Step) -> Rule | None:
    return next((rule for rule in (*GENERAL, *LIMITS) if rule.concerns(step) and not rule.holds(step)), None)


def _stays(epoch: Epoch) -> bool:
    return not epoch.delegated


def _placed(context: Context, index: int, causes: frozenset[int]) -> PlacedOperation:
    step, said, home = context.steps[index], verdict(context, index, causes), context.homes.get(index)
    return PlacedOperation(
        index=index, type=step.type, custom_code=step.operator.custom_code, name=operation_name(step),
        layer=context.layers[index], placement=said.placement, status=said.status, reason=said.reason,
        advice=said.advice, certain=said.certain, after=said.after, subgraph=home, macs=macs(step),
        parameter_bytes=0 if home is None else parameter_bytes(step),
    )


def _wide(found: Sequence[Step]) -> bool:
    """Whether there is a Dense layer of so many inputs that it may be streamed even where it fits."""
    return any(dense_inputs.concerns(step) and not dense_inputs.holds(step) for step in found)


def _part(graph: Subgraph, epoch: Epoch) -> Part:
    """A part with what crosses its boundary: computed tensors from outside, and those that are wanted outside."""
    inside = [graph.operators[index] for index in epoch.operations]
    made = {tensor for operator in inside for tensor in operator.outputs}
    taken = {tensor for operator in inside for tensor in operator.inputs if tensor >= 0}
    within = set(epoch.operations)
    outside = {tensor for o in graph.operators if o.index not in within for tensor in o.inputs}
    wanted = made & (outside | set(graph.outputs))
    needed = {t for t in taken - made if not (graph.tensors[t].constant or graph.tensors[t].variable)}

    def crossings(tensors: set[int]) -> tuple[Crossing, ...]:
        return tuple(
            Crossing(graph.tensors[index].name, bytes_of(graph.tensors[index])) for index in sorted(tensors)
        )

    return Part(epoch.operations, crossings(needed), crossings(wanted))


def _notes(graph: Subgraph, parts: Sequence[Epoch], kept: Sequence[Epoch]) -> list[str]:
    notes = []
    if any(size < 0 for index in graph.inputs for size in graph.tensors[index].shape):
        notes.append("An input leaves a size open, mostly the batch: it is compiled as 1.")
    if len(parts) > len(kept):
        number = sum(len(part.operations) for part in parts)
        notes.append(
            f"{len(parts)} parts could run on the Edge TPU, and the first is kept. With all of them (the compiler's "
            f"option -a, --subgraphs all here) it would be {number} operations; each part costs a transfer."
        )
    return notes
