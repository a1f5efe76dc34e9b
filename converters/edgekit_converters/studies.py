"""What a report tells besides a conversion; here, since the parent process reads it without TensorFlow."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

from edgekit_converters.accuracy.sensitivity.results import Sensitivity
from edgekit_converters.process import STUDY
from edgekit_converters.reporting.errors import OutputErrors


@dataclass(frozen=True, slots=True)
class Study:
    """What was measured.

    Attributes:
        sensitivity: What quantizing each operation costs; None where the model was not calibrated by EdgeKit.
        errors: The finished model's outputs against the float model's, on calibration samples; None for a model that
            remembers earlier samples.
    """

    sensitivity: Sensitivity | None
    errors: OutputErrors | None


def read_study(folder: Path) -> Study:
    """What `study` left in the job's folder; an empty one where it did not run."""
    path = folder / STUDY
    found: Study = pickle.loads(path.read_bytes()) if path.exists() else Study(None, None)
    return found
