"""The whole way inside the child process: load, freeze, calibrate, quantize, describe, check."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from edgekit import metadata
from edgekit._version import __version__
from edgekit.tflite import ModelFile, read_model
from edgekit_converters import checking, describing
from edgekit_converters.calibration import Calibration, load_calibration
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.freezing import Frozen, freeze_keras, freeze_saved_model
from edgekit_converters.keras_files import KerasFile
from edgekit_converters.keras_loading import load_keras
from edgekit_converters.outcome import Agreement, Conversion, TensorSummary
from edgekit_converters.process import MODEL, Job
from edgekit_converters.quantizing import to_flatbuffer


def carry_out(job: Job, report: OnProgress) -> Conversion:
    """Convert, and leave the finished file at `job.folder / MODEL`.

    Raises:
        EdgeKitError: what is wrong with the model, the calibration data or the labels.
    """
    report(Progress(f"loading {job.name}"))
    frozen = _freeze(job)
    calibration = _calibrate(job, frozen, report)
    report(Progress("converting"))
    flatbuffer = to_flatbuffer(frozen, job.options, calibration, report)
    path = job.folder / MODEL
    path.write_bytes(flatbuffer)
    described = describing.describe(read_model(path), job, calibration, _versions())
    path.write_bytes(metadata.write(flatbuffer, described))
    model = read_model(path)
    agreement = None
    if calibration is not None:
        classifies = described.task == "classification"
        agreement = checking.compare(model, frozen, calibration, classifies, report)
    return _summary(job, model, described, calibration, agreement, frozen.rewrites)


def _freeze(job: Job) -> Frozen:
    if isinstance(job.source, Path):
        return replace(freeze_saved_model(job.source), rewrites=job.rewrites)
    if job.source.kind == "savedmodel":
        return freeze_saved_model(job.source.path)
    return freeze_keras(load_keras(job.source, job.folder))


def _calibrate(job: Job, frozen: Frozen, report: OnProgress) -> Calibration | None:
    if job.calibration is None:
        return None
    return load_calibration(job.calibration, job.calibration_name, frozen.inputs, job.options, report)


def _versions() -> dict[str, str]:
    return {"edgekit": __version__, "tensorflow": str(tf.__version__), "keras": str(keras.__version__)}


def _summary(
    job: Job, model: ModelFile, described: metadata.Metadata, calibration: Calibration | None,
    agreement: Agreement | None, rewrites: tuple[str, ...],
) -> Conversion:
    return Conversion(
        path=job.folder / MODEL,
        size=model.size,
        source_size=job.source.size if isinstance(job.source, KerasFile) else 0,
        precision=job.options.precision,
        target=job.options.target,
        task=described.task or "",
        inputs=_tensors(model.input_names, model.inputs),
        outputs=_tensors(model.output_names, model.outputs),
        operations=dict(Counter(operator.type for operator in model.main.operators)),
        labels=sum(len(output.labels) for output in described.outputs),
        calibration=calibration.summary if calibration else {},
        agreement=agreement,
        rewrites=rewrites,
        warnings=_warnings(job, model, described, calibration, agreement),
        seconds=0.0,  # known to the parent alone
    )


def _tensors(names: Any, tensors: Any) -> tuple[TensorSummary, ...]:
    return tuple(TensorSummary(n, t.dtype, tuple(t.static_shape)) for n, t in zip(names, tensors, strict=True))


def _warnings(
    job: Job, model: ModelFile, described: metadata.Metadata, calibration: Calibration | None,
    agreement: Agreement | None,
) -> tuple[str, ...]:
    found = list(calibration.warnings) if calibration else []
    if job.options.precision == "int8":
        found += checking.float_islands(model)
    if agreement:
        found += checking.disagreement(agreement)
    if described.task == "classification" and model.final_activation(0) is None:
        found.append("the last layer is no softmax: the scores of classes are what it gives, and no probabilities")
    return tuple(found)
