"""The model card: Mitchell et al. 2019, "Model Cards for Model Reporting", section by section, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from edgekit.cli.layout import visible
from edgekit.errors import DataError, MissingFileError
from edgekit_converters.reporting.page import figures
from edgekit_converters.reporting.page.markup import size

HEADINGS = (
    "Model Details", "Intended Use", "Factors", "Metrics", "Evaluation Data", "Training Data", "Quantitative Analyses",
    "Ethical Considerations", "Caveats and Recommendations",
)
"""The sections of the paper, in its order."""
OTHER_HEADINGS = {
    "limits": "Caveats and Recommendations", "limitations": "Caveats and Recommendations",
    "known limitations": "Caveats and Recommendations", "caveats": "Caveats and Recommendations",
    "out-of-scope use": "Intended Use", "ethics": "Ethical Considerations",
}
"""What people call them besides, in small letters."""
_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*\s*")
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|])")
UNSAID = "*Not said by the people who made the model.*"

Document = Mapping[str, Any]


def model_card(document: Document) -> str:
    """The card.

    Args:
        document: As `report.json` holds it.
    """
    said = split_by_heading(document["card"]["text"])
    parts = [f"# Model card: {plain(document['model']['title'])}", ""]
    for heading in HEADINGS:
        measured = list(_MEASURED[heading](document)) if heading in _MEASURED else []
        own = said.get(heading, "")
        parts += [f"## {heading}", "", *measured, *([""] if measured and own else [])]
        parts += [own] if own else [] if measured else [UNSAID]
        parts.append("")
    made = f"Made by EdgeKit {document['tool']['version']}, {document['timestamp']}"
    parts.append(f"{made}, report {document['run_id']}.")
    return "\n".join(parts) + "\n"


def read_card(path: str | PathLike[str]) -> str:
    """The user's text, for `ReportFacts.card`.

    Raises:
        MissingFileError: there is no such file, or it is a folder.
        DataError: it is no UTF-8 text.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise MissingFileError(f"no such file: {path}", hint="Give a Markdown file with the intended use.") from error
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}") from error


def split_by_heading(markdown: str) -> dict[str, str]:
    """The user's text by heading of the card, whatever its case.

    What stands under none of them is the intended use. Headings of the user's own stay in the section above them.
    """
    known = {heading.lower(): heading for heading in HEADINGS} | OTHER_HEADINGS
    found: dict[str, list[str]] = {}
    current = "Intended Use"
    for line in markdown.strip().splitlines():
        heading = _HEADING.fullmatch(line)
        name = known.get(heading.group(1).lower()) if heading else None
        if name:
            current = name
        else:
            found.setdefault(current, []).append(line)
    texts = {heading: "\n".join(lines).strip() for heading, lines in found.items()}
    return {heading: text for heading, text in texts.items() if text}


def plain(text: object) -> str:
    """Text from a file, without what Markdown would read in it."""
    return _MARKS.sub(r"\\\1", visible(str(text)))


def _details(document: Document) -> Iterator[str]:
    model, origin = document["model"], document["provenance"]
    yield f"- File: {plain(model['name'])}, {size(model['size_bytes'])}, TensorFlow Lite, "\
        f"precision {model['precision'] or 'not said'}"
    yield f"- SHA-256: {model['sha256']}"
    for key in ("description", "version", "author", "license"):
        if model[key]:
            yield f"- {key.capitalize()}: {plain(model[key])}"
    yield f"- Task: {plain(model['task'] or 'not said')}; target: {plain(model['target'] or 'not said')}"
    for kind in ("inputs", "outputs"):
        tensors = ", ".join(f"{plain(one['name'])} ({one['dtype']} {' x '.join(map(str, one['shape']))})"
                            for one in model[kind])
        yield f"- {kind.capitalize()}: {tensors}"
    source = origin["source"] or {}
    if source:
        yield f"- Made from: {plain(source.get('name', ''))}" + (
            f", SHA-256 {source['sha256']}" if source.get("sha256") else "")
    cost = document["cost"]
    if cost["available"]:
        yield f"- Cost of a run: {cost['macs']:,} multiply-accumulates, {cost['parameters']:,} parameters, "\
            f"{size(cost['activation_bytes'])} of memory for activations at least"


