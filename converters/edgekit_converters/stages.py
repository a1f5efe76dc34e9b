"""The whole way inside the child process: load, freeze, calibrate, quantize, describe, check."""

from __future__ import annotations

import resource
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from edgekit import host, metadata
from edgekit._version import __version__
from edgekit.placement import Placement
from edgekit.tflite import ModelFile, parse_model, read_model
from edgekit_converters import checking, content, describing, placing, twinning
from edgekit_converters.cures import CURES
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.learning import learned
from edgekit_converters.loading.keras_files import KerasFile
from edgekit_converters.loading.opening import load
from edgekit_converters.lowering import host_moving
from edgekit_converters.lowering.host_moving import HostSteps
from edgekit_converters.onnx.types import ONNX, OnnxFile
from edgekit_converters.outcome import Agreement, Conversion, TensorSummary
from edgekit_converters.preparing import Lowered, calibrate, fixed_tensors, in_float, quantized
from edgekit_converters.process import MODEL, Job
from edgekit_converters.refereeing import Held, Opened, hold
from edgekit_converters.samples.calibration import Calibration
from edgekit_converters.studying import study
from edgekit_converters.tracing.freezing import Frozen

_KILOBYTE = 1024


@dataclass(frozen=True, slots=True)
class _Finished:
    """What the steps gave, for the summary."""

    model: ModelFile
    described: metadata.Metadata
    calibration: Calibration | None
    agreement: Agreement | None
    held: Held
    placement: Placement | None
    warnings: tuple[str, ...]
    onnx: OnnxFile | None


def carry_out(job: Job, report: OnProgress) -> Conversion:
    """Convert, and leave the finished file at `job.folder / MODEL`, and one for the processor at `job.folder / TWIN`.

    Raises:
        EdgeKitError: what is wrong with the model, the calibration data or the labels.
    """
    report(Progress(f"loading {job.name}"))
    frozen = load(job)
    calibration = calibrate(job, frozen, report)
    made = convert(job, frozen, calibration, report)
    if calibration is None or not job.options.has_twin:
        return made

    def convert_again(other: Job) -> Conversion:
        # What was unrolled for the GPU is one operation on the processor.
        unrolled = "loops" in frozen.rewrites and not frozen.states and isinstance(job.source, KerasFile)
        return convert(other, load(other) if unrolled else frozen, calibration, report)

    return twinning.with_twin(made, job, convert_again)


def convert(job: Job, frozen: Frozen, calibration: Calibration | None, report: OnProgress) -> Conversion:
    """Convert what is loaded already, and leave the finished file at `job.folder / MODEL`.

    Raises:
        EdgeKitError: it cannot be converted, or loses more accuracy than may be.
    """
    report(Progress("converting"))
    source = lowered = in_float(job, frozen, calibration)
    if calibration is not None and job.options.calibrated:
        lowered = quantized(job, source, calibration, fixed_tensors(frozen, calibration), report)
    warnings = content.check_content(parse_model(lowered.flatbuffer), job.options, lowered.places)
    held = Held(lowered)
    if job.gate is not None:
        opened = Opened(job, frozen, calibration, source)
        held = hold(opened, lowered, lambda model, path: _write(job, frozen, calibration, model, path), report)
        lowered, job = held.lowered, _of_precision(job, held.lowered)
        warnings = content.check_content(
            parse_model(lowered.flatbuffer), job.options, lowered.places, lowered.kept_float
        )
    report(Progress("looking where its operations run"))
    placement = placing.place(lowered.flatbuffer, job.options, lowered.places)
    path = job.folder / MODEL
    described = _write(job, frozen, calibration, lowered, path)
    model = read_model(path)
    agreement = None
    if calibration is not None:
        classifies = described.task in checking.CLASSIFYING
        agreement = checking.compare(model, lowered.moved, frozen, calibration, classifies, report)
    onnx = None
    if ONNX in job.options.also:
        from edgekit_converters.onnx.comparing import disagreement  # what only the extra has
        from edgekit_converters.onnx.exporting import export

        onnx = export(job, frozen, calibration, source, lowered, model, described, report)
        warnings += disagreement(onnx)
    if job.options.move_to_host and not lowered.moved:
        warnings.append(host_moving.NOTHING_MOVED)
    told = (*frozen.notes, *warnings, *placing.warnings_of(placement, job.options.target))
    if job.study and calibration is not None:
        study(job, frozen, calibration, lowered, model, report)
    return _summary(job, _Finished(model, described, calibration, agreement, held, placement, told, onnx))


