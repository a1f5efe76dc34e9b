"""What the finished file computes, compared with the float model."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.interpreter import Engine
from edgekit.quantization import dequantize, quantize, scale_of
from edgekit.tflite import ModelFile, Tensor
from edgekit_converters.calibration import Calibration, spread
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.freezing import Frozen
from edgekit_converters.holding import check_same, random_sample
from edgekit_converters.outcome import Agreement

MOST_SAMPLES = 50
"""Samples compared at most: more change the figure little and take the float model's time."""
BINARY_THRESHOLD = 0.5
LEAST_SQNR_DB = 12.0
HELD_SAMPLES = 5


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


def disagreement(agreement: Agreement) -> list[str]:
    """A warning where the finished model answers much otherwise than the float model; empty where it does not."""
    if agreement.sqnr_db >= LEAST_SQNR_DB:
        return []
    return [
        "the converted model answers much otherwise than the float model (see accuracy): look for outliers in the "
        "calibration data and for a wrong normalization, or try precision float16 or dynamic"
    ]
