"""Measures one case: builds the model, converts it as a user would, reads the file and runs it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgekit
from benchmarks.coverage.cases import Case, Samples, call
from benchmarks.coverage.outcome import Outcome
from edgekit import metadata
from edgekit.metadata.types import State
from edgekit.quantization import dequantize, quantize, scale_of
from edgekit.tflite import ModelFile, Tensor, read_model

LITERT, OLD = "ai_edge_litert", "tflite_runtime"
EXECUTION = Path(__file__).with_name("execution.py")
LONGEST_RUN = 300
"""Seconds after which a runtime counts as hanging."""
LONGEST_REASON = 160
MODEL = "model.tflite"

Arrays = list[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Reference:
    """The float model's results on fresh samples, by output name, and the types that it declares."""

    inputs: Samples
    outputs: dict[str, NDArray[Any]]


def measure(case: Case, old_python: str) -> Outcome:
    """All figures of a case.

    Args:
        case: Of the corpus.
        old_python: Path of a Python that has tflite-runtime; empty to leave that out.
    """
    with _working_folder():
        model = case.model()
        reference = _reference(case, model)
        calibration = case.draw(model, case.calibration, False)
        given = _given(case, model)
        del model
        try:
            made = edgekit.convert(
                given, MODEL, samples=case.calibration,
                calibration=calibration if len(calibration) > 1 else next(iter(calibration.values())),
                calibrator="minmax",
            )
        except edgekit.EdgeKitError as error:
            return Outcome(case.name, error=str(error), crashed=" was ended by SIG" in str(error))
        outcome = Outcome(
            case.name, size=made.size, operations=sum(made.operations.values()), seconds=round(made.seconds, 1),
            peak_memory=made.peak_memory, rewrites=made.rewrites, warnings=made.warnings,
        )
        return _examined(outcome, read_model(MODEL), reference, case, old_python)


@contextmanager
def _working_folder() -> Iterator[None]:
    """A folder of its own, so that messages name files and no paths."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="coverage-") as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _given(case: Case, model: Any) -> Any:
    if case.source == "memory":
        return model
    if case.source == "savedmodel":
        model.export("model", verbose=False)
        return "model"
    model.save("model.keras")
    return "model.keras"


def _reference(case: Case, model: Any) -> Reference:
    samples = case.draw(model, case.fresh, True)
    at_once = 1 if case.stateful else case.fresh
    parts = [
        _by_name(model, call(model, {name: array[n : n + at_once] for name, array in samples.items()}))
        for n in range(0, case.fresh, at_once)
    ]
    if case.stateful:
        for layer in model._flatten_layers():
            if getattr(layer, "stateful", False):
                layer.reset_state()
    return Reference(samples, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _by_name(model: Any, results: Any) -> dict[str, NDArray[Any]]:
    if isinstance(results, (list, tuple)):
        return {name: np.asarray(result) for name, result in zip(model.output_names, results, strict=True)}
    return {"output": np.asarray(results)}


def _examined(outcome: Outcome, file: ModelFile, reference: Reference, case: Case, old_python: str) -> Outcome:
    about = metadata.read(MODEL)
    taking, giving = about.data_inputs(len(file.inputs)), about.data_outputs(len(file.outputs))
    inputs = _matched(reference.inputs, [file.input_names[at] for at in taking])
    expected = _matched(reference.outputs, [file.output_names[at] for at in giving])
    tensors_in, tensors_out = [file.inputs[at] for at in taking], [file.outputs[at] for at in giving]
    ends = [*zip(tensors_in, inputs, strict=True), *zip(tensors_out, expected, strict=True)]
    outcome = replace(
        outcome, float_tensors=_float_tensors(file),
        other_ends=tuple(
            f"{tensor.name} ({tensor.dtype})" for tensor, array in ends
            if array.dtype.kind == "f" and tensor.dtype != "int8"
        ),
    )
    given = {at: _to_tensor(t, array) for at, t, array in zip(taking, tensors_in, inputs, strict=True)}
    given |= {state.input: _zeros(file.inputs[state.input]) for state in about.states}
    memory = {"keep": about.keeps_state, "states": [_link(file, state) for state in about.states]}

    def results_of(python: str, runtime: str) -> Arrays | str:
        found = _run(python, runtime, [given[at] for at in sorted(given)], memory)
        return found if isinstance(found, str) else [found[at] for at in giving]

    def error_of(results: Arrays) -> tuple[float | None, float | None]:
        return _error(expected, [_from_tensor(t, array) for t, array in zip(tensors_out, results, strict=True)])

    results = results_of(sys.executable, LITERT)
    if isinstance(results, str):
        return replace(outcome, litert=results)
    sqnr, largest = error_of(results)
    outcome = replace(outcome, litert="yes", sqnr_db=sqnr, largest_error=largest)
    if not old_python:
        return outcome
    others = results_of(old_python, OLD)
    if isinstance(others, str):
        return replace(outcome, old_runtime=others)
    return replace(outcome, old_runtime="yes", old_steps=_steps(others, results), old_sqnr_db=error_of(others)[0])


def _matched(arrays: dict[str, NDArray[Any]], names: Sequence[str]) -> Arrays:
    """By name where the file knows the names, else in their order."""
    if set(arrays) == set(names):
        return [arrays[name] for name in names]
    return list(arrays.values())


def _float_tensors(file: ModelFile) -> tuple[str, ...]:
    """Names of the float tensors, constants too, that an operation reads or writes or that go in or out."""
    return tuple(
        tensor.name for graph in file.subgraphs for tensor in (graph.tensors[index] for index in sorted(graph.used))
        if tensor.dtype.startswith(("float", "bfloat"))
    )


def _zeros(tensor: Tensor) -> NDArray[Any]:
    """A state's value before the first sample."""
    scale = scale_of(tensor)
    return np.full(tensor.static_shape, scale.zero_point if scale else 0, tensor.dtype)


