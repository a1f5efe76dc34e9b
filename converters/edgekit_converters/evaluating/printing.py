"""An evaluation in lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from edgekit.cli.layout import visible
from edgekit_converters.evaluating.metrics.names import METRICS
from edgekit_converters.evaluating.results import Evaluation, Figure, Metric, Part

MOST_PARTS = 20
"""Classes, and groups by one property, that are shown; those that lose most where there are more."""
MOST_CONFUSED = 3
PERCENT = 100
LONGEST = 24
TEN = 10
AGREEMENT = "agreement"


def describe(found: Evaluation) -> str:
    """All figures, 95 % intervals in brackets; changes of shares are in percentage points."""
    lines = [_title(found), *_table("", [_row(METRICS[m.name].title, m) for m in found.metrics], bool(found.against))]
    if found.classes:
        lines += _parts("by class", found.classes, bool(found.against))
    for grouping in found.groupings:
        lines += _parts(f"by {grouping.by}", grouping.groups, bool(found.against))
    lines += _flagged(found)
    confused = _confused(found)
    if confused:
        lines += ["", f"Most often confused: {confused}."]
    return "\n".join([*lines, _speed(found)])


def _title(found: Evaluation) -> str:
    against = f" against {found.against}" if found.against else ""
    classes = f", {len(found.labels)} classes" if found.task == "classification" else ""
    skipped = f", {len(found.skipped)} skipped" if found.skipped else ""
    return f"{found.model}{against} on {found.data}: {found.task} of {found.samples:,} samples{classes}{skipped}"


def _parts(title: str, parts: Sequence[Part], compared: bool) -> Iterator[str]:
    """The main metric of each part."""
    shown = list(parts)
    if len(parts) > MOST_PARTS:
        worst = sorted(parts, key=lambda part: part.metrics[0].loss if part.metrics else 0, reverse=True)[:MOST_PARTS]
        shown = [part for part in parts if part in worst or part.flagged]
    main = next((part.metrics[0].name for part in parts if part.metrics), "")
    rows = [_part_row(part) for part in shown]
    yield ""
    yield from _table(f"{METRICS[main].title} {title}" if main else title, rows, compared, counted=True)
    if len(shown) < len(parts):
        yield f"  ... those of {len(parts)} that lose most; all are in --json"


def _flagged(found: Evaluation) -> list[str]:
    kinds = [("class", found.classes), *((grouping.by, grouping.groups) for grouping in found.groupings)]
    said = [f"Flagged: {kind} {_name(part)} {part.note}." for kind, parts in kinds for part in parts if part.flagged]
    return ["", *said] if said else []


def _part_row(part: Part) -> list[str]:
    mark = "!" if part.flagged else ""
    note = f"{mark} {part.note}".strip() if not part.flagged else mark
    if not part.metrics:
        return [_name(part), f"{part.samples:,}", "", "", "", note]
    name, *figures = _row(_name(part), part.metrics[0])
    return [name, f"{part.samples:,}", *figures, note]


def _row(name: str, metric: Metric) -> list[str]:
    """The other model's interval is left to --json, for want of columns; so is that it agrees with itself."""
    if metric.name == AGREEMENT:
        return [name, _figure(metric, metric.model), "", ""]
    against = replace(metric.against, low=None, high=None) if metric.against else None
    return [name, _figure(metric, metric.model), _figure(metric, against), _figure(metric, metric.change, signed=True)]


def _table(title: str, rows: Sequence[Sequence[str]], compared: bool, *, counted: bool = False) -> Iterator[str]:
    """Columns as wide as they need; those of another model only where there is one."""
    heads = [title, *(["samples"] if counted else []), "model", "against", "change"]
    table = [[*heads, ""][: len(rows[0])], *rows] if rows else [heads]
    hidden = () if compared else (heads.index("against"), heads.index("change"))
    table = [[cell for at, cell in enumerate(row) if at not in hidden] for row in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield f"  {'  '.join(cells)}".rstrip()


def _figure(metric: Metric, figure: Figure | None, *, signed: bool = False) -> str:
    if figure is None:
        return ""
    unit = {"share": "" if signed else "%", "dB": " dB"}.get(metric.unit, "")
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f" ({_number(metric, figure.low, signed)}..{_number(metric, figure.high, signed)})"
    return f"{_number(metric, figure.value, signed)}{unit}{interval}"


def _number(metric: Metric, value: float, signed: bool) -> str:
    sign = "+" if signed else ""
    if metric.unit == "share":
        return f"{value * PERCENT:{sign}.1f}"
    if metric.unit == "dB":
        return f"{value:{sign}.1f}"
    return f"{value:{sign}.4f}" if abs(value) < TEN else f"{value:{sign}.5g}"


def _name(part: Part) -> str:
    name = visible(part.name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."


def _confused(found: Evaluation) -> str:
    pairs = sorted(
        (
            (count, true, answered)
            for true, row in enumerate(found.confusion)
            for answered, count in enumerate(row)
            if count and true != answered
        ),
        reverse=True,
    )[:MOST_CONFUSED]
    return ", ".join(f"{found.labels[true]} as {found.labels[answered]} ({count})" for count, true, answered in pairs)


def _speed(found: Evaluation) -> str:
    other = f", {found.against} {found.seconds_against:.1f} s" if found.against else ""
    return f"{found.model} took {found.seconds:.1f} s on {found.device}{other}."
