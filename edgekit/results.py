"""What a model says of one sample."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
        time: When the sample was taken, by the wall clock.
        dropped: Samples of this source that were dropped so far.
    """

    task: str
    device: str
    latency: Latency
    source: str = ""
    sequence: int = 0
    captured: float = 0.0
    time: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    dropped: int = 0

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
            "latency_ms": {
                "preprocess": round(self.latency.preprocess, 3),
                "inference": round(self.latency.inference, 3),
                "postprocess": round(self.latency.postprocess, 3),
                "total": round(self.latency.total, 3),
            },
            "dropped": self.dropped,
            **self.payload(),
        }

    def to_json(self) -> str:
        """One line of JSON."""
        return to_json(self.to_dict(), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class ScoredClass:
    """A class with its score. `label` is empty where the model has no labels."""

    index: int
    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification(Result):
    """The best classes, best first."""

    classes: tuple[ScoredClass, ...]

    def best(self, label: str | None = None, minimum: float = 0.0) -> ScoredClass | None:
        """As in `Result`: the best class, or the one of that label, where its score reaches `minimum`."""
        for entry in self.classes:
            if label is None or entry.label == label:
                return entry if entry.score >= minimum else None
        return None

    def payload(self) -> dict[str, Any]:
        """`classes`: a list of index, label and score; a score that is no finite number is None."""
        return {
            "classes": [
                {
                    "index": c.index,
                    "label": c.label,
                    "score": round(c.score, 6) if isfinite(c.score) else None,
                }
                for c in self.classes
            ]
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Values(Result):
    """The output tensors as real numbers (float32), by output name, without the batch dimension."""

    values: dict[str, NDArray[np.float32]]

    def payload(self) -> dict[str, Any]:
        """`values`: nested lists; of the one output where there is one, else by output name.

        JSON has no word for NaN and infinity: they are None.
        """
        lists = {name: _nested_list(array) for name, array in self.values.items()}
        return {"values": next(iter(lists.values())) if len(lists) == 1 else lists}


def _nested_list(array: NDArray[np.float32]) -> Any:
    finite = np.isfinite(array)
    if finite.all():
        return array.tolist()
    numbers = array.astype(object)
    numbers[~finite] = None
    return numbers.tolist()
