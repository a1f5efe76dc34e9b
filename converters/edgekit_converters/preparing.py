"""What a model is quantized from: its float flatbuffer in the forms that int8 takes, and calibration samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.metadata import Normalization
from edgekit.tflite import parse_model, read_model
from edgekit_converters import checking
from edgekit_converters.accuracy.choosing import Calibrated, Chooser
from edgekit_converters.events import OnProgress
from edgekit_converters.lowering import gpu_surgery, host_moving, surgery
from edgekit_converters.lowering.floating import to_flatbuffer
from edgekit_converters.lowering.host_moving import HostSteps
from edgekit_converters.lowering.quantizing import Range, to_int16x8
from edgekit_converters.process import Job
from edgekit_converters.samples.calibration import Calibration, Feed, load_calibration, spread
from edgekit_converters.samples.names import SYNTHETIC
from edgekit_converters.samples.synthetic import synthetic_calibration
from edgekit_converters.tracing.freezing import Frozen
from edgekit_converters.tracing.places import Place
from edgekit_converters.tracing.recording import places_with_outputs

FLOAT_MODEL = "float.tflite"
MOST_BRIGHT = 255.0


@dataclass(frozen=True, slots=True)
class Lowered:
    """A model as TFLite has it.

    Attributes:
        flatbuffer: The model: in float before it is quantized.
        cures: Names of all cures that were used.
        moved: What was cut off its end.
        places: Layers by the names of their operations, and of the tensors that are outputs.
        in_float: The float model that it was quantized from; None where it was not.
        calibrated: How it was quantized to int8; None where it was not.
        precision: Of the model, where it had to be another than was asked for.
        kept_float: Operations that were left in float so that no more accuracy is lost, with their layers.
    """

    flatbuffer: bytes
    cures: frozenset[str]
    moved: HostSteps
    places: Mapping[str, Place]
    in_float: bytes | None = None
    calibrated: Calibrated | None = None
    precision: str | None = None
    kept_float: tuple[str, ...] = ()


def calibrate(job: Job, frozen: Frozen, report: OnProgress) -> Calibration | None:
    """The calibration samples; None where the job has none.

    Raises:
        DataError: they do not fit the model.
        ConversionError: a rewritten model answers them otherwise than the one that it was made from.
    """
    if job.calibration_name == SYNTHETIC and job.calibration is None:
        return synthetic_calibration(frozen.data_inputs, (call.layer for call in frozen.calls), job.options)
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


def in_float(job: Job, frozen: Frozen, calibration: Calibration | None) -> Lowered:
    """The model in float, or of weights of fewer bits; with calibration data in the forms that its precision takes.

    Raises:
        ConversionError: TFLite lacks something for it, or an operation that was rewritten computes something else.
    """
    flatbuffer = to_flatbuffer(frozen, job.options)
    moved: HostSteps = {}
    if job.options.move_to_host:
        flatbuffer, moved = host_moving.move_to_host(flatbuffer, {link.output for link in frozen.states})
    used = frozenset(frozen.rewrites)
    if calibration is not None and job.options.calibrated:
        flatbuffer, of_operations = surgery.with_int8_forms(flatbuffer, job.options.cures)
        if of_operations:
            (job.folder / FLOAT_MODEL).write_bytes(flatbuffer)
            checking.hold_against(read_model(job.folder / FLOAT_MODEL), moved, frozen, calibration, of_operations)
        used |= of_operations
    flatbuffer, for_gpu = gpu_surgery.with_gpu_forms(flatbuffer, job.options.cures)
    used |= for_gpu
    file = parse_model(flatbuffer)
    names = {name: tensor.name for name, tensor in zip(file.output_names, file.outputs, strict=True)}
    return Lowered(flatbuffer, used, moved, places_with_outputs(frozen.function, names, frozen.places))


def quantized(
    job: Job, model: Lowered, calibration: Calibration, fixed: Mapping[str, Range | None],
    report: OnProgress,
) -> Lowered:
    """A float model with its activations quantized, as the precision says.

    Args:
        job: Whose options hold.
        model: Of `in_float`.
        calibration: The samples.
        fixed: `fixed_tensors`.
        report: Told of the progress.

    Raises:
        ConversionError: TensorFlow's quantizer fails.
    """
    if job.options.precision == "int16x8":
        return replace(model, flatbuffer=to_int16x8(model.flatbuffer, job.options, calibration.samples, report))
    found = Chooser(model.flatbuffer, job.options, calibration.samples, fixed, report).quantized(job.options.calibrator)
    return replace(
        model, flatbuffer=found.flatbuffer, cures=model.cures | found.cures, in_float=model.flatbuffer,
        calibrated=found,
    )


def fixed_tensors(frozen: Frozen, calibration: Calibration) -> dict[str, Range | None]:
    """Inputs and outputs whose ranges are not to be chosen, by name: that of pictures is what pixels of 0 to 255
    become, whatever the samples hold; that of a state stays as measured (None)."""
    carried = {name: None for link in frozen.states for name in (link.input.name, link.output)}
    return {**{name: _of_pixels(way) for name, way in calibration.normalizations.items()}, **carried}


def _of_pixels(normalization: Normalization) -> Range:
    ends = [(pixel - mean) / std for pixel in (0.0, MOST_BRIGHT) for mean, std in _channels(normalization)]
    return min(ends), max(ends)


def _channels(normalization: Normalization) -> list[tuple[float, float]]:
    count = max(len(normalization.mean), len(normalization.std))
    means, stds = (values * count if len(values) == 1 else values for values in (normalization.mean, normalization.std))
    return list(zip(means, stds, strict=True))
