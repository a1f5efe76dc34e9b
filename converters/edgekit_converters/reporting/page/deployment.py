"""Where the model runs, and what a run costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from edgekit_converters.reporting.charts.bars import Bar, BarRow, bar_chart
from edgekit_converters.reporting.page.markup import absent, chart, facts, folded, number, paragraph, size, table

Section = Mapping[str, Any]
_MILLION = 1e6


def render_placement(section: Section) -> str:
    """Operations on the accelerator and off it, and why."""
    target, operations = section["target"], section["operations"]
    share = section["mac_share"]
    pairs = [
        ("Target", target),
        ("Foretold for", section["compiler"] or ("" if section["asked"] else "read from the compiled file")),
        ("Asked", section["asked"] or ""),
        ("Operations", f"{operations[target]} of {operations['total']} on {target}, {operations['cpu']} on the cpu"),
        ("Arithmetic", f"{share:.1%} of all multiply-accumulates on {target}" if share is not None else ""),
        ("Parameters", _memory(section["memory"])),
    ]
    counted = {
        side: Counter(one["type"] for one in section["per_operation"] if (one["placement"] == target) == (side == 1))
        for side in (1, 2)
    }
    types = sorted({*counted[1], *counted[2]}, key=lambda type_: -(counted[1][type_] + counted[2][type_]))
    rows = [
        BarRow(type_, tuple(Bar(counted[side][type_], side) for side in (1, 2) if counted[side][type_]))
        for type_ in types
    ]
    reasons = [
        [str(one["index"]), one["type"], one["layer"] or one["name"], one["reason"] or one["status"], one["advice"]]
        for one in section["per_operation"] if one["placement"] != target
    ]
    refused = "".join(paragraph(f"Refused: {refusal['reason']} {refusal['advice']}") for refusal in section["refusals"])
    wrong = paragraph(f"Wrong: {section['wrong']}") if section["wrong"] else ""
    return (
        facts(pairs) + wrong + refused
        + chart(bar_chart(rows, "Operations by type", [target, "cpu"]), "Operations by type and place.")
        + (table(["", "operation", "layer", "why it is on the cpu", "what to change"], reasons) if reasons else "")
        + "".join(map(paragraph, section["notes"]))
    )


def _memory(memory: Section | None) -> str:
    if memory is None:
        return ""
    return f"about {size(memory['parameters'])} of {size(memory['capacity'])} (estimated; {memory['error']})"


def render_cost(section: Section) -> str:
    """Arithmetic, parameters, memory, latency here, estimates elsewhere."""
    macs = section["macs"]
    pairs = [
        ("Multiply-accumulates", f"{number(macs)}; {section['counted']}"),
        ("Parameters", f"{number(section['parameters'])}, {size(section['parameter_bytes'])}"),
        ("Activation memory", f"{size(section['activation_bytes'])} at least"),
    ]
    rows = [
        BarRow(type_, (Bar(count / _MILLION, said=f"{count / _MILLION:.3g} M, {count / macs:.1%}"),))
        for type_, count in section["by_type"].items()
    ]
    picture = bar_chart(rows, "Multiply-accumulates by type")
    return facts(pairs) + chart(picture, "Multiply-accumulates by type of operation, in millions.") + _latency(section)


def _latency(section: Section) -> str:
    measured, estimated = section["measured_latency_ms"], section["estimated_latency_ms"]
    if "median" in measured:
        threads = f"{measured['threads']} thread{'s' if measured['threads'] > 1 else ''}"
        here = facts([
            ("Measured here", f"median {measured['median']:.3g} ms, 95 % within {measured['percentile_95']:.3g} ms, "
                              f"shortest {measured['shortest']:.3g} ms"),
            ("On", f"{measured['machine']}; {threads}, {measured['runs']} runs, the network alone"),
        ])
    else:
        here = absent(measured["reason"])
    if not estimated:
        return f"<h3>Latency</h3>{here}" + paragraph("No estimate for boards: published figures are of int8 networks "
                                                     "with arithmetic to compare by.")
    rows = [[one["board"], "estimate, not measured", one["source"], f"{one['value']:.3g} ms"] for one in estimated]
    said = paragraph(f"Estimates for boards: {section['estimate_error']}.")
    return f"<h3>Latency</h3>{here}" + said + folded("Estimates and their sources",
                                                      table(["board", "", "from", "latency"], rows, numbers=1))
