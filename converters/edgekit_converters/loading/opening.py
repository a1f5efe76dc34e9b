"""From what a job names to a traced function, whatever kind of model it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras

from edgekit_converters.loading.custom_objects import load_custom_objects
from edgekit_converters.loading.keras2 import freeze_keras2
from edgekit_converters.loading.keras3 import load_keras
from edgekit_converters.loading.saved_models import freeze_saved_model
from edgekit_converters.process import Job
from edgekit_converters.tracing.freezing import Frozen, freeze_keras
from edgekit_converters.tracing.signatures import shapes_in


def load(job: Job) -> Frozen:
    """Open the job's model and trace it at batch 1.

    Raises:
        EdgeKitError: what is wrong with the model, its custom objects or the sizes given.
    """
    given = job.options.input_shapes
    if isinstance(job.source, Path):  # a model in memory: its sizes were fixed in the process that holds it
        return replace(freeze_saved_model(job.source), rewrites=job.rewrites, notes=job.notes)
    if job.source.kind == "savedmodel":
        return freeze_saved_model(job.source.path, given)
    custom = load_custom_objects(job.options.custom_objects)
    model = load_keras(job.source, job.folder, custom)
    if isinstance(model, keras.Model):
        return freeze_keras(model, job.options.cures, given, shapes_in(job.calibration), job.options.replace)
    return freeze_keras2(model, given)