def _factors(document: Document) -> Iterator[str]:
    accuracy = document["accuracy"]
    for grouping in accuracy.get("groupings", ()):
        names = ", ".join(plain(group["name"]) for group in grouping["groups"])
        yield f"- Evaluated by {plain(grouping['by'])}: {names}"


def _metrics(document: Document) -> Iterator[str]:
    accuracy = document["accuracy"]
    if accuracy["available"]:
        yield "- " + ", ".join(plain(figures.title(metric["name"])) for metric in accuracy["metrics"])
        yield f"- Intervals are of {accuracy['confidence']:.0%} confidence; changes against the other model are paired."
    if document["gate"]["available"]:
        gate = document["gate"]
        yield f"- Gate, {'held' if gate['holds'] else 'missed'}: {plain(gate['said'])}"


def _data(document: Document) -> Iterator[str]:
    accuracy, calibration = document["accuracy"], document["provenance"]["calibration_data"]
    if accuracy["available"]:
        yield f"- {plain(accuracy['data'])}, {accuracy['samples']:,} samples"
    if calibration:
        yield f"- Calibration of the ranges: {plain(calibration.get('source', ''))}, "\
            f"{calibration.get('samples', 'unknown')} samples (not an evaluation)"


def _analyses(document: Document) -> Iterator[str]:
    accuracy, agreement = document["accuracy"], document["agreement"]
    if accuracy["available"]:
        named = [(figures.title(metric["name"]), metric) for metric in accuracy["metrics"]]
        yield from _figures("metric", named, accuracy["against"])
        for title, parts in _parts(accuracy):
            yield from ("", f"### {title}", "", *_part_table(parts, accuracy["against"]))
        for part in accuracy["flagged"]:
            yield from ("", f"**{plain(part['name'])}** {plain(part['note'])}")
    if agreement["available"]:
        sqnr = "exact" if agreement["exact"] else figures.value(agreement["sqnr_db"], "dB")
        same = f", same class in {agreement['same_class']:.1%}" if agreement["same_class"] is not None else ""
        yield ""
        yield f"Against the float model, on {agreement['samples']} calibration samples: {sqnr} signal to quantization "\
            f"noise{same}."


def _parts(accuracy: Document) -> Iterator[tuple[str, Sequence[Document]]]:
    if accuracy["classes"]:
        yield "By class", accuracy["classes"]
    for grouping in accuracy["groupings"]:
        yield f"By {plain(grouping['by'])}", grouping["groups"]


def _part_table(parts: Sequence[Document], against: str | None) -> Iterator[str]:
    measured = [part for part in parts if part["metrics"]]
    if measured:
        named = [(f"{part['name']} ({part['samples']:,})", part["metrics"][0]) for part in measured]
        yield from _figures(figures.title(measured[0]["metrics"][0]["name"]), named, against)


def _figures(head: str, named: Sequence[tuple[str, Document]], against: str | None) -> Iterator[str]:
    yield f"| {plain(head)} | this model |" + (f" {plain(against)} | change |" if against else "")
    yield "|---|---:|" + ("---:|---:|" if against else "")
    for name, metric in named:
        row = [plain(name), figures.interval(metric["model"], metric["unit"])]
        row += figures.compared(metric) if against else []
        yield f"| {' | '.join(row)} |"


def _caveats(document: Document) -> Iterator[str]:
    for warning in document["warnings"]:
        yield f"- {plain(warning)}"


_MEASURED = {
    "Model Details": _details, "Factors": _factors, "Metrics": _metrics, "Evaluation Data": _data,
    "Quantitative Analyses": _analyses, "Caveats and Recommendations": _caveats,
}
