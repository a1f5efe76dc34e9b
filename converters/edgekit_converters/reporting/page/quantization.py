"""What quantization did: to the outputs, layer by layer, and how its ranges were found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit_converters.reporting.charts.bars import Bar, BarRow, bar_chart
from edgekit_converters.reporting.charts.histogram import histogram
from edgekit_converters.reporting.charts.line import line_chart
from edgekit_converters.reporting.page import figures
from edgekit_converters.reporting.page.markup import chart, facts, folded, paragraph, table

Section = Mapping[str, Any]
MOST_LAYERS = 40
MOST_TENSORS = 25
_KNOWN = frozenset({
    "available", "kind", "source", "samples", "ranges", "calibrator", "bias_corrected", "trials", "error_by_count",
    "enough_samples", "clipped", "sha256",
})


def render_errors(section: Section) -> str:
    """The distribution of the outputs' errors."""
    pairs = [
        ("Compared", f"{section['numbers']:,} numbers of {section['samples']:,} samples"),
        ("Root mean square", f"{section['rms']:.4g}, where the outputs' own is {section['reference_rms']:.4g}"),
        ("Mean", f"{section['mean']:+.4g}"),
        ("1 %, 50 %, 99 %", ", ".join(f"{value:+.4g}" for value in section["percentiles"])),
        ("Largest", f"{section['largest']:.4g}"),
    ]
    picture = histogram(section["edges"], section["counts"], "Error of the outputs", "this model less the float model")
    return chart(picture, "How often which error occurs, all outputs together.") + facts(pairs)


def render_sensitivity(section: Section) -> str:
    """By operation: what it costs alone, and what has gathered up to it."""
    operations = _named(section["operations"])
    ranked = sorted(operations, key=_alone, reverse=True)
    chosen = sorted(ranked[:MOST_LAYERS], key=lambda one: int(one["index"]))
    alone = [BarRow(one["name"], (Bar(_alone(one) * 100, said=f"{_alone(one) * 100:.2g} %, {_db(one, 'alone_db')}"),),
                    tip=one["tensor"]) for one in chosen]
    inside = [BarRow(one["name"], (Bar(one["inside_db"], 2, said=_db(one, "inside_db")),), tip=one["tensor"])
              for one in operations if one["inside_db"] is not None][:2 * MOST_LAYERS]
    few = f" The {MOST_LAYERS} of {len(operations)} that cost most." if len(operations) > MOST_LAYERS else ""
    rows = [[str(one["index"]), one["type"], one["name"], _db(one, "alone_db"), _db(one, "left_out_db"),
             _db(one, "inside_db")] for one in operations]
    return (
        paragraph(f"Measured on {section['samples']} calibration samples in {section['seconds']} s. With all "
                  f"operations quantized the outputs have {figures.value(section['sqnr_db'], 'dB')} SQNR.")
        + chart(bar_chart(alone, "Error of the outputs by layer"),
                f"Error of the outputs, relative to their size, where this operation alone is quantized.{few}")
        + chart(bar_chart(inside, "SQNR of each layer"),
                "SQNR in dB of each operation's own output with all operations quantized, in execution order.")
        + folded("All operations as a table",
                 table(["", "operation", "layer", "quantized alone", "left float alone", "inside"], rows, numbers=3))
    )


def _alone(operation: Section) -> float:
    return 0.0 if operation["alone_db"] is None else 10 ** (-operation["alone_db"] / 20)


def _named(operations: Sequence[Section]) -> list[Section]:
    """With a name for each; where a layer became several operations, with the operation's type."""
    layers = Counter(one["layer"] for one in operations)
    return [
        {**one, "name": f"{one['layer']} ({one['type'] if layers[one['layer']] > 1 else one['kind'] or one['type']})"}
        for one in operations
    ]


def _db(operation: Section, key: str) -> str:
    if operation[key] is not None:
        return f"{operation[key]:.1f} dB"
    return "exact" if operation["exact"] and key == "alone_db" else "-"


def render_calibration(section: Section) -> str:
    """Samples, ranges, what lies outside them, and how many samples were enough."""
    pairs = [
        ("Samples", f"{section['samples']:,}" if "samples" in section else ""),
        ("From", str(section.get("source", ""))),
        ("Calibrator", str(section.get("calibrator", ""))),
        ("Biases", "corrected" if section.get("bias_corrected") else ""),
        ("Enough", _enough(section)),
    ]
    pairs += [(f"Range of {name}", f"{low:.4g} to {high:.4g}")
              for name, (low, high) in dict(section.get("ranges") or {}).items()]
    more = [(key, str(value)) for key, value in section.items() if key not in _KNOWN]
    return facts([*pairs, *more]) + _by_count(section) + _trials(section.get("trials") or ()) + _clipped(
        section.get("clipped") or {}
    )


def _enough(section: Section) -> str:
    if "enough_samples" not in section or not section.get("error_by_count"):
        return ""
    enough = section["enough_samples"]
    if enough is None:
        return "not sure: the error still changes with the last samples, and more may help"
    return f"{enough} samples: more of them changed the error little"


def _by_count(section: Section) -> str:
    points = [(float(count), float(error)) for count, error in section.get("error_by_count") or ()]
    picture = line_chart(points, "Error by number of samples", "calibration samples", "SQNR, dB")
    said = "SQNR on samples held back, before a final softmax or sigmoid, by how many were calibrated on."
    return chart(picture, said)


def _trials(trials: Sequence[Section]) -> str:
    rows = [
        BarRow(trial["calibrator"] + (", biases corrected" if trial["corrected"] else ""), tuple(
            Bar(trial[key], series, said=figures.value(trial[key], "dB"))
            for series, key in enumerate(("inner_db", "outer_db"), 1) if trial[key] is not None
        ))
        for trial in sorted(trials, key=lambda trial: -(trial["inner_db"] or 0.0))
    ]
    picture = bar_chart([row for row in rows if row.bars], "Calibrators tried", ["before a final softmax or sigmoid",
                                                                                 "of the outputs"])
    return chart(picture, "Calibrators tried, by SQNR in dB on samples held back.")


def _clipped(clipped: Mapping[str, float]) -> str:
    ranked = sorted(clipped.items(), key=lambda item: -item[1])[:MOST_TENSORS]
    rows = [BarRow(name, (Bar(share * 100, said=f"{share:.3%}"),), tip=name) for name, share in ranked if share > 0]
    few = f" The {MOST_TENSORS} of {len(clipped)} with the most." if len(clipped) > MOST_TENSORS else ""
    return chart(bar_chart(rows, "Clipped values"), f"Percent of a tensor's values outside its range.{few}")
