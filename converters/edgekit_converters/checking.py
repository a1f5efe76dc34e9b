"""What the finished file computes, compared with the float model."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit import host
from edgekit.interpreter import Engine
from edgekit.quantization import dequantize, quantize, scale_of
from edgekit.tflite import ModelFile, Tensor
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.lowering.host_moving import HostSteps
from edgekit_converters.outcome import Agreement
from edgekit_converters.samples.calibration import Calibration, spread
from edgekit_converters.tracing.freezing import Frozen
from edgekit_converters.tracing.holding import check_same, random_sample

MOST_SAMPLES = 50
"""Samples compared at most: more change the figure little and take the float model's time."""
BINARY_THRESHOLD = 0.5
LEAST_SQNR_DB = 12.0
LEAST_SAME = 0.9
LEAST_HELD_SAME = 0.99
CLASSIFYING = ("classification", "timeseries", "keyword")
"""Tasks whose first output holds a score of each class."""
WHOLE = "biu"
"""Kinds of NumPy's types whose values are compared for being equal."""
HELD_SAMPLES = 5


class Totals:
    """What is summed up over outputs and samples."""

    def __init__(self) -> None:
        self._signal = self._noise = 0.0
        self._same = self._whole = 0

    def add(self, expected: NDArray[Any], values: NDArray[np.float32]) -> None:
        """Count one output of one sample."""
        if expected.dtype.kind in WHOLE:
            self._same += int(np.count_nonzero(expected == values))
            self._whole += expected.size
            return
        reference = expected.astype(np.float64)
        self._signal += float(np.sum(np.square(reference)))
        self._noise += float(np.sum(np.square(reference - values)))

    @property
    def same(self) -> float | None:
        """Share of equal whole numbers; None where there are none."""
        return self._same / self._whole if self._whole else None

    @property
    def sqnr_db(self) -> float:
        """Signal to quantization noise ratio of real numbers, 10·log10(Σf² / Σ(f-q)²), in decibels."""
        if self._noise == 0:
            return float("inf")
        if not (np.isfinite(self._noise) and np.isfinite(self._signal)) or self._signal == 0:
            return float("-inf")
        return 10 * float(np.log10(self._signal / self._noise))


class FinishedFile:
    """A finished file, run as its users run it: real numbers in and out, and its last part after it.

    Args:
        model: The file.
        moved: What was cut off its outputs.
    """

    def __init__(self, model: ModelFile, moved: HostSteps) -> None:
        self._model, self._engine = model, Engine(model.path)
        self._last_parts = [
            host.prepare(moved.get(name, ()), tensor.static_shape)
            for name, tensor in zip(model.output_names, model.outputs, strict=True)
        ]

    def __call__(self, sample: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name, for inputs by name."""
        model = self._model
        tensors = zip(model.input_names, model.inputs, strict=True)
        arrays = self._engine.run([_to_tensor(tensor, sample[name]) for name, tensor in tensors])
        outputs = zip(model.output_names, model.outputs, arrays, self._last_parts, strict=True)
        return {name: host.apply(steps, _from_tensor(tensor, array)) for name, tensor, array, steps in outputs}


def compare(
    model: ModelFile, moved: HostSteps, frozen: Frozen, calibration: Calibration, classifies: bool, report: OnProgress
) -> Agreement:
    """Run float and finished model side by side on calibration samples."""
    # What remembers is followed over the whole stream, each side with the states that it came to itself.
    chosen = calibration.samples if frozen.states else spread(calibration.samples, MOST_SAMPLES)
    file, totals, same_classes = FinishedFile(model, moved), Totals(), 0
    states = {link.input.name: np.zeros(link.input.shape, np.float32) for link in frozen.states}
    for done, sample in enumerate(chosen, 1):
        report(Progress("comparing with the float model", done, len(chosen)))
        expected, found = frozen(sample), file({**sample, **states})
        states = {link.input.name: found.pop(link.output) for link in frozen.states}
        for name, values in found.items():
            totals.add(np.asarray(expected[name]), values)
        if classifies:
            first = next(iter(found))
            same_classes += best_class(np.asarray(expected[first], np.float32)) == best_class(found[first])
    return Agreement(len(chosen), totals.sqnr_db, same_classes / len(chosen) if classifies else None, totals.same)


def best_class(scores: NDArray[np.float32]) -> int:
    """The class that an output means: the largest score, or 0 or 1 by a single probability."""
    return int(np.argmax(scores)) if scores.size > 1 else int(scores.item() > BINARY_THRESHOLD)


def _to_tensor(tensor: Tensor, values: NDArray[Any]) -> NDArray[Any]:
    scale = scale_of(tensor)
    return quantize(values, scale, tensor.dtype) if scale else values.astype(tensor.dtype)


def _from_tensor(tensor: Tensor, values: NDArray[Any]) -> NDArray[np.float32]:
    scale = scale_of(tensor)
    return dequantize(values, scale) if scale else values.astype(np.float32)


def hold_against(
    model: ModelFile, moved: HostSteps, frozen: Frozen, calibration: Calibration, cures: Set[str]
) -> None:
    """Refuse a rewritten float model whose results are not those of the function that it was made from.

    Raises:
        ConversionError: they differ by more than `TOLERANCE` on random or on calibration samples; of whole numbers,
            which may stand for the largest of nearly equal values, more than a few differ.
    """
    file = FinishedFile(model, moved)
    for sample in (random_sample(frozen.data_inputs), *spread(calibration.samples, HELD_SAMPLES)):
        expected = frozen(sample)
        for name, values in file(sample).items():
            wanted = np.asarray(expected[name])
            if wanted.dtype.kind not in WHOLE or np.mean(wanted == values) < LEAST_HELD_SAME:
                check_same(name, values, wanted, cures)


def disagreement(agreement: Agreement) -> list[str]:
    """A warning where the finished model answers much otherwise than the float model; empty where it does not."""
    same = agreement.same_numbers
    if agreement.sqnr_db >= LEAST_SQNR_DB and (same is None or same >= LEAST_SAME):
        return []
    return [
        "the converted model answers much otherwise than the float model (see accuracy): look for outliers in the "
        "calibration data and for a wrong normalization, or try precision int16x8, float16 or dynamic"
    ]
