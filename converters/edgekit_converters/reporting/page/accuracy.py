"""How good the model is: as a whole, by class and by group, against the float model; the gate, and the way to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit_converters.reporting.charts.bars import Bar, BarRow, bar_chart
from edgekit_converters.reporting.charts.heat_map import MOST_CLASSES, heat_map
from edgekit_converters.reporting.charts.svg import text
from edgekit_converters.reporting.page import figures
from edgekit_converters.reporting.page.markup import chart, facts, folded, paragraph, size, table

Section = Mapping[str, Any]
MOST_PARTS = 40
MOST_CONFUSIONS = 12
_UNITS = {"share": 100.0}


def render(section: Section) -> str:
    """The evaluation."""
    against = section["against"]
    parts = [
        facts(_of(section)),
        _metrics_table(section),
        _metrics_chart(section),
        _parts("Classes", section["classes"], against),
        *(_parts(f"Groups by {grouping['by']}", grouping["groups"], against) for grouping in section["groupings"]),
        _confusion(section),
        folded(f"{len(section['skipped'])} samples were skipped",
               "".join(map(paragraph, section["skipped"]))) if section["skipped"] else "",
    ]
    return "".join(parts)


def _of(section: Section) -> list[tuple[str, str]]:
    return [
        ("Data", f"{section['data']}, {section['samples']:,} samples, task {section['task']}"),
        ("Model", section["model"]),
        ("Against", section["against"] or ""),
        ("Ran on", section["device"]),
        ("Intervals", f"{section['confidence']:.0%} confidence; of changes paired: both answered the same samples"),
    ]


def _metrics_table(section: Section) -> str:
    head = ["metric", "this model", *([section["against"], "change"] if section["against"] else [])]
    rows = [
        [figures.title(metric["name"]), figures.interval(metric["model"], metric["unit"]),
         *(figures.compared(metric) if section["against"] else [])]
        for metric in section["metrics"]
    ]
    return table(head, rows, numbers=len(head) - 1)


def _metrics_chart(section: Section) -> str:
    shares = [metric for metric in section["metrics"] if metric["unit"] == "share"]
    rows = [BarRow(figures.title(metric["name"]), _bars(metric)) for metric in shares]
    return chart(
        bar_chart([row for row in rows if row.bars], "Metrics", _legend(section["against"])),
        "Metrics in percent, with their intervals.",
    )


def _legend(against: str | None) -> list[str]:
    return ["this model", against] if against else ["this model"]


def _bars(metric: Section) -> tuple[Bar, ...]:
    factor = _UNITS.get(metric["unit"], 1.0)
    bars = []
    keys = ("model",) if metric["name"] == figures.AGREEMENT else ("model", "against")
    for series, key in enumerate(keys, 1):
        figure = metric[key]
        if figure is not None and figure["value"] is not None:
            low, high = (None if figure[end] is None else figure[end] * factor for end in ("low", "high"))
            said = figures.value(figure["value"], metric["unit"])
            bars.append(Bar(figure["value"] * factor, series, low, high, said))
    return tuple(bars)


def _parts(title: str, parts: Sequence[Section], against: str | None) -> str:
    """Classes or groups by their main metric; of many, those that change most."""
    with_metric = [part for part in parts if part["metrics"]]
    if not with_metric:
        return ""
    shown = sorted(with_metric, key=_change)[:MOST_PARTS] if len(with_metric) > MOST_PARTS else with_metric
    name = figures.title(shown[0]["metrics"][0]["name"])
    rows = [
        BarRow(part["name"], _bars(part["metrics"][0]), marked=part["flagged"],
               tip=f"{part['name']}: {part['samples']} samples. {part['note']}")
        for part in shown
    ]
    few = f" The {MOST_PARTS} of {len(with_metric)} that change most for the worse." if len(shown) < len(parts) else ""
    picture = chart(
        bar_chart([row for row in rows if row.bars], title, _legend(against)),
        f"{name} with intervals; bold names are flagged.{few}",
    )
    changes = _changes(shown, title) if against else ""
    return f"<h3>{text(title)}</h3>{picture}{changes}{folded(f'{title} as a table', _part_table(with_metric, against))}"


def _changes(parts: Sequence[Section], title: str) -> str:
    """What quantization changed, part by part."""
    rows = []
    for part in parts:
        metric = part["metrics"][0]
        change, factor = metric["change"], _UNITS.get(metric["unit"], 1.0)
        if change is not None and change["value"] is not None:
            low, high = (None if change[end] is None else change[end] * factor for end in ("low", "high"))
            said = figures.change(change["value"], metric["unit"])
            bar = Bar(change["value"] * factor, 1, low, high, said)
            rows.append(BarRow(part["name"], (bar,), marked=part["flagged"], tip=part["note"]))
    unit = "points" if parts[0]["metrics"][0]["unit"] == "share" else parts[0]["metrics"][0]["unit"] or "its own unit"
    return chart(
        bar_chart(rows, f"Changes by {title.lower()}"),
        f"Change against the other model, in {unit}, with paired intervals: one that holds 0 may be chance.",
    )


def _change(part: Section) -> float:
    metric = part["metrics"][0]
    value = (metric["change"] or {}).get("value") or 0.0
    return float(value if metric["higher_is_better"] else -value)


def _part_table(parts: Sequence[Section], against: str | None) -> str:
    name = figures.title(parts[0]["metrics"][0]["name"])
    head = ["name", "note", "samples", name, *(["against", "change"] if against else [])]
    rows = []
    for part in parts:
        metric = part["metrics"][0]
        row = [part["name"], part["note"], f"{part['samples']:,}", figures.interval(metric["model"], metric["unit"])]
        if against:
            row += figures.compared(metric)
        rows.append(row)
    return table(head, rows, numbers=len(head) - 2)


def _confusion(section: Section) -> str:
    counts = section["confusion"]
    if not counts:
        return ""
    names = section["labels"] or [str(number) for number in range(len(counts))]
    worst = _confusions(counts, names)
    picture = heat_map(counts, names, "Confusion")
    said = "Counts; the colour is the share of the true class." if picture else ""
    many = "" if picture else paragraph(f"More than {MOST_CLASSES} classes: the most frequent confusions only.")
    rows = table(["true", "answered", "samples"], worst, numbers=1) if worst else ""
    listed = folded("Most frequent confusions", rows) if picture else rows
    return f"<h3>Confusion</h3>{chart(picture, said)}{many}{listed}"


def _confusions(counts: Sequence[Sequence[int]], names: Sequence[str]) -> list[list[str]]:
    found = [
        (count, names[row], names[column])
        for row, line in enumerate(counts) for column, count in enumerate(line) if count and row != column
    ]
    found.sort(key=lambda one: -one[0])
    return [[true, answered, str(count)] for count, true, answered in found[:MOST_CONFUSIONS]]


def render_agreement(section: Section) -> str:
    """How near the outputs are to the float model's on calibration samples."""
    sqnr = "exact" if section["exact"] else figures.value(section["sqnr_db"], "dB")
    pairs = [("Signal to quantization noise", f"{sqnr}, of the outputs")]
    pairs += [
        (name, f"{section[key]:.1%}") for name, key in (("Same best class", "same_class"), ("Same whole numbers",
                                                                                            "same_numbers"))
        if section[key] is not None
    ]
    return facts([*pairs, ("Samples", f"{section['samples']} of the calibration data")])


