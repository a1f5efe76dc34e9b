"""The last minutes of a pipeline, a point a second, and its health."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.pipeline.stats import DOWN, STAGES, Figures, Histogram
from edgekit.telemetry import Telemetry

POINTS = 300
"""Five minutes."""
QUIET_SECONDS = 30.0
QUIET_INTERVALS = 10


@dataclass(frozen=True, slots=True)
class Point:
    """One second.

    Attributes:
        fps: Results a second over the last five.
        processing: Mean time of preprocessing, inference and postprocessing together, in ms; None without results.
        age: Mean age of the results when they were handed out, in ms; None without results.
        temperature: The hottest zone in degrees Celsius; None where none can be read.
        clock: The processor's fastest core, in MHz; None where that cannot be read.
        power: What the device takes, in watts; None where that cannot be read.
        throttled: What slows the device down, in words; empty where nothing does.
    """

    fps: float
    processing: float | None
    age: float | None
    temperature: float | None
    clock: float | None = None
    power: float | None = None
    throttled: str = ""


class History:
    """Points of the last minutes, made from one figure to the next."""

    def __init__(self) -> None:
        self.points: deque[Point] = deque(maxlen=POINTS)
        self._before: Mapping[str, Histogram] = {}

    def add(self, figures: Figures, telemetry: Telemetry) -> Point:
        """Take the figures of now, a second after the last."""
        means = {stage: _mean_since(self._before.get(stage, Histogram()), figures.stages[stage]) for stage in STAGES}
        self._before = figures.stages
        parts = [means[stage] for stage in STAGES if stage != "age"]
        point = Point(
            round(figures.fps, 2),
            round(sum(part for part in parts if part), 3) if any(part is not None for part in parts) else None,
            _rounded(means["age"]),
            _rounded(telemetry.hottest), _rounded(telemetry.processor_clock), _rounded(telemetry.watts),
            ", ".join(telemetry.throttled),
        )
        self.points.append(point)
        return point

    def columns(self) -> dict[str, list[float | str | None]]:
        """The points, one list a figure."""
        rows = [asdict(point) for point in list(self.points)]
        return {name: [row[name] for row in rows] for name in Point.__dataclass_fields__}


def summary(figures: Figures) -> dict[str, Any]:
    """What the page shows in words and numbers, ready for JSON."""
    return {
        "seconds": round(figures.seconds, 1),
        "results": figures.results,
        "fps": round(figures.fps, 2),
        "dropped": figures.dropped,
        "stages": {
            stage: {
                "mean": round(times.mean, 3),
                "p50": round(times.percentile(50), 3),
                "p95": round(times.percentile(95), 3),
            }
            for stage, times in figures.stages.items()
        },
        "sources": [
            {
                "uri": source.uri, "state": source.state, "results": source.results, "problems": source.problems,
                "reconnects": source.reconnects, "drops": dict(source.drops),
            }
            for source in figures.sources
        ],
        "problem": problem(figures),
    }


def problem(figures: Figures, now: float | None = None) -> str:
    """What is wrong with a pipeline, in one sentence; empty where nothing is.

    It is unwell where no source gives anything, or where results stopped coming: none for 30 s, and for ten times the
    usual interval.

    Args:
        figures: The pipeline's.
        now: Seconds on the monotonic clock, of the newest capture; None leaves that out.
    """
    if figures.sources and all(source.state in DOWN for source in figures.sources):
        return f"no source gives anything: {', '.join(sorted({source.state for source in figures.sources}))}"
    running = [source for source in figures.sources if source.state == "running" and source.results]
    if now is not None and running:
        usual = figures.seconds / max(1, figures.results)
        quiet = now - max(source.captured for source in running)
        if quiet > max(QUIET_SECONDS, QUIET_INTERVALS * usual):
            return f"no result for {quiet:.0f} s"
    return ""


def _mean_since(before: Histogram, after: Histogram) -> float | None:
    count = after.count - before.count
    return (after.total - before.total) / count if count > 0 else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
