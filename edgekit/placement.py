"""Where the operations of a model run, as an analyser of the entry point group `edgekit.placements` tells it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Protocol

Fit = Literal["probably", "perhaps", "no"]
Subgraphs = Literal["first", "all"]
SUBGRAPHS: tuple[Subgraphs, ...] = ("first", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOperation:
    """One operation and where it runs.

    Attributes:
        index: Place in execution order, from 0.
        type: Such as `CONV_2D`; `CUSTOM` for one that TFLite does not define.
        custom_code: Name of a custom operation; else empty.
        name: Name of its first output, tidied.
        layer: Layer of the Keras model, such as `block/conv1`; empty where no tensor's name tells it.
        placement: Name of the accelerator, or `cpu`.
        status: The phrase of the accelerator's own compiler.
        reason: Why it is not on the accelerator, or may turn out not to be; else empty.
        advice: What to change in the model; else empty.
        certain: False where the rule rests on a limit that is not published.
        after: Operations on the cpu for whose sake alone this one is there too; else empty.
        subgraph: Number of the accelerator's subgraph that it is part of; None on the cpu.
        macs: Multiply-accumulates for one run.
        parameter_bytes: What its constants take in the accelerator's memory, estimated; 0 on the cpu.
    """

    index: int
    type: str
    name: str
    placement: str
    status: str
    custom_code: str = ""
    layer: str = ""
    reason: str = ""
    advice: str = ""
    certain: bool = True
    after: tuple[int, ...] = ()
    subgraph: int | None = None
    macs: int = 0
    parameter_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Crossing:
    """A tensor that passes between the processor and the accelerator, once a run."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Part:
    """A subgraph that runs on the accelerator in one go; `operations` are their indices."""

    operations: tuple[int, ...]
    inputs: tuple[Crossing, ...]
    outputs: tuple[Crossing, ...]

    @property
    def bytes_in(self) -> int:
        """Bytes sent to the accelerator for each run."""
        return sum(crossing.bytes for crossing in self.inputs)

    @property
    def bytes_out(self) -> int:
        """Bytes fetched from it for each run."""
        return sum(crossing.bytes for crossing in self.outputs)


@dataclass(frozen=True, slots=True)
class Memory:
    """Parameters against the accelerator's memory for them; all sizes in bytes.

    Attributes:
        parameters: What all constants on the accelerator take there, estimated.
        capacity: What the accelerator has.
        fits: Whether they stay there from run to run.
        streamed: Least and most that has to be sent again for each run.
        error: How good the estimate is.
    """

    parameters: int
    capacity: int
    fits: Fit
    streamed: tuple[int, int]
    error: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the compiler takes no part of the file; `operations` are the indices of the causes."""

    status: str
    reason: str
    advice: str
    operations: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Executable:
    """A program within a compiled file.

    Attributes:
        type: `STAND_ALONE`, `PARAMETER_CACHING` or `EXECUTION_ONLY`.
        parameter_bytes: Bytes of the parameters that it brings.
        narrow_memory_bytes: Activation memory that it uses, at most, in each tile.
        caching_token: Programs with the same one share the memory for parameters; 16 hexadecimal digits.
    """

    type: str
    parameter_bytes: int
    narrow_memory_bytes: int
    caching_token: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """What was compiled for the accelerator: one operation of a compiled file.

    Attributes:
        operation: Index of the operation.
        min_runtime_version: Oldest runtime that takes it.
        compiler_version: As the file says it; empty where it does not.
        executables: The programs.
        chips: Number of devices that it is made for.
    """

    operation: int
    min_runtime_version: int
    compiler_version: str
    executables: tuple[Executable, ...]
    chips: int = 1

    @property
    def cached_bytes(self) -> int:
        """Parameters that are sent once and stay in the accelerator's memory."""
        return sum(one.parameter_bytes for one in self.executables if one.type == "PARAMETER_CACHING")

    @property
    def streamed_bytes(self) -> int:
        """Parameters that are sent for each run."""
        return sum(one.parameter_bytes for one in self.executables if one.type != "PARAMETER_CACHING")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a model's operations run on a target.

    Attributes:
        target: Name of the accelerator.
        compiler: The compiler that is foretold, or empty for a compiled file.
        mode: Whether only the first of the accelerator's subgraphs is kept, or all.
        operations: In execution order.
        edges: Pairs of operation indices where the second takes a result of the first.
        parts: The accelerator's subgraphs.
        memory: None where nothing is estimated.
        refusals: Why the compiler takes no part of the file; empty where it takes it.
        packages: What a compiled file holds; empty for another one.
        asked: The accelerator that answered for itself, such as a GPU; empty where its answer is foretold.
        wrong: How the accelerator's results differ from the processor's; empty where they agree, or were not compared.
        notes: What else to know, sentence by sentence.
    """

    target: str
    compiler: str
    mode: Subgraphs
    operations: tuple[PlacedOperation, ...]
    edges: tuple[tuple[int, int], ...] = ()
    parts: tuple[Part, ...] = ()
    memory: Memory | None = None
    refusals: tuple[Refusal, ...] = ()
    packages: tuple[Package, ...] = ()
    asked: str = ""
    wrong: str = ""
    notes: tuple[str, ...] = ()

    @property
    def on_target(self) -> int:
        """Number of operations on the accelerator."""
        return sum(operation.placement == self.target for operation in self.operations)

    @property
    def on_cpu(self) -> int:
        """Number of operations on the processor."""
        return len(self.operations) - self.on_target

    @property
    def mac_share(self) -> float | None:
        """Share of the multiply-accumulates on the accelerator, 0 to 1; None where there are none to count."""
        total = sum(operation.macs for operation in self.operations)
        mapped = sum(operation.macs for operation in self.operations if operation.placement == self.target)
        return mapped / total if total and not self.packages else None

    def summary(self) -> list[tuple[str, int, str]]:
        """Rows of the compiler's own table: type, count, status; in the order in which they first run."""
        counted = Counter((operation.type, operation.status) for operation in self.operations)
        return [(type_, number, status) for (type_, status), number in counted.items()]

    def to_dict(self) -> dict[str, Any]:
        """The totals as plain values for JSON; operations are not among them."""
        return {
            "target": self.target,
            "compiler": self.compiler or None,
            "asked": self.asked or None,
            "wrong": self.wrong or None,
            "subgraphs": self.mode,
            "operations": {"total": len(self.operations), self.target: self.on_target, "cpu": self.on_cpu},
            "mac_share": self.mac_share,
            "summary": [dict(zip(("type", "count", "status"), row, strict=True)) for row in self.summary()],
            "refusals": [asdict(refusal) for refusal in self.refusals],
            "parts": [
                {**asdict(part), "bytes_in": part.bytes_in, "bytes_out": part.bytes_out} for part in self.parts
            ],
            "memory": asdict(self.memory) if self.memory else None,
            "packages": [
                {**asdict(package), "cached_bytes": package.cached_bytes, "streamed_bytes": package.streamed_bytes}
                for package in self.packages
            ],
            "notes": list(self.notes),
        }


class Analyser(Protocol):
    """What is registered in the entry point group `edgekit.placements`, under the name of the target."""

    def __call__(self, model: str | os.PathLike[str] | bytes, *, subgraphs: Subgraphs = "first") -> Placement:
        """Tell where a model's operations run."""


def operation_facts(operation: PlacedOperation) -> Mapping[str, Any]:
    """What a placement adds to an operation in `edgekit inspect --json`."""
    known = ("index", "type", "custom_code")
    return {field.name: getattr(operation, field.name) for field in fields(operation) if field.name not in known}
