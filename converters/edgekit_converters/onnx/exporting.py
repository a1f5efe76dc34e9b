"""Writes the ONNX file of a conversion, once it was held against the `.tflite`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit import metadata
from edgekit.errors import ConversionError
from edgekit.tflite import ModelFile, read_model
from edgekit_converters import checking
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.onnx.comparing import check, compare
from edgekit_converters.onnx.translating import translate
from edgekit_converters.onnx.types import OnnxFile
from edgekit_converters.preparing import FLOAT_MODEL, Lowered
from edgekit_converters.process import ONNX_MODEL, Job
from edgekit_converters.samples.calibration import Calibration, spread
from edgekit_converters.tracing.freezing import Frozen
from edgekit_converters.tracing.holding import random_sample

QUANTIZED, FLOAT = "int8", "float32"
FLAGS: Mapping[str, tuple[str, ...]] = {"int8": ("--int8", "--fp16"), "int16x8": ("--fp16",), "float16": ("--fp16",)}
"""Of trtexec, by precision: what is not int8 in a quantized network may be float16, which is finer."""


def export(
    job: Job, frozen: Frozen, calibration: Calibration | None, source: Lowered, lowered: Lowered, model: ModelFile,
    described: metadata.Metadata, report: OnProgress,
) -> OnnxFile:
    """Translate the network, hold it against the `.tflite`, and leave it at `job.folder / ONNX_MODEL`.

    Args:
        job: Whose precision is that of the finished file.
        frozen: The traced model.
        calibration: Samples to compare on; a made-up one serves where there are none.
        source: The network in float: what is translated of an int16x8 one, which TensorRT cannot run.
        lowered: The network as it was finished.
        model: The finished file.
        described: What it says of itself, which the ONNX file says too.
        report: Told of the progress.

    Raises:
        ConversionError: ONNX lacks something for it, or what came out computes something else.
    """
    if frozen.keeps_state:
        raise ConversionError(
            "the model remembers earlier samples in its operations, which ONNX and TensorRT would forget",
            hint="Convert with --keep lstm, which gives the states as inputs and outputs; or leave out --also onnx.",
        )
    report(Progress("translating to ONNX"))
    precision, samples = job.options.precision, _samples(frozen, calibration)
    if job.options.calibrated:
        _hold_in_float(job, lowered.in_float or source.flatbuffer, samples, report)
    flatbuffer = source.flatbuffer if precision == "int16x8" else lowered.flatbuffer
    translated = translate(flatbuffer, job.folder, quantized=precision == QUANTIZED)
    about = replace(described, provenance={**described.provenance, "io": "float32"})
    content = metadata.write_onnx(translated.SerializeToString(deterministic=True), about)
    classifies = described.task in checking.CLASSIFYING
    compared = compare(content, model, samples, classifies, report)
    check(compared, precision)
    path = job.folder / ONNX_MODEL
    path.write_bytes(content)
    return OnnxFile(
        path, len(content), precision == QUANTIZED, compared.samples, compared.sqnr_db, compared.same_class,
        FLAGS.get(precision, ()),
    )


def _hold_in_float(
    job: Job, flatbuffer: bytes, samples: Sequence[Mapping[str, NDArray[Any]]], report: OnProgress
) -> None:
    """See that the network is translated rightly before it is quantized, when nothing hides a mistake.

    Raises:
        ConversionError: it is not.
    """
    path = job.folder / FLOAT_MODEL
    path.write_bytes(flatbuffer)
    translated = translate(flatbuffer, job.folder, quantized=False).SerializeToString()
    check(compare(translated, read_model(path), spread(samples, checking.HELD_SAMPLES), False, report), FLOAT)


def _samples(frozen: Frozen, calibration: Calibration | None) -> Sequence[Mapping[str, NDArray[Any]]]:
    if calibration is not None:
        return spread(calibration.samples, checking.MOST_SAMPLES)
    states = {link.input.name: np.zeros(link.input.shape, link.input.dtype) for link in frozen.states}
    return [{**random_sample(frozen.data_inputs), **states}]
