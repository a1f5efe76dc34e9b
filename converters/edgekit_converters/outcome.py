"""What a conversion gives back."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.placement import Placement
from edgekit.twin import cpu_twin_of
from edgekit_converters.accuracy.recovery import Recovery
from edgekit_converters.evaluating.results import Evaluation
from edgekit_converters.onnx.types import OnnxFile, onnx_path


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the finished model's outputs agree with the float model's, on calibration samples.

    Attributes:
        samples: How many samples were compared.
        sqnr_db: Signal to quantization noise of all outputs of real numbers together, 10·log10(Σf² / Σ(f-q)²), in
            decibels; infinite where none differs.
        same_class: Share of samples with the same best class, 0 to 1; None unless the model classifies.
        same_numbers: Share of equal numbers in outputs of whole numbers, such as an argmax's, 0 to 1; None where the
            float model has no such output.
    """

    samples: int
    sqnr_db: float
    same_class: float | None
    same_numbers: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON: an infinite `sqnr_db` becomes null."""
        decibels = round(self.sqnr_db, 2) if math.isfinite(self.sqnr_db) else None
        return {**asdict(self), "sqnr_db": decibels}


@dataclass(frozen=True, slots=True)
class TensorSummary:
    """An input or output of the finished model: name, type and shape, the batch of 1 in front."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Twin:
    """An int8 file for the processor, which takes and gives what the file for the GPU does.

    Attributes:
        path: The file.
        size: Its size in bytes.
        precision: int8, or what else kept the accuracy that was asked for.
        agreement: With the float model.
        evaluation: On the user's data, against the float model; None where none was asked for.
        speed: How many times as fast as the file for the GPU on the processor of this machine, with one thread.
    """

    path: Path
    size: int
    precision: str
    agreement: Agreement
    evaluation: Evaluation | None
    speed: float

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {
            **asdict(dataclasses.replace(self, evaluation=None)), "path": str(self.path),
            "agreement": self.agreement.to_dict(), "speed": round(self.speed, 2),
            "evaluation": self.evaluation.to_dict() if self.evaluation else None,
        }


@dataclass(frozen=True, slots=True)
class Conversion:
    """A finished conversion.

    Attributes:
        path: The file that was written.
        size: Its size in bytes; `source_size` is that of what it was made from (0 for a model in memory).
        precision: int8, int16x8, float16, dynamic or float32.
        target: What it was converted for.
        runtime: The interpreter that it has to suit.
        task: What the runtime will make of its outputs.
        inputs: Input tensors in the order of the graph; `outputs` alike.
        operations: How often each operation occurs.
        labels: How many class names it carries.
        calibration: What the ranges were measured on; empty where nothing was.
        agreement: With the float model; None where there was no calibration data to compare on.
        evaluation: On the user's data, against the float model; None where none was asked for.
        recovery: What was tried so that no more accuracy is lost than may be; None where nothing was said of that.
        rewrites: What was put into another form that computes the same: a sentence each, by the name for `keep`.
        placement: Where the operations will run; None where the target has no accelerator.
        moved: What the device computes on the outputs, in place of the network: a sentence for each such output.
        twin: The int8 file for the processor that goes beside one for the GPU; None where there is none.
        warnings: What the user should know, a sentence each.
        peak_memory: The most memory that the converter took, in bytes.
        seconds: How long it took.
        onnx: The ONNX file of the same network; None where none was asked for.
    """

    path: Path
    size: int
    source_size: int
    precision: str
    target: str
    runtime: str
    task: str
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    operations: dict[str, int]
    labels: int
    calibration: dict[str, Any]
    agreement: Agreement | None
    evaluation: Evaluation | None
    recovery: Recovery | None
    rewrites: dict[str, str]
    placement: Placement | None
    moved: tuple[str, ...]
    twin: Twin | None
    warnings: tuple[str, ...]
    peak_memory: int
    seconds: float
    onnx: OnnxFile | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON. An infinite `sqnr_db` (nothing differs) becomes null."""
        facts = asdict(dataclasses.replace(self, placement=None, evaluation=None, recovery=None, onnx=None, twin=None))
        facts["twin"] = self.twin.to_dict() if self.twin else None
        facts["evaluation"] = self.evaluation.to_dict() if self.evaluation else None
        facts["recovery"] = self.recovery.to_dict() if self.recovery else None
        facts["placement"] = self.placement.to_dict() if self.placement else None
        facts["path"] = str(self.path)
        facts["onnx"] = self.onnx.to_dict() if self.onnx else None
        facts["moved"], facts["warnings"] = list(self.moved), list(self.warnings)
        facts["seconds"] = round(self.seconds, 2)
        facts["agreement"] = self.agreement.to_dict() if self.agreement else None
        return facts


def finished(conversion: Conversion, path: Path, seconds: float) -> Conversion:
    """What the child made, under the name and with the time that the parent knows."""
    evaluation = conversion.evaluation
    named = dataclasses.replace(evaluation, model=path.name) if evaluation else None
    onnx = conversion.onnx.at(onnx_path(path)) if conversion.onnx else None
    twin = _twin_at(cpu_twin_of(path), conversion.twin) if conversion.twin else None
    return dataclasses.replace(conversion, path=path, seconds=seconds, evaluation=named, onnx=onnx, twin=twin)


def _twin_at(path: Path, twin: Twin) -> Twin:
    named = dataclasses.replace(twin.evaluation, model=path.name) if twin.evaluation else None
    return dataclasses.replace(twin, path=path, evaluation=named)
