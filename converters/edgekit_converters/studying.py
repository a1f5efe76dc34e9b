"""What a report tells besides a conversion, measured while float and finished model are both at hand."""

from __future__ import annotations

import pickle

import numpy as np

from edgekit.tflite import ModelFile
from edgekit_converters import checking
from edgekit_converters.accuracy.sensitivity.probing import measure_sensitivity
from edgekit_converters.events import OnProgress
from edgekit_converters.preparing import Lowered
from edgekit_converters.process import STUDY, Job
from edgekit_converters.reporting.errors import OutputErrors, output_errors
from edgekit_converters.samples.calibration import Calibration, spread
from edgekit_converters.studies import Study
from edgekit_converters.tracing.freezing import Frozen


def study(
    job: Job, frozen: Frozen, calibration: Calibration, finished: Lowered, model: ModelFile, report: OnProgress
) -> None:
    """Measure, and leave what was found at `job.folder / STUDY`.

    Args:
        job: The conversion.
        frozen: The float model.
        calibration: Samples to measure on.
        finished: What came of it.
        model: The same, as a file with its metadata.
        report: Told of the progress.
    """
    sensitivity = None
    if finished.calibrated is not None and finished.in_float is not None:
        sensitivity = measure_sensitivity(
            finished.in_float, finished.calibrated.measured, job.options, calibration.samples, finished.places, report
        )
    found = Study(sensitivity, None if frozen.states else _errors(frozen, calibration, finished, model))
    (job.folder / STUDY).write_bytes(pickle.dumps(found))


def _errors(frozen: Frozen, calibration: Calibration, finished: Lowered, model: ModelFile) -> OutputErrors:
    file = checking.FinishedFile(model, finished.moved)
    pairs = [(file(sample), frozen(sample)) for sample in spread(calibration.samples, checking.MOST_SAMPLES)]
    names = list(pairs[0][0])
    return output_errors(*(
        {name: np.stack([np.asarray(pair[side][name]) for pair in pairs]) for name in names} for side in (0, 1)
    ))