def _of_precision(job: Job, lowered: Lowered) -> Job:
    return replace(job, options=replace(job.options, precision=lowered.precision or job.options.precision))


def _write(
    job: Job, frozen: Frozen, calibration: Calibration | None, lowered: Lowered, path: Path
) -> metadata.Metadata:
    """Write a model with its metadata, which is given back."""
    if calibration is not None and lowered.calibrated is not None:
        calibration = replace(calibration, summary={**calibration.summary, **lowered.calibrated.way()})
    path.write_bytes(lowered.flatbuffer)
    model = read_model(path)
    job = _with_learned(job, model, frozen, calibration, lowered.moved)
    described = describing.describe(model, job, frozen, calibration, _versions(), lowered.moved)
    path.write_bytes(metadata.write(lowered.flatbuffer, described))
    return described


def _with_learned(
    job: Job, model: ModelFile, frozen: Frozen, calibration: Calibration | None, moved: HostSteps
) -> Job:
    """The job with what its task has to know and only data can tell."""
    states = {model.input_names.index(link.input.name) for link in frozen.states}
    windows = describing.windows_of(model, job.options, calibration, states)
    options = learned(job.options, model, moved, calibration, next(iter(windows.values()), None))
    return replace(job, options=options)


def _versions() -> dict[str, str]:
    return {"edgekit": __version__, "tensorflow": str(tf.__version__), "keras": str(keras.__version__)}


def _summary(job: Job, finished: _Finished) -> Conversion:
    model, described = finished.model, finished.described
    return Conversion(
        path=job.folder / MODEL,
        size=model.size,
        source_size=job.source.size if isinstance(job.source, KerasFile) else 0,
        precision=job.options.precision,
        target=job.options.target,
        runtime=job.options.runtime,
        task=described.task or "",
        inputs=_tensors(model.input_names, model.inputs),
        outputs=_tensors(model.output_names, model.outputs),
        operations=dict(Counter(operator.type for operator in model.main.operators)),
        labels=sum(len(output.labels) for output in described.outputs),
        calibration=_calibration_summary(finished),
        agreement=finished.agreement,
        evaluation=finished.held.evaluation,
        recovery=finished.held.recovery,
        rewrites={name: CURES[name] for name in CURES if name in finished.held.lowered.cures},
        placement=finished.placement,
        moved=tuple(host.describe_output(output) for output in described.outputs if output.host),
        warnings=(*finished.warnings, *_warnings(finished)),
        twin=None,
        onnx=finished.onnx,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE,
        seconds=0.0,  # known to the parent alone
    )


def _calibration_summary(finished: _Finished) -> dict[str, Any]:
    if finished.calibration is None:
        return {}
    calibrated = finished.held.lowered.calibrated
    return {**finished.calibration.summary, **(calibrated.summary() if calibrated else {})}


def _tensors(names: Any, tensors: Any) -> tuple[TensorSummary, ...]:
    return tuple(TensorSummary(n, t.dtype, tuple(t.static_shape)) for n, t in zip(names, tensors, strict=True))


def _warnings(finished: _Finished) -> tuple[str, ...]:
    found = list(finished.calibration.warnings) if finished.calibration else []
    if finished.agreement:
        found += checking.disagreement(finished.agreement)
    if finished.described.task == "classification" and finished.model.final_activation(0) is None:
        found.append("the last layer is no softmax: the scores of classes are what it gives, and no probabilities")
    return tuple(found)
