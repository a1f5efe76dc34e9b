"""What models of sensors say: how unusual something is, which word was heard, what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.results.base import SCORE_DIGITS, Result, ScoredClass


def _finite(value: float) -> float | None:
    """For JSON, which has no word for NaN and infinity."""
    return round(value, SCORE_DIGITS) if isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Blame:
    """A channel's part in an unusual score: the share of what exceeds the usual, from 0 to 1."""

    name: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly(Result):
    """How unusual a window is.

    Attributes:
        score: The higher, the more unusual.
        threshold: From above it on it is an anomaly.
        is_anomaly: Whether it is.
        blame: The channels that are to blame, most first.
        drift: How far the slow mean of normal scores has gone from its usual value (0) to the threshold (1).
        is_drifting: Whether that is more than half of the way.
    """

    score: float
    threshold: float
    is_anomaly: bool
    blame: tuple[Blame, ...] = ()
    drift: float = 0.0
    is_drifting: bool = False

    def payload(self) -> dict[str, Any]:
        """`score`, `threshold`, `is_anomaly`, `blame`, `drift` and `is_drifting`."""
        return {
            "score": _finite(self.score),
            "threshold": _finite(self.threshold),
            "is_anomaly": self.is_anomaly,
            "blame": [{"name": entry.name, "share": _finite(entry.share)} for entry in self.blame],
            "drift": _finite(self.drift),
            "is_drifting": self.is_drifting,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword(Result):
    """Whether a word was heard.

    Attributes:
        word: The word with the best score, and that score: the mean over the last windows.
        heard: Whether this is the moment when it was heard. The windows after it, of the same utterance, say no.
    """

    word: ScoredClass
    heard: bool

    def best(self, label: str | None = None, minimum: float = 0.0) -> ScoredClass | None:
        """The word, at the moment when it is heard; else None."""
        fits = self.heard and label in (None, self.word.label) and self.word.score >= minimum
        return self.word if fits else None

    def payload(self) -> dict[str, Any]:
        """`heard`, and `word` with index, label and score."""
        word = {"index": self.word.index, "label": self.word.label, "score": _finite(self.word.score)}
        return {"heard": self.heard, "word": word}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast(Result):
    """What comes next.

    Attributes:
        values: float32 of shape (steps, channels).
        channels: Their names; empty where nobody said.
        step: Seconds from one step to the next; 0 where nobody said.
    """

    values: NDArray[np.float32]
    channels: tuple[str, ...] = ()
    step: float = 0.0

    def payload(self) -> dict[str, Any]:
        """`forecast`: a list for each step, or for each channel by name; and `step`."""
        rows = [[_finite(float(value)) for value in row] for row in self.values]
        columns = {name: [row[at] for row in rows] for at, name in enumerate(self.channels)}
        return {"forecast": columns or rows, "step": self.step}
