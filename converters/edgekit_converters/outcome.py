"""What a conversion gives back."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.placement import Placement
from edgekit_converters.accuracy.recovery import Recovery
from edgekit_converters.evaluating.results import Evaluation


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


@dataclass(frozen=True, slots=True)
class TensorSummary:
    """An input or output of the finished model: name, type and shape, the batch of 1 in front."""

    name: str
    dtype: str
    shape: tuple[int, ...]


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
        warnings: What the user should know, a sentence each.
        peak_memory: The most memory that the converter took, in bytes.
        seconds: How long it took.
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
    warnings: tuple[str, ...]
    peak_memory: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON. An infinite `sqnr_db` (nothing differs) becomes null."""
        facts = asdict(dataclasses.replace(self, placement=None, evaluation=None, recovery=None))
        facts["evaluation"] = self.evaluation.to_dict() if self.evaluation else None
        facts["recovery"] = self.recovery.to_dict() if self.recovery else None
        facts["placement"] = self.placement.to_dict() if self.placement else None
        facts["path"] = str(self.path)
        facts["moved"], facts["warnings"] = list(self.moved), list(self.warnings)
        facts["seconds"] = round(self.seconds, 2)
        if self.agreement is not None:
            facts["agreement"]["sqnr_db"] = (
                round(self.agreement.sqnr_db, 2) if math.isfinite(self.agreement.sqnr_db) else None
            )
        return facts


def finished(conversion: Conversion, path: Path, seconds: float) -> Conversion:
    """What the child made, under the name and with the time that the parent knows."""
    evaluation = conversion.evaluation
    named = dataclasses.replace(evaluation, model=path.name) if evaluation else None
    return dataclasses.replace(conversion, path=path, seconds=seconds, evaluation=named)
