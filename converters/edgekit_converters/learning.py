"""What a model's task has to know and only data can tell: what is normal, how far windows lie apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.metadata.types import Window
from edgekit.tasks.anomaly import deviations, reconstruction_errors
from edgekit.tflite import ModelFile
from edgekit_converters.checking import FinishedFile
from edgekit_converters.lowering.host_moving import HostSteps
from edgekit_converters.options import Options
from edgekit_converters.samples.calibration import Calibration

DEVIATIONS = 4.0
"""The threshold lies at so many standard deviations above the mean score, or above all scores by the margin."""
MARGIN = 1.05
DIGITS = 6


def learned(
    options: Options, model: ModelFile, moved: HostSteps, calibration: Calibration | None, window: Window | None
) -> Options:
    """The options with what the head has to know; what the user gave goes before what is learned.

    Args:
        options: Of the conversion.
        model: The finished network, whose own scores are learned: those of the device.
        moved: What was cut off its outputs.
        calibration: For task anomaly: normal data.
        window: Which windows the model takes.

    Raises:
        UsageError: task anomaly without data.
    """
    known: dict[str, Any] = {}
    head = options.head
    if options.task == "anomaly":
        head, known = _normal(options, model, moved, calibration, window)
    elif options.task == "keyword" and window and window.rate:
        known = {"hop": window.hop / window.rate}
    elif options.task == "forecast" and window:
        known = ({"step": 1 / window.rate} if window.rate else {}) | _names(window)
    return replace(options, head=head, head_options={**known, **options.head_options})


def _names(window: Window | None) -> dict[str, Any]:
    return {"channels": list(window.channels)} if window and window.channels else {}


def _normal(
    options: Options, model: ModelFile, moved: HostSteps, calibration: Calibration | None, window: Window | None
) -> tuple[str, dict[str, Any]]:
    if calibration is None:
        raise UsageError(
            "task anomaly learns from calibration data what is normal, and there is none",
            hint="Give calibration data that is normal: logs of a machine that runs well.",
        )
    file = FinishedFile(model, moved)
    pairs = [(next(iter(sample.values())), next(iter(file(sample).values()))) for sample in calibration.samples]
    first_in, first_out = pairs[0]
    head = options.head or ("reconstruction" if first_in.size == first_out.size else "distance")
    if head == "distance":
        return head, _of_distances(np.stack([output.reshape(-1) for _, output in pairs]))
    width = _width(first_in, window)
    errors = np.stack([reconstruction_errors(sample, output, width) for sample, output in pairs])
    known = _scores(errors.mean(axis=1)) | {"normal": _rounded(errors.mean(axis=0))}
    return head, known | (_names(window) if window and len(window.channels) == width else {})


def _width(sample: NDArray[Any], window: Window | None) -> int:
    """How many channels errors are told apart by: those of the window, else the last dimension."""
    if window and not window.features and window.size and sample.size % window.size == 0:
        return sample.size // window.size
    return int(sample.shape[-1])


def _of_distances(embeddings: NDArray[np.float64]) -> dict[str, Any]:
    mean, spread = embeddings.mean(axis=0), embeddings.std(axis=0)
    spread = np.maximum(spread, max(float(spread.max()), 1e-6) * 1e-3)  # a number that never changes says little
    mean, spread = np.array(_rounded(mean)), np.array(_rounded(spread))
    scores = np.array([np.sqrt(deviations(row, mean, spread).mean()) for row in embeddings])
    return _scores(scores) | {"normal": mean.tolist(), "spread": spread.tolist()}


def _scores(scores: NDArray[np.float64]) -> dict[str, Any]:
    """Mean of normal scores, and the threshold."""
    mean, deviation = float(scores.mean()), float(scores.std())
    threshold = max(mean + DEVIATIONS * deviation, MARGIN * float(scores.max()))
    return {"threshold": float(f"{threshold:.{DIGITS}g}"), "mean": float(f"{mean:.{DIGITS}g}")}


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values]


