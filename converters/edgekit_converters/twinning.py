"""The int8 file for the processor that goes beside one for the GPU, for a device whose GPU does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit.interpreter import Engine
from edgekit.tflite import read_model
from edgekit.twin import TWIN_OF, digest
from edgekit_converters.outcome import Conversion, Twin
from edgekit_converters.process import MODEL, TWIN, Job

SLOWEST = 0.7
"""How many times as fast it has to be here: other processors have other kernels, and a fused int8 LSTM takes ten times
as long as an unrolled one in float."""
RUNS = 15
MOST_SECONDS = 2.0
"""Longest that the two files are timed."""

Convert = Callable[[Job], Conversion]


def with_twin(made: Conversion, job: Job, convert: Convert) -> Conversion:
    """The conversion with an int8 file for the processor, or with a warning that says why there is none.

    Args:
        made: The file for the GPU, at `job.folder / MODEL`.
        job: What was asked for.
        convert: Converts as a job says, and leaves the file in that job's folder.
    """
    folder = (job.folder / TWIN).parent
    folder.mkdir()
    try:
        found = convert(_for_cpu(job, folder))
    except ConversionError as error:
        return _without(made, error.message)
    if _forms(found) != _forms(made):
        return _without(made, "its inputs or outputs would be others")
    if found.size >= made.size:
        return _without(made, f"it would be no smaller ({found.size} bytes, and {made.size})")
    speed = speed_of(job.folder / TWIN, job.folder / MODEL)
    if speed < SLOWEST:
        return _without(made, f"it would take {1 / speed:.1f} times as long on this machine's processor")
    assert found.agreement is not None  # there is calibration data
    twin = Twin(found.path, found.size, found.precision, found.agreement, found.evaluation, speed)
    own = tuple(f"in the file for the processor: {said}" for said in found.warnings if said not in made.warnings)
    return replace(made, twin=twin, warnings=(*made.warnings, *own))


def _for_cpu(job: Job, folder: Path) -> Job:
    """The same inputs and outputs, so that one file takes the place of the other, and int8 within."""
    options = replace(
        job.options, target="cpu", precision="int8", io="float32", also=(), require_full_mapping=False
    )
    provenance = {**job.provenance, TWIN_OF: digest(job.folder / MODEL)}
    return replace(job, options=options, folder=folder, provenance=provenance, study=False)


def _forms(made: Conversion) -> list[tuple[str, tuple[int, ...]]]:
    return [(tensor.dtype, tensor.shape) for tensor in (*made.inputs, *made.outputs)]


def _without(made: Conversion, why: str) -> Conversion:
    return replace(made, warnings=(*made.warnings, f"no int8 file for the processor is written: {why}"))


def speed_of(model: Path, other: Path) -> float:
    """How many times as fast as another a model is on this processor, by one thread: both in turn, by their medians.

    Args:
        model: The one whose speed is told.
        other: Takes the same inputs.
    """
    inputs = [np.zeros(tensor.static_shape, tensor.dtype) for tensor in read_model(model).inputs]
    engines = [Engine(str(path), threads=1) for path in (other, model)]
    times: list[list[float]] = [[], []]
    started = time.monotonic()
    while len(times[0]) < RUNS and time.monotonic() < started + MOST_SECONDS:
        for taken, engine in zip(times, engines, strict=True):
            taken.append(_seconds(engine, inputs))
    first, second = (median(taken[1:] or taken) for taken in times)
    return first / max(second, 1e-9)


def _seconds(engine: Engine, inputs: list[NDArray[Any]]) -> float:
    started = time.perf_counter()
    engine.run(inputs)
    return time.perf_counter() - started