def render_gate(section: Section) -> str:
    """What was asked of the accuracy."""
    return facts([("Result", "holds" if section["holds"] else "missed"), ("Limit", section["said"])])


def render_recovery(section: Section) -> str:
    """Step by step."""
    steps = section["steps"]
    name = figures.title(steps[0]["metric"])
    rows = [
        [step["name"], step["did"], "yes" if step["kept"] else "no", "yes" if step["holds"] else "no",
         size(step["size"]), _measured(step)]
        for step in steps
    ]
    bars = [
        BarRow(step["name"], (Bar(step["value"] * _factor(step), 1 if step["kept"] else 2, said=_measured(step)),),
               tip=step["did"])
        for step in steps if step["value"] is not None
    ]
    kept_float = ", ".join(section["kept_float"])
    picture = chart(
        bar_chart(bars, "Recovery", ["kept", "not kept"]), f"{name} after each step, in the order tried."
    )
    head = ["step", "what was done", "kept", "gate holds", "size", name]
    said = paragraph(f"Left in float: {kept_float}.") if kept_float else ""
    return picture + table(head, rows, numbers=2) + said


def _factor(step: Section) -> float:
    return _UNITS["share"] if step["unit"] == "points" else 1.0


def _measured(step: Section) -> str:
    """The metric's figure; a limit in points is of a share."""
    return figures.value(step["value"], "share" if step["unit"] == "points" else step["unit"])
