"""How unusual a window is, against what was normal when the model was converted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.results import Anomaly, Blame, Latency
from edgekit.tasks.forecast import names_of
from edgekit.tasks.options import HeadOptions
from edgekit.tasks.types import Head, Output, Settings, Tensors

MOST_BLAMED = 3
DRIFT_WINDOWS = 200
DRIFTING = 0.5
LEAST = 1e-12
OPTIONS = {
    "threshold": "scores above it are anomalies (learned from the calibration data by convert)",
    "mean": "mean score of normal data (learned)",
    "normal": "by channel its usual error, or by number of the embedding its mean (learned)",
    "spread": "by number of the embedding its standard deviation (learned)",
    "channels": "names of the channels, separated by commas",
    "drift": f"windows over which slow drift is averaged ({DRIFT_WINDOWS})",
}


@dataclass(frozen=True, slots=True)
class Normal:
    """What normal data is.

    Attributes:
        threshold: Scores above it are anomalies.
        mean: Of normal scores.
        normal: By channel its usual error, or by number of the embedding its mean, shape (n,).
        spread: By number of the embedding its standard deviation; empty for a reconstruction.
        channels: Names.
    """

    threshold: float
    mean: float
    normal: NDArray[np.float64]
    spread: NDArray[np.float64]
    channels: tuple[str, ...]


def reconstruction_errors(values: NDArray[Any], output: NDArray[Any], channels: int) -> NDArray[np.float64]:
    """Mean squared errors by channel, shape (channels,); their mean is the score.

    Args:
        values: What the network was given, the last dimension of which are the channels.
        output: What it made of them: as many numbers.
        channels: How many.

    Raises:
        DataError: they are not as many numbers.
    """
    if values.size != output.size:
        raise DataError(f"the output has {output.size} numbers, and the input that it should be has {values.size}")
    difference = output.reshape(-1).astype(np.float64) - values.reshape(-1)
    return np.asarray(np.square(difference).reshape(-1, channels).mean(axis=0))


def deviations(output: NDArray[Any], normal: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances of an embedding from the mean of normal ones, in variances, number by number.

    The score is the square root of their mean: the distance of Mahalanobis with a diagonal covariance, by the root of
    the number of dimensions, so that normal data scores about 1.
    """
    return np.asarray(np.square((output.reshape(-1).astype(np.float64) - normal) / np.maximum(spread, LEAST)))


class AnomalyTask:
    """Scores windows, and follows how the usual score drifts.

    Drift is the slow mean of the scores that are no anomalies: a sudden fault does not move it, nor does it hide one.

    Args:
        head: `reconstruction` or `distance`.
        known: What normal data is.
        windows: Over how many windows drift is averaged.
    """

    needs_data = True
    remembers = True

    def __init__(self, head: str, known: Normal, windows: int) -> None:
        self._head, self._known, self._pace = head, known, 1 / windows
        self._level = known.mean

    def reset(self) -> None:
        """Forget the drift."""
        self._level = self._known.mean

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, data: NDArray[Any]) -> Anomaly:
        """An `Anomaly`.

        Args:
            outputs: The model's.
            device: For the result.
            data: The real numbers that the network was given.
        """
        known = self._known
        if self._head == "reconstruction":
            parts = reconstruction_errors(np.asarray(data), outputs[0], max(len(known.normal), 1))
            score, excess = float(parts.mean()), np.maximum(parts - known.normal, 0) if known.normal.size else parts
        else:
            parts = deviations(outputs[0], known.normal, known.spread)
            score, excess = float(np.sqrt(parts.mean())), np.maximum(parts - 1, 0)
        unusual = not score <= known.threshold  # NaN is unusual
        if not unusual:
            self._level += self._pace * (score - self._level)
        drift = (self._level - known.mean) / max(known.threshold - known.mean, LEAST)
        return Anomaly(
            task="anomaly", device=device, latency=Latency(), score=score, threshold=known.threshold,
            is_anomaly=unusual, blame=self._blame(excess), drift=drift, is_drifting=drift > DRIFTING,
        )

    def _blame(self, excess: NDArray[np.float64]) -> tuple[Blame, ...]:
        total = float(excess.sum())
        if len(excess) < 2 or not total > 0 or not np.isfinite(total):
            return ()
        names = self._known.channels
        worst = np.argsort(-excess, kind="stable")[:MOST_BLAMED]
        return tuple(
            Blame(names[at] if names else str(at), float(excess[at] / total)) for at in worst if excess[at] > 0
        )


def _fits(tensors: Tensors) -> bool:
    return len(tensors.outputs) == 1


def _build(head: str, tensors: Tensors, settings: Settings) -> AnomalyTask:
    options = HeadOptions(head, OPTIONS, settings.options)
    threshold = settings.options.get("threshold")
    if threshold is None:
        raise UsageError(
            "task anomaly has no threshold",
            hint="Convert the model with --task anomaly and calibration data that is normal, or give the head option "
            "threshold.",
        )
    normal = np.array(options.numbers("normal", (0.0,)) if "normal" in settings.options else (), np.float64)
    spread = np.array(options.numbers("spread", (1.0,), least=0) if "spread" in settings.options else (), np.float64)
    channels = names_of(settings.options.get("channels"))
    limit = options.number("threshold", 0, least=0)
    known = Normal(limit, options.number("mean", limit / 2, least=0), normal, spread, channels)
    _check(head, known, tensors.outputs[0])
    return AnomalyTask(head, known, options.whole("drift", DRIFT_WINDOWS, least=1))


def _check(head: str, known: Normal, output: Output) -> None:
    size = int(np.prod(output.shape))
    if head == "distance" and (known.normal.size != size or known.spread.size != size):
        raise UsageError(f"head distance needs normal and spread of {size} numbers each, one for each of the output")
    if head == "reconstruction" and known.normal.size and size % known.normal.size:
        raise UsageError(f"normal has {known.normal.size} channels, which do not go with {size} numbers")
    if known.channels and known.normal.size and len(known.channels) != known.normal.size:
        raise UsageError(f"{len(known.channels)} channels are named, and there are {known.normal.size}")


def _build_reconstruction(tensors: Tensors, settings: Settings) -> Any:
    return _build("reconstruction", tensors, settings)


def _build_distance(tensors: Tensors, settings: Settings) -> Any:
    return _build("distance", tensors, settings)


HEADS = (
    Head(
        name="reconstruction", expects="one output of as many numbers as the input", fits=_fits,
        build=_build_reconstruction, options=OPTIONS,
    ),
    Head(
        name="distance", expects="one output, an embedding", fits=_fits, build=_build_distance, options=OPTIONS
    ),
)
"""Errors of an autoencoder, and distances of embeddings."""
