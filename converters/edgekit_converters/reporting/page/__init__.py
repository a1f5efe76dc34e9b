"""The report as one HTML page that needs nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgekit_converters.reporting.charts.svg import text
from edgekit_converters.reporting.page import accuracy, deployment, origin, quantization
from edgekit_converters.reporting.page.markup import absent, notice, prose

Section = Mapping[str, Any]

SECTIONS: tuple[tuple[str, str, Callable[[Section], str]], ...] = (
    ("accuracy", "Accuracy on data", accuracy.render),
    ("agreement", "Agreement with the float model", accuracy.render_agreement),
    ("gate", "Gate", accuracy.render_gate),
    ("recovery", "What was tried to win accuracy back", accuracy.render_recovery),
    ("errors", "Error of the outputs", quantization.render_errors),
    ("sensitivity", "Cost of quantization by layer", quantization.render_sensitivity),
    ("calibration", "Calibration", quantization.render_calibration),
    ("placement", "Placement on the target", deployment.render_placement),
    ("cost", "Cost of a run", deployment.render_cost),
    ("rewrites", "What was rewritten", origin.render_rewrites),
)
"""Key in the document, title, and what writes it where it is available."""


def render(document: Mapping[str, Any]) -> str:
    """The page.

    Args:
        document: As `report.json` holds it.
    """
    model = document["model"]
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    parts = [
        f"<h1>{text(model['title'])}</h1>",
        origin.render_summary(document),
        *_notices(document),
        _section("intended-use", "Intended use and limits", _card(document["card"]["text"])),
        *(_section(key, title, _body(document[key], write)) for key, title, write in SECTIONS),
        _section("provenance", "Provenance", origin.render_provenance(document)),
    ]
    links = [("intended-use", "Intended use"), *((key, title) for key, title, _ in SECTIONS)]
    links.append(("provenance", "Provenance"))
    menu = "".join(f'<a href="#{key}">{text(title)}</a>' for key, title in links)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Nothing is fetched, and no text from outside can make the page do so.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{text(model['name'])}: EdgeKit report</title><style>\n{style}</style></head>\n"
        f"<body><nav>{menu}</nav><main>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )


def _section(key: str, title: str, body: str) -> str:
    return f'<section id="{key}"><h2>{text(title)}</h2>{body}</section>'


def _body(section: Section, write: Callable[[Section], str]) -> str:
    return write(section) if section["available"] else absent(section["reason"])


def _card(said: str) -> str:
    return prose(said) if said.strip() else absent(
        "nobody has said what the model is for: give a Markdown file with the intended use, the limits and what the "
        "model must not be used for"
    )


def _notices(document: Mapping[str, Any]) -> list[str]:
    """What has to be seen first: a missed gate, groups that lose more, warnings."""
    found = []
    gate, accuracy_found = document["gate"], document["accuracy"]
    if gate["available"] and not gate["holds"]:
        found.append(notice("The gate is missed", f"{gate['said']}.", bad=True))
    for part in accuracy_found.get("flagged", ()):
        found.append(notice(part["name"], part["note"], bad=True))
    found += [notice("Warning", warning) for warning in document["warnings"]]
    return found
