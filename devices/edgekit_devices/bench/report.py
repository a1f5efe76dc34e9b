"""A benchmark as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgekit.cli.layout import count, visible
from edgekit.telemetry import Telemetry
from edgekit_devices.bench import figures
from edgekit_devices.bench.types import STAGES, TOTAL, Benchmark, Measured, Operations

MEBI = 2**20
SHOWN_OPERATIONS = 8
_PER_MS = 1e-6
"""Multiply-accumulates by millisecond to thousands of millions by second."""


def lines(benchmark: Benchmark) -> Iterator[str]:
    """All of it, a line at a time."""
    machine, shown = benchmark.machine, [one for one in benchmark.measured if one.runs]
    facts = (
        machine["board"], machine["release"], machine["system"], f"{machine['cores']} cores", machine["runtime"],
        f"Python {machine['python']}", f"EdgeKit {machine['edgekit']}",
    )
    yield ", ".join(visible(str(fact)) for fact in facts if fact)
    if shown:
        yield from _latencies(benchmark, shown)
        yield from _stages(shown)
        yield from _starts(shown)
        yield from _device(benchmark.before, benchmark.after)
        yield from _published(benchmark, {one.opening.device.partition(":")[0] for one in shown if one.opening})
    for one in shown:
        yield from _operations(one)
    yield from _remarks(benchmark)


def _latencies(benchmark: Benchmark, shown: Sequence[Measured]) -> Iterator[str]:
    several = len(benchmark.measured) > 1
    compared = ("times the first",) if several else ()
    rows: list[tuple[str, ...]] = [("Inference, ms", "runs", "least", "p50", "p90", "p99", "p90 bound", *compared)]
    for one in shown:
        found = figures.summary(one.times("inference"))
        sure = figures.single_stream(one.times("inference"))
        rows.append((
            visible(one.name), count(one.runs), *(_three(found[name]) for name in ("min", "p50", "p90", "p99")),
            _three(sure) if sure else "-", *((_ratio(benchmark, one),) if several else ()),
        ))
    yield from ("", *table(rows))


def _ratio(benchmark: Benchmark, one: Measured) -> str:
    ratio = benchmark.ratio(one)
    if ratio is None or one is benchmark.first:
        return "1"
    interval = f" ({_three(ratio.low)} to {_three(ratio.high)})" if ratio.low and ratio.high else ""
    return f"{_three(ratio.value)}{interval}"


def _stages(shown: Sequence[Measured]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("From sample to result, p50 ms", *STAGES, "total", "a second")]
    for one in shown:
        medians = [float(np.median(one.times(stage))) for stage in (*STAGES, TOTAL)]
        rows.append((visible(one.name), *map(_three, medians), f"{one.throughput:,.1f}"))
    yield from ("", *table(rows))


def _starts(shown: Sequence[Measured]) -> Iterator[str]:
    rows = [("Start and memory", "import ms", "load ms", "first ms", "before MB", "peak MB", "threads")]
    for one in shown:
        assert one.opening
        start = one.opening
        rows.append((
            visible(one.name), _three(start.import_ms), _three(start.load_ms), _three(start.first_ms),
            f"{start.memory_before / MEBI:.0f}", f"{one.memory_peak / MEBI:.0f}", str(start.threads),
        ))
    yield from ("", *table(rows))
    yield from ("", *dict.fromkeys(f"Run on {visible(one.opening.samples)}." for one in shown if one.opening))
    yield from (f"{visible(one.name)}: {one.opening.reason}" for one in shown if one.opening and one.opening.reason)


def _device(before: Telemetry, after: Telemetry) -> Iterator[str]:
    parts = [
        _change("temperature", before.hottest, after.hottest, "°C"),
        _change("processor", before.processor_clock, after.processor_clock, "MHz"),
        _change("power", before.watts, after.watts, "W"),
        f"power mode {after.power_mode}" if after.power_mode else "",
    ]
    known = ", ".join(filter(None, parts))
    yield f"Device before and after: {known}." if known else "The device tells neither temperature, clock nor power."


def _published(benchmark: Benchmark, devices: set[str]) -> Iterator[str]:
    """What others measured on such boards, with those of the devices that were measured here."""
    known = [latency for latency in benchmark.machine["published"] if latency["device"] in devices]
    if known:
        yield from ("", "Published for this kind of board, for comparison:")
    for latency in known:
        yield (
            f"  {latency['model']} {latency['precision']} on {latency['device']}: {_three(latency['milliseconds'])} ms "
            f"({latency['runtime']}; {latency['source']})"
        )


def _change(name: str, before: float | None, after: float | None, unit: str) -> str:
    return "" if before is None or after is None else f"{name} {before:.4g} and {after:.4g} {unit}"


def _operations(one: Measured) -> Iterator[str]:
    if one.no_operations:
        yield from ("", f"No times of the operations of {visible(one.name)}: {one.no_operations}.")
    if one.operations is None:
        return
    found, share = one.operations, max(one.operations.sum_ms, 1e-9)
    slowest = sorted(found.each, key=lambda operation: -(operation.ms or 0.0))[:SHOWN_OPERATIONS]
    rows = [(f"Slowest of {len(found.each)} operations", "shape", "ms alone", "share", "GMAC/s")]
    for operation in slowest:
        ms = operation.ms or 0.0
        speed = f"{operation.macs / ms * _PER_MS:.1f}" if ms and operation.macs else ""
        shape = "x".join(map(str, operation.shape))
        rows.append((f"{operation.index} {operation.type}", shape, _three(ms), f"{ms / share:.0%}", speed))
    yield from ("", f"{visible(one.name)}, each operation alone, the fastest of its runs:", *table(rows))
    yield _sums(found)


def _sums(found: Operations) -> str:
    types = ", ".join(f"{name} {_three(ms)}" for name, ms in list(found.by_type().items())[:3])
    failed = sum(operation.ms is None for operation in found.each)
    missing = f"; {failed} cannot be run alone" if failed else ""
    return f"All alone {_three(found.sum_ms)} ms ({types}), the whole network {_three(found.whole_ms)} ms{missing}."


def _remarks(benchmark: Benchmark) -> Iterator[str]:
    for one in benchmark.measured:
        yield from (f"Note on {visible(one.name)}: {note}" for note in one.notes)
    yield from (f"Warning: {text}" for text in benchmark.warnings)
    for one in benchmark.measured:
        if one.error:
            after = f" after {count(one.runs)} runs" if one.runs else ""
            yield f"Failed{after}: {visible(one.name)}: {one.error}"
    if benchmark.interrupted:
        yield "Interrupted: these are the figures up to then."


def _three(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        right = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        yield "  ".join((row[0].ljust(widths[0]), *right)).rstrip()