def _link(file: ModelFile, state: State) -> list[float]:
    """Which input takes which output, and how its numbers become those of the input: see `execution`."""
    goes, came = file.inputs[state.input], file.outputs[state.output]
    before, after = scale_of(came), scale_of(goes)
    if before is None or after is None:
        return [state.input, state.output, 1, 0, 0, 0]
    factor, limits = before.scale / after.scale, np.iinfo(goes.dtype)
    offset = after.zero_point - before.zero_point * factor
    return [state.input, state.output, factor, offset, int(limits.min), int(limits.max)]


def _to_tensor(tensor: Tensor, values: NDArray[Any]) -> NDArray[Any]:
    scale = scale_of(tensor)
    return quantize(values, scale, tensor.dtype) if scale else values.astype(tensor.dtype)


def _from_tensor(tensor: Tensor, values: NDArray[Any]) -> NDArray[Any]:
    scale = scale_of(tensor)
    return dequantize(values, scale) if scale else values


def _run(python: str, runtime: str, inputs: Arrays, memory: dict[str, Any]) -> Arrays | str:
    """Results of the file in the working folder under a runtime, or why there are none."""
    by_place: dict[str, Any] = {str(place): array for place, array in enumerate(inputs)}
    np.savez("inputs.npz", **by_place)
    command = [python, "-P", str(EXECUTION), runtime, MODEL, "inputs.npz", "outputs.npz", json.dumps(memory)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_RUN, check=False)
    except subprocess.TimeoutExpired:
        return f"no end after {LONGEST_RUN} s"
    if done.returncode < 0:
        return f"crashes (signal {-done.returncode})"
    if done.returncode:
        return _reason(done.stderr)
    with np.load("outputs.npz") as arrays:
        return [arrays[str(place)] for place in range(len(arrays.files))]


def _reason(text: str) -> str:
    """The line of a traceback that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if "Error: " in line]
    return (lines or ["fails"])[-1].partition("Error: ")[2][:LONGEST_REASON]


def _error(expected: Arrays, values: Arrays) -> tuple[float | None, float | None]:
    """SQNR over all outputs in decibels, and the largest error as a share of its output's range."""
    pairs = [
        (e.astype(np.float64), v.astype(np.float64).reshape(e.shape)) for e, v in zip(expected, values, strict=True)
    ]
    signal = sum(float(np.square(e).sum()) for e, _ in pairs)
    noise = sum(float(np.square(e - v).sum()) for e, v in pairs)
    largest = max(float(np.abs(e - v).max()) / (float(np.ptp(e)) or 1.0) for e, v in pairs)
    sqnr = 10 * math.log10(signal / noise) if noise and signal else None
    return None if sqnr is None else round(sqnr, 1), float(f"{largest:.3g}")


def _steps(ones: Arrays, others: Arrays) -> int:
    """Largest difference of two runtimes' output values, in quantization steps."""
    pairs = zip(ones, others, strict=True)
    return int(max(float(np.abs(one.astype(np.float64) - other).max()) for one, other in pairs))
