"""What a report is made from. Only the model must be there: a section without facts says what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgekit.placement import Placement
from edgekit_converters.accuracy.gate import Verdict
from edgekit_converters.accuracy.recovery import Recovery
from edgekit_converters.accuracy.sensitivity.results import Sensitivity
from edgekit_converters.evaluating.results import Evaluation
from edgekit_converters.outcome import Conversion
from edgekit_converters.reporting.errors import OutputErrors
from edgekit_converters.reporting.latency import MeasuredLatency


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """Everything known of a model.

    Attributes:
        model: The finished `.tflite` file.
        command: How the report was asked for, as it could be typed again; empty for Python.
        conversion: How the model was made.
        evaluation: How good it is on data, and against the float model; by default the conversion's, as `recovery`.
        placement: Where its operations run; by default the conversion's, else what its target's analyser tells.
        calibration: How its ranges were found, as `Calibrated.summary()` has it; by default what the conversion or the
            model's metadata says.
        sensitivity: What quantizing each operation costs.
        errors: How far its outputs are from the float model's.
        gate: The model held against what its accuracy may lose; by default the last word of `recovery`.
        recovery: What was tried to meet the gate.
        latency: Measured on this machine.
        card: The user's text, Markdown: intended use, limits; a heading that is one of the model card's
            (`edgekit_converters.reporting.model_card.HEADINGS`) puts what follows there.
        created: When the report is made.
    """

    model: Path
    command: str = ""
    conversion: Conversion | None = None
    evaluation: Evaluation | None = None
    placement: Placement | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)
    sensitivity: Sensitivity | None = None
    errors: OutputErrors | None = None
    gate: Verdict | None = None
    recovery: Recovery | None = None
    latency: MeasuredLatency | None = None
    card: str = ""
    created: datetime = field(default_factory=_now)

    @property
    def measured(self) -> Evaluation | None:
        """The evaluation, wherever it is from."""
        return self.evaluation or (self.conversion.evaluation if self.conversion else None)

    @property
    def tried(self) -> Recovery | None:
        """The recovery, wherever it is from."""
        return self.recovery or (self.conversion.recovery if self.conversion else None)
