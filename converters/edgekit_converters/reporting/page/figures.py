"""Measured values in words, by their unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit_converters.evaluating.metrics.names import METRICS

PERCENT = 100
AGREEMENT = "agreement"


def title(metric: str) -> str:
    """What people call a metric."""
    return METRICS[metric].title if metric in METRICS else metric


def value(found: float | None, unit: str) -> str:
    """A value with its unit."""
    if found is None:
        return "not finite"
    if unit == "share":
        return f"{found * PERCENT:.2f} %"
    return f"{found:.2f} dB" if unit == "dB" else f"{found:.4g}"


def change(found: float | None, unit: str) -> str:
    """A difference with its sign: of shares in points."""
    if found is None:
        return "not finite"
    if unit == "share":
        return f"{found * PERCENT:+.2f} points"
    return f"{found:+.2f} dB" if unit == "dB" else f"{found:+.4g}"


def interval(figure: Mapping[str, Any] | None, unit: str, *, difference: bool = False) -> str:
    """A figure with its interval; empty where there is none."""
    if figure is None:
        return ""
    write = change if difference else value
    said = write(figure["value"], unit)
    if figure["low"] is None or figure["high"] is None:
        return said
    return f"{said} ({write(figure['low'], unit).split()[0]} to {write(figure['high'], unit).split()[0]})"


def compared(metric: Mapping[str, Any]) -> list[str]:
    """The other model's figure and the change; empty for agreement, which the other model has with itself."""
    if metric["name"] == AGREEMENT:
        return ["", ""]
    return [interval(metric["against"], metric["unit"]), interval(metric["change"], metric["unit"], difference=True)]
