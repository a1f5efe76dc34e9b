"""What the results of all tasks share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.metadata.types import ColourOrder

SCORE_DIGITS, PIXEL_DIGITS = 6, 2
"""Decimal digits of scores, and of places in pixels, in JSON."""


def to_json(value: Any, *, indent: int | None = None, separators: tuple[str, str] | None = None) -> str:
    """JSON that UTF-8 can hold: bytes of a file name that are no text stand escaped, as Python has them in a string."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # writes a lone surrogate as JSON does


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds spent on one sample, stage by stage."""

    preprocess: float = 0.0
    inference: float = 0.0
    postprocess: float = 0.0

    @property
    def total(self) -> float:
        """The sum of the stages; waiting between them is not counted."""
        return self.preprocess + self.inference + self.postprocess

    def to_dict(self) -> dict[str, float]:
        """The stages and `total`, ready for JSON."""
        return {
            "preprocess": round(self.preprocess, 3),
            "inference": round(self.inference, 3),
            "postprocess": round(self.postprocess, 3),
            "total": round(self.total, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What every task's result carries.

    Attributes:
        task: Name of the task that made it.
        device: What the model ran on, such as `cpu`.
        latency: Time spent, in milliseconds.
        source: Path or URI that the sample came from; empty for data passed in from Python.
        sequence: Number of the sample within its source, from 0.
        captured: When the sample was taken, in seconds on the monotonic clock.
        position: Seconds from the start of a recording, such as a video file; None for what is captured as it happens.
        slack: Of a sample that several sources made, by input name: seconds by which what was taken of that source
            missed the moment of the sample.
        time: When the sample was taken, by the wall clock.
        dropped: Samples of this source that were dropped so far.
        drops: The same by cause: `source` (lost before they reached us), `busy` (a newer one came while the model
            was busy), `age` (older than `max_age`).
        age: Seconds from the capture of the sample to the moment the pipeline handed out the result.
        frame: The picture of the sample, uint8 of shape (H, W, 3) or (H, W); None for numbers, and for a model that
            is called from Python. Who collects results of a video keeps all its pictures.
        frame_channels: Order of that picture's colours.
        model: Name of the model that made it, where several run side by side; else empty.
    """

    task: str
    device: str
    latency: Latency
    source: str = ""
    sequence: int = 0
    captured: float = 0.0
    position: float | None = None
    slack: Mapping[str, float] = field(default_factory=dict)
    time: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    dropped: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    age: float = 0.0
    frame: NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)
    frame_channels: ColourOrder = "bgr"
    model: str = ""

    def best(self, label: str | None = None, minimum: float = 0.0) -> ScoredClass | None:
        """The best class, or the one of that label, where its score reaches `minimum`.

        None where there is none, as in the result of a task that finds no classes.
        """
        return None

    def payload(self) -> dict[str, Any]:
        """The task's own keys, ready for JSON."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """The common keys, then the task's own, ready for JSON."""
        return {
            "source": self.source,
            "sequence": self.sequence,
            "captured": round(self.captured, 6),
            "time": self.time.isoformat(timespec="milliseconds"),
            "task": self.task,
            "device": self.device,
            **({"model": self.model} if self.model else {}),
            "latency_ms": self.latency.to_dict(),
            "age_ms": round(self.age * 1000, 3),
            "dropped": self.dropped,
            "drops": {cause: count for cause, count in self.drops.items() if count},
            **self._slack(),
            **self.payload(),
        }

    def inner_dict(self) -> dict[str, Any]:
        """As part of another result, which has the common keys: task, device and latency, then the task's own."""
        return {"task": self.task, "device": self.device, "latency_ms": self.latency.to_dict(), **self.payload()}

    def _slack(self) -> dict[str, Any]:
        """The key of a sample that several sources made."""
        if not self.slack:
            return {}
        return {"slack_ms": {name: round(slack * 1000, 3) for name, slack in self.slack.items()}}

    def to_json(self) -> str:
        """One line of JSON."""
        return to_json(self.to_dict(), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class ScoredClass:
    """A class with its score. `label` is empty where the model has no labels."""

    index: int
    label: str
    score: float
