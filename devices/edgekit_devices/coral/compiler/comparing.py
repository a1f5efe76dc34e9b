"""The compiler's verdict beside the one that was foretold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.placement import Placement
from edgekit.tflite import ModelFile, Operator, Subgraph
from edgekit.tflite.opcodes import EDGETPU_CUSTOM_OP
from edgekit_devices.coral.compiler.log import Row
from edgekit_devices.coral.placement.phrases import MAPPED


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """So many operations of a type have a status: as foretold, and by the compiler (None where it did not say)."""

    type: str
    status: str
    foretold: int
    compiler: int | None

    @property
    def differs(self) -> bool:
        """Whether the two disagree."""
        return self.compiler is not None and self.compiler != self.foretold


@dataclass(frozen=True, slots=True)
class Difference:
    """An operation that the compiler has elsewhere than was foretold.

    Attributes:
        index: Place in execution order of the model that was compiled.
        type: Such as `CONV_2D`, or the name of a custom operation.
        layer: Layer of the Keras model; empty where no name tells it.
        foretold: `coral` or `cpu`.
        compiler: `coral` or `cpu`, as the compiled file shows it.
        certain: Whether the rule that foretold it rests on what is published.
    """

    index: int
    type: str
    layer: str
    foretold: str
    compiler: str
    certain: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the compiler decided, and where that was not foretold.

    Attributes:
        on_target: Operations on the Edge TPU, as the compiled file shows it.
        on_cpu: Operations on the processor, likewise.
        rows: The compiler's table beside the foretold one, in execution order.
        differences: Operations that are elsewhere than was foretold.
        notes: Where the compiler's table and its file contradict each other.
    """

    on_target: int
    on_cpu: int
    rows: tuple[ComparedRow, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether all is as foretold, each status too where the compiler says them."""
        return not self.differences and not any(row.differs for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "on_target": self.on_target,
            "on_cpu": self.on_cpu,
            "agrees": self.agrees,
            "table": [{**asdict(row), "differs": row.differs} for row in self.rows],
            "differences": [asdict(difference) for difference in self.differences],
            "notes": list(self.notes),
        }


def compare(graph: Subgraph, foretold: Placement, compiled: Sequence[ModelFile], rows: Sequence[Row]) -> Verdict:
    """Set the two side by side.

    Args:
        graph: The model's graph.
        foretold: Its placement.
        compiled: What it was compiled to: one file, or its segments.
        rows: The compiler's table; empty where it is not known.
    """
    on_cpu = _left_over(graph, compiled)
    found = ["cpu" if index in on_cpu else foretold.target for index in range(len(graph.operators))]
    differences = tuple(
        Difference(one.index, one.custom_code or one.type, one.layer, one.placement, where, one.certain)
        for one, where in zip(foretold.operations, found, strict=True) if one.placement != where
    )
    return Verdict(
        len(found) - len(on_cpu), len(on_cpu), _rows(foretold, rows), differences,
        tuple(_contradictions(rows, len(found), len(on_cpu))),
    )


def _left_over(graph: Subgraph, compiled: Sequence[ModelFile]) -> set[int]:
    """Operations that still stand in a compiled file, by type and the names of their results."""
    standing = Counter(
        _key(operator, file.main) for file in compiled for operator in file.main.operators
        if operator.custom_code != EDGETPU_CUSTOM_OP
    )
    left = set()
    for operator in graph.operators:
        key = _key(operator, graph)
        if standing[key] > 0:
            standing[key] -= 1
            left.add(operator.index)
    return left


def _key(operator: Operator, graph: Subgraph) -> tuple[str, ...]:
    return (operator.label, *(graph.tensors[index].name for index in operator.outputs if index >= 0))


def _rows(foretold: Placement, rows: Sequence[Row]) -> tuple[ComparedRow, ...]:
    ours = {(type_, status): count for type_, count, status in foretold.summary()}
    theirs: Counter[tuple[str, str]] = Counter()
    for row in rows:
        theirs[row.type, row.status] += row.count
    return tuple(
        ComparedRow(*key, ours.get(key, 0), theirs[key] if rows else None) for key in dict.fromkeys((*ours, *theirs))
    )


def _contradictions(rows: Sequence[Row], total: int, on_cpu: int) -> list[str]:
    if not rows:
        return []
    notes = []
    if (counted := sum(row.count for row in rows)) != total:
        notes.append(f"The compiler's table counts {counted} operations, and the model has {total}.")
    left = sum(row.count for row in rows if row.status != MAPPED)
    if left != on_cpu:
        notes.append(f"The compiler's table has {left} operations on the CPU, and its file {on_cpu}.")
    return notes
