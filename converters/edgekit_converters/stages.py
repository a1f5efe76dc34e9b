"""The whole way inside the child process: load, freeze, calibrate, quantize, describe, check."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgekit import host, metadata
from edgekit._version import __version__
from edgekit.placement import Placement
from edgekit.tflite import ModelFile, parse_model, read_model
from edgekit_converters import checking, content, describing, placing
from edgekit_converters.cures import CURES
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.loading.keras_files import KerasFile
from edgekit_converters.loading.opening import load
from edgekit_converters.lowering import host_moving, surgery
from edgekit_converters.lowering.floating import to_flatbuffer
from edgekit_converters.lowering.host_moving import HostSteps
from edgekit_converters.lowering.quantizing import measure, quantize, to_int16x8
from edgekit_converters.outcome import Agreement, Conversion, TensorSummary
from edgekit_converters.process import MODEL, Job
from edgekit_converters.samples.calibration import Calibration, Feed, load_calibration, spread
from edgekit_converters.tracing.freezing import Frozen

FLOAT_MODEL = "float.tflite"
_KILOBYTE = 1024


@dataclass(frozen=True, slots=True)
class _Finished:
    """What the steps gave, for the summary."""

    model: ModelFile
    described: metadata.Metadata
    calibration: Calibration | None
    agreement: Agreement | None
    cures: frozenset[str]
    placement: Placement | None
    warnings: tuple[str, ...]


def carry_out(job: Job, report: OnProgress) -> Conversion:
    """Convert, and leave the finished file at `job.folder / MODEL`.

    Raises:
        EdgeKitError: what is wrong with the model, the calibration data or the labels.
    """
    report(Progress(f"loading {job.name}"))
    frozen = load(job)
    calibration = _calibrate(job, frozen, report)
    report(Progress("converting"))
    flatbuffer, cures, moved = _to_flatbuffer(job, frozen, calibration, report)
    warnings = content.check_content(parse_model(flatbuffer), job.options, frozen.places)
    placement = placing.place(flatbuffer, job.options, frozen.places)
    path = job.folder / MODEL
    path.write_bytes(flatbuffer)
    described = describing.describe(read_model(path), job, frozen, calibration, _versions(), moved)
    path.write_bytes(metadata.write(flatbuffer, described))
    model = read_model(path)
    agreement = None
    if calibration is not None:
        classifies = described.task == "classification"
        agreement = checking.compare(model, moved, frozen, calibration, classifies, report)
    if job.options.move_to_host and not moved:
        warnings.append(host_moving.NOTHING_MOVED)
    told = (*frozen.notes, *warnings, *placing.warnings_of(placement))
    return _summary(job, _Finished(model, described, calibration, agreement, cures, placement, told))


def _calibrate(job: Job, frozen: Frozen, report: OnProgress) -> Calibration | None:
    if job.calibration is None:
        return None
    found = load_calibration(
        job.calibration, job.calibration_name, frozen.data_inputs, job.options, report,
        in_a_row=bool(frozen.states) or frozen.keeps_state,
    )
    if frozen.hold:
        for sample in spread(found.samples, checking.HELD_SAMPLES):
            frozen.hold(sample)
    return replace(found, samples=_with_states(frozen, found.samples)) if frozen.states else found


def _with_states(frozen: Frozen, samples: Sequence[Feed]) -> list[Feed]:
    """The samples as one stream: each with the states that the float model has come to by then."""
    states: Feed = {link.input.name: np.zeros(link.input.shape, link.input.dtype) for link in frozen.states}
    carried = []
    for sample in samples:
        carried.append({**sample, **states})
        outputs = frozen(carried[-1])
        states = {link.input.name: outputs[link.output] for link in frozen.states}
    return carried


def _to_flatbuffer(
    job: Job, frozen: Frozen, calibration: Calibration | None, report: OnProgress
) -> tuple[bytes, frozenset[str], HostSteps]:
    """The model in the precision asked for, the names of all cures that were used, and what was cut off its end."""
    flatbuffer = to_flatbuffer(frozen, job.options)
    moved: HostSteps = {}
    if job.options.move_to_host:
        flatbuffer, moved = host_moving.move_to_host(flatbuffer, {link.output for link in frozen.states})
    if calibration is None or not job.options.calibrated:
        return flatbuffer, frozenset(frozen.rewrites), moved
    wanted = job.options.cures
    rewritten, of_operations = surgery.with_int8_forms(flatbuffer, wanted)
    if of_operations:
        (job.folder / FLOAT_MODEL).write_bytes(rewritten)
        checking.hold_against(read_model(job.folder / FLOAT_MODEL), moved, frozen, calibration, of_operations)
    if job.options.precision == "int16x8":
        finished, of_integers = to_int16x8(rewritten, job.options, calibration.samples, report), frozenset[str]()
    else:
        finished, of_integers = quantize(measure(rewritten, calibration.samples, report), job.options)
    return finished, of_operations | of_integers | set(frozen.rewrites), moved


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
        calibration=finished.calibration.summary if finished.calibration else {},
        agreement=finished.agreement,
        rewrites={name: CURES[name] for name in CURES if name in finished.cures},
        placement=finished.placement,
        moved=tuple(host.describe_output(output) for output in described.outputs if output.host),
        warnings=(*finished.warnings, *_warnings(finished)),
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE,
        seconds=0.0,  # known to the parent alone
    )


def _tensors(names: Any, tensors: Any) -> tuple[TensorSummary, ...]:
    return tuple(TensorSummary(n, t.dtype, tuple(t.static_shape)) for n, t in zip(names, tensors, strict=True))


def _warnings(finished: _Finished) -> tuple[str, ...]:
    found = list(finished.calibration.warnings) if finished.calibration else []
    if finished.agreement:
        found += checking.disagreement(finished.agreement)
    if finished.described.task == "classification" and finished.model.final_activation(0) is None:
        found.append("the last layer is no softmax: the scores of classes are what it gives, and no probabilities")
    return tuple(found)
