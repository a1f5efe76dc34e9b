"""What the child process does for `edgekit sensitivity`."""

from __future__ import annotations

from dataclasses import replace

from edgekit_converters.accuracy.choosing import Chooser
from edgekit_converters.accuracy.sensitivity.probing import measure_sensitivity
from edgekit_converters.accuracy.sensitivity.results import Sensitivity
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.loading.opening import load
from edgekit_converters.preparing import calibrate, fixed_tensors, in_float
from edgekit_converters.process import Job


def carry_out(job: Job, report: OnProgress) -> Sensitivity:
    """Open and calibrate the job's model as a conversion does, and measure it.

    Raises:
        EdgeKitError: what is wrong with the model or the calibration data.
    """
    report(Progress(f"loading {job.name}"))
    frozen = load(job)
    calibration = calibrate(job, frozen, report)
    assert calibration is not None  # `sensitivity_of` takes none without
    report(Progress("converting"))
    model = in_float(job, frozen, calibration)
    fixed = fixed_tensors(frozen, calibration)
    chosen = Chooser(model.flatbuffer, job.options, calibration.samples, fixed, report).quantized(
        job.options.calibrator
    )
    found = measure_sensitivity(
        model.flatbuffer, chosen.measured, job.options, calibration.samples, model.places, report
    )
    return replace(found, warnings=calibration.warnings)
