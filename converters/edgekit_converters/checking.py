"""What the finished file does: compared with the float model, and looked through for float tensors."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit.interpreter import Engine
from edgekit.quantization import dequantize, quantize, scale_of
from edgekit.tflite import ModelFile, Tensor
from edgekit.tflite.model_file import FLOAT_TYPES
from edgekit_converters.calibration import Calibration, spread
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.freezing import Frozen
from edgekit_converters.holding import check_same, random_sample
from edgekit_converters.options import Options
from edgekit_converters.outcome import Agreement
from edgekit_devices.runtimes import RUNTIMES, highest_versions

MOST_SAMPLES = 50
"""Samples compared at most: more change the figure little and take the float model's time."""
BINARY_THRESHOLD = 0.5
LEAST_SQNR_DB = 12.0
HELD_SAMPLES = 5
SHOWN = 3
_BRIDGES = frozenset({"QUANTIZE", "DEQUANTIZE"})


def sqnr_db(reference: NDArray[np.float32], values: NDArray[np.float32]) -> float:
    """Signal to quantization noise ratio, 10·log10(Σf² / Σ(f-q)²), in decibels."""
    signal = float(np.sum(np.square(reference, dtype=np.float64)))
    noise = float(np.sum(np.square(reference.astype(np.float64) - values)))
    if noise == 0:
        return float("inf")
    if not (np.isfinite(noise) and np.isfinite(signal)) or signal == 0:
        return float("-inf")
    return 10 * float(np.log10(signal / noise))


def compare(
    model: ModelFile, frozen: Frozen, calibration: Calibration, classifies: bool, report: OnProgress
) -> Agreement:
    """Run float and finished model side by side on calibration samples."""
    chosen = spread(calibration.samples, MOST_SAMPLES)
    engine = Engine(model.path)
    floats: list[list[NDArray[np.float32]]] = []
    finished: list[list[NDArray[np.float32]]] = []
    for done, sample in enumerate(chosen, 1):
        report(Progress("comparing with the float model", done, len(chosen)))
        expected = frozen(sample)
        floats.append([np.asarray(expected[name], np.float32) for name in model.output_names])
        finished.append(_run(engine, model, sample))
    reference, values = _flat(floats), _flat(finished)
    same = None
    if classifies:
        same = sum(_class(f[0]) == _class(q[0]) for f, q in zip(floats, finished, strict=True)) / len(chosen)
    return Agreement(len(chosen), sqnr_db(reference, values), same)


def _class(scores: NDArray[np.float32]) -> int:
    """The class that an output means: the largest score, or 0 or 1 by a single probability."""
    return int(np.argmax(scores)) if scores.size > 1 else int(scores.item() > BINARY_THRESHOLD)


def _run(engine: Engine, model: ModelFile, sample: Mapping[str, Any]) -> list[NDArray[np.float32]]:
    inputs = [
        _to_tensor(tensor, sample[name]) for name, tensor in zip(model.input_names, model.inputs, strict=True)
    ]
    outputs = engine.run(inputs)
    return [_from_tensor(tensor, array) for tensor, array in zip(model.outputs, outputs, strict=True)]


def _to_tensor(tensor: Tensor, values: NDArray[Any]) -> NDArray[Any]:
    scale = scale_of(tensor)
    return quantize(values, scale, tensor.dtype) if scale else values.astype(tensor.dtype)


def _from_tensor(tensor: Tensor, values: NDArray[Any]) -> NDArray[np.float32]:
    scale = scale_of(tensor)
    return dequantize(values, scale) if scale else values.astype(np.float32)


def _flat(outputs: list[list[NDArray[np.float32]]]) -> NDArray[np.float32]:
    return np.concatenate([array.ravel() for arrays in outputs for array in arrays])


def hold_against(model: ModelFile, frozen: Frozen, calibration: Calibration, cures: Set[str]) -> None:
    """Refuse a rewritten float model whose results are not those of the function that it was made from.

    Raises:
        ConversionError: they differ by more than `TOLERANCE` on random or on calibration samples.
    """
    engine = Engine(model.path)
    for sample in (random_sample(frozen.data_inputs), *spread(calibration.samples, HELD_SAMPLES)):
        expected = frozen(sample)
        for name, values in zip(model.output_names, _run(engine, model, sample), strict=True):
            check_same(name, values, expected[name], cures)


def check_content(model: ModelFile, options: Options) -> list[str]:
    """Hold the finished network to what was asked for; a warning for each thing that the user allowed.

    Raises:
        ConversionError: part of a model that was to be quantized stays float, or the runtime cannot load it.
    """
    _check_versions(model, options.runtime)
    if not options.calibrated:
        return []
    ends = {tensor.index for tensor in (*model.inputs, *model.outputs)} if options.io == "float32" else set()
    return [] if (said := _float_part(model, ends)) is None else _refused_unless(options.allow_float, said)


def _refused_unless(allowed: bool, said: str) -> list[str]:
    if not allowed:
        raise ConversionError(
            said, hint="Put other layers in their place, or take it as it is with --allow-float. What TensorFlow "
            "quantizes of each layer is in docs/coverage.md.",
        )
    return [said]


def _float_part(model: ModelFile, allowed: Set[int]) -> str | None:
    """What of the network computes in float, in the user's words; None where nothing does."""
    found: dict[str, str] = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            ends = [graph.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
            inner = [t for t in ends if t.dtype in FLOAT_TYPES and t.index not in allowed]
            if inner and operator.type not in _BRIDGES:
                found.setdefault(operator.label, layer_of(graph.tensors[operator.outputs[0]].name))
    if not found:
        return None
    shown = ", ".join(f"{label} in '{place}'" for label, place in list(found.items())[:SHOWN])
    more = f" and {len(found) - SHOWN} more kinds" if len(found) > SHOWN else ""
    return f"not all of the model can be quantized: {shown}{more} computes in float"


def _check_versions(model: ModelFile, runtime: str) -> None:
    highest = highest_versions(runtime)
    for operator in (operator for graph in model.subgraphs for operator in graph.operators) if highest else ():
        known = highest.get(operator.type, 0)
        if operator.version <= known or operator.custom_code:
            continue
        place = layer_of(model.main.tensors[operator.outputs[0]].name)
        has = f"knows version {known} at most" if known else "does not know that operation"
        raise ConversionError(
            f"{RUNTIMES[runtime].title} cannot load the model: '{place}' needs {operator.type} version "
            f"{operator.version}, and it {has}",
            hint="Put another layer in its place, or choose another --runtime.",
        )


def layer_of(tensor: str) -> str:
    """The layer that computes a tensor, by its name: TensorFlow joins scopes by slashes, and fused ones by ';'."""
    parts = [part for part in tensor.partition(";")[0].split("/") if part]
    return "/".join(parts[:-1]) or tensor


def disagreement(agreement: Agreement) -> list[str]:
    """A warning where the finished model answers much otherwise than the float model; empty where it does not."""
    if agreement.sqnr_db >= LEAST_SQNR_DB:
        return []
    return [
        "the converted model answers much otherwise than the float model (see accuracy): look for outliers in the "
        "calibration data and for a wrong normalization, or try precision float16 or dynamic"
    ]
