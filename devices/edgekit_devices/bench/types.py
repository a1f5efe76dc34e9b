"""What is measured, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from edgekit.telemetry import Telemetry
from edgekit_devices.bench import figures
from edgekit_devices.bench.figures import Ratio

STAGES = ("preprocess", "inference", "postprocess")
TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Subject:
    """A model on a device, as the user named them.

    Attributes:
        model: Path of the file.
        device: As for `--device`.
        label: What to call the model.
        source: Where samples come from; empty for noise.
        threads: Threads of the processor; None for the default.
        normalize: How pixels are normalized, as for `edgekit.load`; None for what the file says.
        device_options: Options of the device, by name.
    """

    model: str
    device: str
    label: str
    source: str = ""
    threads: int | None = None
    normalize: str | None = None
    device_options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.label} on {self.device}"


@dataclass(frozen=True, slots=True)
class Opening:
    """What opening a model was like, in a process of its own.

    Attributes:
        device: What was taken, which for `auto` and for several names is one of them.
        reason: Why, in one line; empty where the user named one alone.
        threads: Threads of the processor that it may use.
        import_ms: Loading EdgeKit and the runtime into the process.
        load_ms: From the path to a model that is ready, its file being in memory already.
        first_ms: The first inference, from sample to result.
        memory_before: Bytes of the process before the model was loaded, Python and the runtime.
        samples: What the model is run on, in words.
    """

    device: str
    reason: str
    threads: int
    import_ms: float
    load_ms: float
    first_ms: float
    memory_before: int
    samples: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a network, run alone.

    Attributes:
        index: Place in execution order, from 0.
        type: Such as `CONV_2D`.
        name: Its first output's.
        shape: Of that.
        macs: Multiply-accumulates; 0 for types that have none.
        ms: The fastest of its runs; None where it cannot be run alone.
    """

    index: int
    type: str
    name: str
    shape: tuple[int, ...]
    macs: int
    ms: float | None


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations of a network, each run alone, and the whole in the same way.

    Attributes:
        each: In execution order.
        whole_ms: The whole network, the fastest of its runs.
    """

    each: tuple[Operation, ...]
    whole_ms: float

    @property
    def sum_ms(self) -> float:
        """All of them together."""
        return sum(operation.ms or 0.0 for operation in self.each)

    def by_type(self) -> dict[str, float]:
        """Milliseconds by type, the most first."""
        sums: dict[str, float] = {}
        for operation in self.each:
            sums[operation.type] = sums.get(operation.type, 0.0) + (operation.ms or 0.0)
        return dict(sorted(sums.items(), key=lambda item: -item[1]))


@dataclass(frozen=True, slots=True)
class Round:
    """Runs in a row, in milliseconds: by stage, and `total`, from sample to result."""

    times: Mapping[str, tuple[float, ...]]

    @property
    def runs(self) -> int:
        """How many."""
        return len(self.times[TOTAL])


@dataclass(slots=True)
class Measured:
    """What is known of one subject, as far as it came.

    Attributes:
        subject: What it is.
        opening: None where it could not be opened.
        rounds: In the order in which they were run.
        operations: None where they were not asked for, or not told.
        no_operations: Why they are not told.
        memory_peak: Bytes that its processes took at most, taken together.
        foreign: Processors that others kept busy meanwhile, by round.
        notes: What was said meanwhile, such as that another device took over.
        error: Why it could not be measured to the end; empty where it was.
    """

    subject: Subject
    opening: Opening | None = None
    rounds: list[Round] = field(default_factory=list)
    operations: Operations | None = None
    no_operations: str = ""
    memory_peak: int = 0
    foreign: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def name(self) -> str:
        """The model, the device as asked for, and the one that was taken where that is another."""
        taken = self.opening.device if self.opening else ""
        return f"{self.subject}{f' ({taken})' if taken and taken != self.subject.device else ''}"

    @property
    def runs(self) -> int:
        """Inferences that were timed."""
        return sum(round_.runs for round_ in self.rounds)

    def times(self, stage: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Milliseconds of all runs, of a stage or `total`."""
        return np.array([value for round_ in self.rounds for value in round_.times[stage]], np.float64)

    def medians(self, stage: str) -> list[float]:
        """The median of each round, in milliseconds."""
        return [float(np.median(round_.times[stage])) for round_ in self.rounds]

    @property
    def throughput(self) -> float:
        """Samples a second, one after another."""
        return 1000.0 / float(self.times(TOTAL).mean())

    @property
    def others(self) -> float | None:
        """Processors that others kept busy meanwhile, on average; None where that is not known."""
        return float(np.mean(self.foreign)) if self.foreign else None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.name, "model": self.subject.model, "device": self.subject.device, "error": self.error,
            "opening": asdict(self.opening) if self.opening else None,
            "runs": self.runs, "rounds": len(self.rounds),
            "throughput": self.throughput if self.runs else None,
            "stages": {stage: figures.summary(self.times(stage)) for stage in (*STAGES, TOTAL)} if self.runs else {},
            "single_stream_ms": figures.single_stream(self.times("inference")) if self.runs else None,
            "memory_peak": self.memory_peak, "others_busy": self.others, "notes": self.notes,
            "operations": _operations(self.operations), "no_operations": self.no_operations,
        }


def _operations(operations: Operations | None) -> dict[str, Any] | None:
    if operations is None:
        return None
    return {
        "each": [asdict(operation) for operation in operations.each], "by_type": operations.by_type(),
        "sum_ms": operations.sum_ms, "whole_ms": operations.whole_ms,
    }


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Several subjects side by side.

    Attributes:
        machine: What it ran on, by name: `board`, `system`, `cores`, `edgekit`, `runtime`, `python`, ...
        measured: In the order in which they were given.
        before: How the device fared before the first round.
        after: And after the last.
        throttled: What slowed it down at the end of any round.
        interrupted: Whether it was ended early; what was measured until then holds.
        warnings: What makes the figures doubtful.
    """

    machine: Mapping[str, Any]
    measured: tuple[Measured, ...]
    before: Telemetry
    after: Telemetry
    throttled: tuple[str, ...]
    interrupted: bool
    warnings: tuple[str, ...]

    @property
    def first(self) -> Measured | None:
        """What the others are compared with: the first that was measured."""
        return next((one for one in self.measured if one.rounds), None)

    def ratio(self, other: Measured, stage: str = "inference") -> Ratio | None:
        """How many times as long as the first another one takes; None where either was not measured."""
        if self.first is None or not other.rounds:
            return None
        return figures.ratio(self.first.medians(stage), other.medians(stage))

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        entries = []
        for one in self.measured:
            ratio = self.ratio(one)
            entries.append({**one.to_dict(), "ratio": asdict(ratio) if ratio else None})
        return {
            "machine": dict(self.machine), "interrupted": self.interrupted, "warnings": list(self.warnings),
            "throttled": list(self.throttled), "contenders": entries,
            "before": _telemetry(self.before), "after": _telemetry(self.after),
        }


def _telemetry(telemetry: Telemetry) -> dict[str, Any]:
    return {
        "temperatures": dict(telemetry.temperatures), "hottest": telemetry.hottest,
        "clocks": [asdict(clock) for clock in telemetry.clocks],
        "throttling": {cause: asdict(throttle) for cause, throttle in telemetry.throttling.items()},
        "power": dict(telemetry.power), "power_mode": telemetry.power_mode, "gpu_load": telemetry.gpu_load,
    }
