"""What the finished file does: compared with the float model, and looked through for float tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.interpreter import Engine
from edgekit.quantization import dequantize, quantize, scale_of
from edgekit.tflite import ModelFile, Tensor
from edgekit_converters.calibration import Calibration, spread
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.freezing import Frozen
from edgekit_converters.outcome import Agreement

MOST_SAMPLES = 50
"""Samples compared at most: more change the figure little and take the float model's time."""
BINARY_THRESHOLD = 0.5
LEAST_SQNR_DB = 12.0


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


def float_islands(model: ModelFile) -> list[str]:
    """A warning where a model that should be all integers computes in float; empty where it does not."""
    outside = {tensor.name for tensor in (*model.inputs, *model.outputs)}
    inner = [name for name in model.float_tensors if name not in outside]
    if not inner:
        return []
    shown = ", ".join(inner[:3]) + (f" and {len(inner) - 3} more" if len(inner) > 3 else "")
    return [f"not all of the model is int8: {len(inner)} tensors stay float ({shown})"]


def disagreement(agreement: Agreement) -> list[str]:
    """A warning where the finished model answers much otherwise than the float model; empty where it does not."""
    if agreement.sqnr_db >= LEAST_SQNR_DB:
        return []
    return [
        "the converted model answers much otherwise than the float model (see accuracy): look for outliers in the "
        "calibration data and for a wrong normalization, or try precision float16 or dynamic"
    ]
