"""Figures of a pipeline in the text format of Prometheus.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from edgekit.pipeline.stats import BOUNDS, DOWN, Figures, Histogram, SourceFigures
from edgekit.sinks.types import CountingSink
from edgekit.telemetry import Telemetry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = BOUNDS[10:61:2]
"""Milliseconds: five a decade, from 0.1 ms to 10 s."""
MILLI, MEGA = 1e-3, 1e6
LOSSES = ("dropped", "refused")

_Samples = Iterable[tuple[Mapping[str, str], float]]


def prometheus(
    figures: Figures, telemetry: Telemetry | None = None, sinks: Sequence[CountingSink] = ()
) -> str:
    """All figures as metrics, each with its help and type.

    Args:
        figures: The pipeline's.
        telemetry: How the device fares; what is not known is left out.
        sinks: Those that keep results for a while.
    """
    happened = *_sources(figures.sources, time.monotonic()), *_devices(figures)
    fares = _device(telemetry or Telemetry())
    return "".join((*_whole(figures), *happened, *_stages(figures), *_sinks(sinks), *fares))


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


def _devices(figures: Figures) -> Iterator[str]:
    if figures.devices:
        yield _metric(
            "edgekit_device_events_total", "counter", "What happened to a device: hung, failed, reloaded, slow, ...",
            (({"device": name, "kind": kind}, count) for (name, kind), count in figures.devices.items()),
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


def _device(telemetry: Telemetry) -> Iterator[str]:
    clocks = [({"clock": clock.name}, clock) for clock in telemetry.clocks]
    causes = telemetry.throttling.items()
    mode = [({"mode": telemetry.power_mode}, 1.0)] if telemetry.power_mode else []
    gauges: tuple[tuple[str, str, _Samples], ...] = (
        ("temperature_celsius", "Thermal zones of the device.", _by("zone", telemetry.temperatures)),
        ("clock_hertz", "What runs how fast.", ((name, clock.now * MEGA) for name, clock in clocks)),
        (
            "clock_limit_hertz", "The most that the system allows now.",
            ((name, clock.limit * MEGA) for name, clock in clocks if clock.limit is not None),
        ),
        ("throttled", "1 while this slows the device down.", _told((c, t.now) for c, t in causes)),
        ("throttled_since_boot", "1 where it did since the start.", _told((c, t.since_boot) for c, t in causes)),
        ("power_watts", "What the device takes, by rail.", _by("rail", telemetry.power)),
        ("power_mode_info", "A Jetson's power mode, by name.", mode),
        *((name, text, _known(value)) for name, text, value in _shares(telemetry)),
    )
    for name, text, samples in gauges:
        found = list(samples)
        if found:
            yield _metric(f"edgekit_{name}", "gauge", text, found)


def _shares(telemetry: Telemetry) -> Iterator[tuple[str, str, float | None]]:
    yield "processor_load_ratio", "Share of all cores' time that is used.", telemetry.processor_load
    yield "gpu_load_ratio", "Share of the GPU's time that is used.", telemetry.gpu_load
    yield "memory_size_bytes", "Memory of the device.", telemetry.memory_total
    yield "memory_available_bytes", "What programs can still get of it.", telemetry.memory_available
    yield "disk_size_bytes", "The file system that holds the root folder.", telemetry.disk_total
    yield "disk_available_bytes", "What can still be written to it.", telemetry.disk_available


def _by(label: str, values: Mapping[str, float]) -> _Samples:
    return (({label: name}, value) for name, value in values.items())


def _told(causes: Iterable[tuple[str, bool | None]]) -> _Samples:
    return (({"cause": cause}, float(holds)) for cause, holds in causes if holds is not None)


def _known(value: float | None) -> _Samples:
    return [] if value is None else [({}, value)]


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
