"""What the model is, where it comes from, and what was changed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit_converters.reporting.page.markup import facts, folded, paragraph, size, table

Section = Mapping[str, Any]
MOST_LABELS = 12


def render_summary(document: Section) -> str:
    """The head of the page."""
    model = document["model"]
    before = f" (was {size(model['source_size_bytes'])})" if model["source_size_bytes"] else ""
    floats = model["float_tensors"]
    pairs = [
        ("File", f"{model['name']}, {size(model['size_bytes'])}{before}"),
        ("Precision", model["precision"] or "not said"),
        ("Float", f"{floats} computed tensors" if floats else ""),
        ("Task", model["task"] or "not said"),
        ("Target", model["target"] or "not said"),
        ("Inputs", "; ".join(map(_tensor, model["inputs"]))),
        ("Outputs", "; ".join(map(_tensor, model["outputs"]))),
        ("Labels", _labels(model["labels"])),
        ("Operations", ", ".join(f"{count} {type_}" for type_, count in model["operations"].items())),
        ("SHA-256", model["sha256"]),
        ("Description", model["description"] or ""),
        ("Licence", model["license"] or ""),
    ]
    return facts(pairs)


def _tensor(tensor: Section) -> str:
    return f"{tensor['name']}: {tensor['dtype']} {tensor['shape']}"


def _labels(labels: list[str]) -> str:
    more = ", ..." if len(labels) > MOST_LABELS else ""
    return f"{len(labels)}: {', '.join(labels[:MOST_LABELS])}{more}" if labels else ""


def render_rewrites(section: Section) -> str:
    """What was put into another form, and what the device computes."""
    parts = []
    if section["rewritten"]:
        parts.append(paragraph("Put into forms that compute the same, held against the float model:"))
        parts.append(table(["form", "what it is for"], list(section["rewritten"].items())))
    else:
        parts.append(paragraph("Nothing was rewritten."))
    parts += [paragraph(f"On the device's processor: {said}") for said in section["on_the_host"]]
    return "".join(parts)


def render_provenance(document: Section) -> str:
    """Hashes, versions and the command."""
    said = document["provenance"]
    source = said["source"] or {}
    data = said["calibration_data"] or {}
    pairs = [
        ("Made from", str(source.get("name", ""))),
        ("SHA-256 of it", str(source.get("sha256", ""))),
        ("Calibration data", ", ".join(f"{key} {value}" for key, value in data.items())),
        ("Made with", _versions(said["made_with"])),
        ("Command", said["command"] or ""),
        ("Reported with", f"{_versions(said['reported_with'])}; {said['platform']}"),
        ("Report", f"{document['run_id']}, {document['timestamp']}, schema {document['schema_version']}"),
    ]
    return facts(pairs) + folded("Files", paragraph(
        "report.json holds the same as this page, by the schema report.schema.json beside it; model_card.md is the "
        "model card."
    ))


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
