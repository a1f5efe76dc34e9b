"""How much accuracy quantization may cost: what the user allows, held against what was measured."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import MissingFileError, UsageError
from edgekit_converters.evaluating.metrics.names import METRICS
from edgekit_converters.evaluating.results import Metric

PERCENT = 100
POINTS = "points"
_FORM = re.compile(r"([0-9]*\.?[0-9]+)\s*(%|dB|)", re.IGNORECASE)
FORMS = "Write 0.5% (points of the task's metric), 30dB (an SQNR of 30 dB at least), or a number such as 0.02."
_ROUNDING = 1e-9
"""Shares of samples are sums of floats."""


@dataclass(frozen=True, slots=True)
class MaxDrop:
    """What may be lost: a number, and what it counts in."""

    value: float
    unit: Literal["%", "dB", ""]

    def __str__(self) -> str:
        return f"{self.value:g}{' ' if self.unit else ''}{self.unit}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A model held against the gate.

    Attributes:
        metric: The metric that it goes by.
        value: Of the quantized model.
        reference: Of the float model; None for metrics that compare the two.
        drop: What was lost, in what `unit` says; below 0 where it became better.
        allowed: How much may be.
        unit: `points` (percentage points), `% of the float model's`, `dB` (of noise: the SQNR below 0) or nothing, for
            the metric's own unit.
    """

    metric: str
    value: float
    reference: float | None
    drop: float
    allowed: float
    unit: str

    @property
    def holds(self) -> bool:
        """Whether no more was lost than may be."""
        return self.drop <= self.allowed + _ROUNDING

    @property
    def short(self) -> str:
        """What was lost, for a person."""
        if self.unit == "dB":
            return f"{METRICS[self.metric].title} {-self.drop:.1f} dB"
        unit = f" {self.unit}" if self.unit else ""
        return f"{METRICS[self.metric].title} {'loses' if self.drop >= 0 else 'gains'} {abs(self.drop):.3g}{unit}"

    @property
    def said(self) -> str:
        """The same with what may be lost."""
        if self.unit == "dB":
            return f"{self.short}, where {-self.allowed:g} dB are asked for"
        return f"{self.short}, where {self.allowed:g} may be lost"

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "metric": self.metric, "value": self.value, "reference": self.reference, "drop": round(self.drop, 6),
            "allowed": self.allowed, "unit": self.unit, "holds": self.holds,
        }


@dataclass(frozen=True, slots=True)
class Gate:
    """What a conversion is held against.

    Attributes:
        data: Path of the evaluation data.
        data_name: What the user called it.
        target_column: Column or array of the labels; None for the usual one.
        max_drop: What may be lost; None where the model is only to be evaluated.
        group_by: What to give each metric by, as in `edgekit evaluate`.
    """

    data: Path
    data_name: str
    target_column: str | None = None
    max_drop: MaxDrop | None = None
    group_by: tuple[str, ...] = ()


def check_gate(
    evaluate: str | PathLike[str] | None, max_drop: str | float | None, target_column: str | None,
    group_by: Sequence[str] = (),
) -> Gate | None:
    """What a conversion is to be held against; None where nothing was asked for.

    Raises:
        UsageError: one goes without the other.
        MissingFileError: there is no such data.
    """
    if evaluate is None:
        for name, given in (("max_drop", max_drop), ("target_column", target_column), ("group_by", group_by or None)):
            if given is not None:
                raise UsageError(
                    f"{name} needs data to evaluate on", hint="Give it as evaluate: a folder of pictures by class, an "
                    ".npz with x and y, a .csv with a target column, or data without labels.",
                )
        return None
    path = Path(fspath(evaluate))
    if not path.exists():
        raise MissingFileError(f"no such evaluation data: {evaluate}", hint="Check the path.")
    limit = None if max_drop is None else parse_max_drop(max_drop)
    return Gate(path.absolute(), str(evaluate), target_column, limit, tuple(group_by))


def parse_max_drop(text: str | float) -> MaxDrop:
    """What a user allows to be lost.

    Args:
        text: `0.5%`, `30dB` or `0.02`.

    Raises:
        UsageError: it is of another form.
    """
    match = _FORM.fullmatch(str(text).strip())
    if match is None:
        raise UsageError(f"max-drop cannot be '{text}'", hint=FORMS)
    unit: Literal["%", "dB", ""] = "%" if match[2] == "%" else "dB" if match[2] else ""
    return MaxDrop(float(match[1]), unit)


def judge(metric: Metric, limit: MaxDrop) -> Verdict:
    """Hold a metric against what may be lost.

    Percent are points of a metric that goes from 0 to 1, percent of the float model's figure for an error such as
    RMSE, and for the SQNR the error of the outputs relative to their size.

    Args:
        metric: Of the quantized model, with its change against the float one.
        limit: What may be lost.

    Raises:
        UsageError: the limit does not fit the metric.
    """
    reference = metric.against.value if metric.against else None
    if metric.unit == "dB":
        if limit.unit == "":
            raise _misfit(metric, limit, "an SQNR is limited by decibels (30dB) or by the relative error (3%)")
        allowed = -limit.value if limit.unit == "dB" else _noise_db(limit.value)
        return Verdict(metric.name, metric.model.value, None, -metric.model.value, allowed, "dB")
    if limit.unit == "dB":
        raise _misfit(metric, limit, "decibels limit an SQNR alone; give points, such as 0.5%")
    return Verdict(metric.name, metric.model.value, reference, *_lost(metric, limit, reference))


def _lost(metric: Metric, limit: MaxDrop, reference: float | None) -> tuple[float, float, str]:
    if not metric.higher_is_better and limit.unit == "%":
        if not reference:
            raise _misfit(metric, limit, "that of the float model is 0: give a number in its own unit")
        return PERCENT * metric.loss / reference, limit.value, "% of the float model's"
    if not metric.higher_is_better:
        return metric.loss, limit.value, ""
    if limit.unit == "":
        raise _misfit(metric, limit, f"say whether it means points: {limit.value:g}%")
    return PERCENT * metric.loss, limit.value, POINTS


def _noise_db(percent: float) -> float:
    return 20 * math.log10(percent / PERCENT) if percent else -math.inf


def _misfit(metric: Metric, limit: MaxDrop, why: str) -> UsageError:
    return UsageError(f"max-drop {limit} does not fit the metric {METRICS[metric.name].title}: {why}")
