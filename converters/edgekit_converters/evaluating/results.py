"""What an evaluation gives: figures with their intervals, for the whole, by class and by group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.errors import UsageError

Unit = Literal["share", "dB", ""]
"""`share` is 0 to 1 and shown in percent; decibels; or what the model's own values are in."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value with its 95 % confidence interval; `low` and `high` are None where none was computed."""

    value: float
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; what is not finite is null."""
        return {"value": _number(self.value), "low": _number(self.low), "high": _number(self.high)}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the model, and where there is another to hold it against of that one too.

    Attributes:
        name: Such as `accuracy`.
        unit: What its figures are in.
        higher_is_better: False for errors such as RMSE.
        model: Of the model evaluated.
        against: Of the other model, on the same samples; None without one, and where the metric compares the two.
        change: `model` less `against`, with a paired interval: both models have answered the same samples.
        p_value: Of McNemar's exact test that nothing has changed; None for metrics that are no share of samples.
    """

    name: str
    unit: Unit
    higher_is_better: bool
    model: Figure
    against: Figure | None = None
    change: Figure | None = None
    p_value: float | None = None

    @property
    def loss(self) -> float:
        """How much worse the model is than the other, in the metric's unit: 0.01 is one percentage point of a share.

        Negative where it is better; 0 without another.
        """
        if self.change is None:
            return 0.0
        return 0.0 - self.change.value if self.higher_is_better else self.change.value

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.name, "unit": self.unit, "higher_is_better": self.higher_is_better,
            "model": self.model.to_dict(),
            "against": self.against.to_dict() if self.against else None,
            "change": self.change.to_dict() if self.change else None,
            "p_value": _number(self.p_value),
        }


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the samples: those of one class, or of one group.

    Attributes:
        name: Label of the class, or what the group is called.
        index: Of the class; None for a group.
        samples: How many they are.
        metrics: The first one is what `flagged` goes by.
        flagged: Whether the model loses more against the other here than on all other samples: the 95 % interval of
            the difference between the two changes lies wholly on the bad side.
        note: Why it is flagged, or what makes its figures doubtful; empty where there is nothing to say.
    """

    name: str
    index: int | None
    samples: int
    metrics: tuple[Metric, ...]
    flagged: bool = False
    note: str = ""

    def metric(self, name: str) -> Metric:
        """The metric of that name.

        Raises:
            KeyError: there is none.
        """
        return _named(self.metrics, name)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.name, "index": self.index, "samples": self.samples,
            "metrics": [metric.to_dict() for metric in self.metrics], "flagged": self.flagged, "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Grouping:
    """The samples split by one property: `by` is the column, or `folder:LEVEL`."""

    by: str
    groups: tuple[Part, ...]

    @property
    def flagged(self) -> tuple[Part, ...]:
        """Groups that lose more than the others."""
        return tuple(group for group in self.groups if group.flagged)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"by": self.by, "groups": [group.to_dict() for group in self.groups]}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good a model is on data, and against another model what has changed.

    Attributes:
        model: What the model is called; `against` the other one, empty without.
        data: What the data is called.
        task: `classification`, `regression`, `anomaly`, `detection`, or `agreement` for data without labels.
        samples: How many samples both models have answered.
        metrics: Of all samples; the first is the task's main one, which a gate goes by.
        classes: Figures by class, in the order of the model's classes; those without samples are left out.
        labels: Names of the classes, all of them.
        confusion: How often true class (row) was answered as class (column); `confusion_against` by the other model.
        groupings: One for each property that was grouped by.
        skipped: Samples that could not be read, and why.
        warnings: What the user should know, a sentence each.
        device: What the model ran on.
        seconds: Time that the model took for its answers, data reading included; `seconds_against` the other's.
    """

    model: str
    against: str
    data: str
    task: str
    samples: int
    metrics: tuple[Metric, ...]
    classes: tuple[Part, ...] = ()
    labels: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    confusion_against: tuple[tuple[int, ...], ...] = ()
    groupings: tuple[Grouping, ...] = ()
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    device: str = ""
    seconds: float = 0.0
    seconds_against: float = 0.0

    @property
    def main(self) -> Metric:
        """The task's main metric."""
        return self.metrics[0]

    @property
    def flagged(self) -> tuple[Part, ...]:
        """Classes and groups that lose more than the others."""
        parts = (*self.classes, *(group for grouping in self.groupings for group in grouping.groups))
        return tuple(part for part in parts if part.flagged)

    def metric(self, name: str) -> Metric:
        """The metric of that name.

        Raises:
            UsageError: there is none for this task; the message lists those that there are.
        """
        try:
            return _named(self.metrics, name)
        except KeyError:
            names = ", ".join(metric.name for metric in self.metrics)
            raise UsageError(f"metric '{name}' was not measured for {self.task}", hint=f"There are: {names}.") from None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; figures that are not finite are null."""
        return {
            "model": self.model, "against": self.against or None, "data": self.data, "task": self.task,
            "samples": self.samples, "confidence": CONFIDENCE,
            "metrics": [metric.to_dict() for metric in self.metrics],
            "classes": [part.to_dict() for part in self.classes],
            "labels": list(self.labels),
            "confusion": [list(row) for row in self.confusion],
            "confusion_against": [list(row) for row in self.confusion_against],
            "groupings": [grouping.to_dict() for grouping in self.groupings],
            "skipped": list(self.skipped), "warnings": list(self.warnings), "device": self.device,
            "seconds": round(self.seconds, 3), "seconds_against": round(self.seconds_against, 3),
        }


def _named(metrics: Sequence[Metric], name: str) -> Metric:
    found = next((metric for metric in metrics if metric.name == name), None)
    if found is None:
        raise KeyError(name)
    return found


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
