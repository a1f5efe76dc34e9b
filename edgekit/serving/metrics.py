"""Figures of a pipeline in the text format of Prometheus.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from edgekit.pipeline.stats import BOUNDS, DOWN, Figures, Histogram, SourceFigures
from edgekit.sinks.types import CountingSink

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = BOUNDS[10:61:2]
"""Milliseconds: five a decade, from 0.1 ms to 10 s."""
MILLI = 1e-3
LOSSES = ("dropped", "refused")

_Samples = Iterable[tuple[Mapping[str, str], float]]


def prometheus(
    figures: Figures, temperatures: Mapping[str, float] | None = None, sinks: Sequence[CountingSink] = ()
) -> str:
    """All figures as metrics, each with its help and type.

    Args:
        figures: The pipeline's.
        temperatures: Degrees Celsius by zone.
        sinks: Those that keep results for a while.
    """
    sources = _sources(figures.sources, time.monotonic())
    return "".join((*_whole(figures), *sources, *_stages(figures), *_sinks(sinks), *_zones(temperatures or {})))


def _whole(figures: Figures) -> Iterator[str]:
    yield _metric("edgekit_uptime_seconds", "gauge", "How long the pipeline has run.", [({}, figures.seconds)])
    yield _metric("edgekit_fps", "gauge", "Results a second, over the last five seconds.", [({}, figures.fps)])


def _sources(sources: Iterable[SourceFigures], now: float) -> Iterator[str]:
    by_source = [({"source": source.uri}, source) for source in sources]
    yield _metric(
        "edgekit_results_total", "counter", "Results of a source.", ((s, f.results) for s, f in by_source)
    )
    yield _metric(
        "edgekit_drops_total", "counter",
        "Samples dropped: lost before they reached us (source), overtaken (busy), too old (age).",
        (({**s, "cause": cause}, count) for s, f in by_source for cause, count in f.drops.items()),
    )
    yield _metric(
        "edgekit_problems_total", "counter", "Samples that could not be read.", ((s, f.problems) for s, f in by_source)
    )
    yield _metric(
        "edgekit_reconnects_total", "counter", "How often a source came back.",
        ((s, f.reconnects) for s, f in by_source),
    )
    yield _metric(
        "edgekit_events_total", "counter", "What happened to a source: lost, retrying, stalled, gap, clock, ...",
        (({**s, "kind": kind}, count) for s, f in by_source for kind, count in f.events.items()),
    )
    yield _metric(
        "edgekit_source_up", "gauge", "1 unless the source is lost, stalled or being retried.",
        ((s, float(f.state not in DOWN)) for s, f in by_source),
    )
    yield _metric(
        "edgekit_newest_capture_age_seconds", "gauge", "Since the capture of the newest sample with a result.",
        ((s, now - f.captured) for s, f in by_source if f.results),
    )


def _stages(figures: Figures) -> Iterator[str]:
    stages = {stage: times for stage, times in figures.stages.items() if stage != "age"}
    yield _histogram("edgekit_stage_seconds", "Time spent on a sample, by stage.", stages, "stage")
    if "age" in figures.stages:
        text = "From the capture of a sample to its result."
        yield _histogram("edgekit_age_seconds", text, {"": figures.stages["age"]}, "")


def _sinks(sinks: Sequence[CountingSink]) -> Iterator[str]:
    counts = [({"sink": sink.shown}, sink.counts()) for sink in sinks]
    if counts:
        text = "Results that are not yet where they should go."
        yield _metric("edgekit_sink_pending", "gauge", text, ((sink, found.pending) for sink, found in counts))
        yield _metric(
            "edgekit_sink_lost_total", "counter", "Results lost: no room for more (dropped), or not taken (refused).",
            (({**sink, "cause": cause}, getattr(found, cause)) for sink, found in counts for cause in LOSSES),
        )


def _zones(temperatures: Mapping[str, float]) -> Iterator[str]:
    if temperatures:
        yield _metric(
            "edgekit_temperature_celsius", "gauge", "Thermal zones of the device.",
            (({"zone": zone}, degrees) for zone, degrees in temperatures.items()),
        )


def _metric(name: str, kind: str, text: str, samples: _Samples) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _histogram(name: str, text: str, times: Mapping[str, Histogram], label: str) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} histogram"]
    for value, histogram in times.items():
        own = {label: value} if label else {}
        for bound in BUCKETS:
            lines.append(f"{name}_bucket{_labels({**own, 'le': f'{bound * MILLI:.6g}'})} {histogram.below(bound)}")
        lines.append(f"{name}_bucket{_labels({**own, 'le': '+Inf'})} {histogram.count}")
        lines.append(f"{name}_sum{_labels(own)} {_number(histogram.total * MILLI)}")
        lines.append(f"{name}_count{_labels(own)} {histogram.count}")
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    plain = value.encode("utf-8", "backslashreplace").decode()
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.9g}"
