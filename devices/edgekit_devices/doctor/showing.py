"""Findings for people, and as JSON."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import click

from edgekit.cli.layout import WIDTH, visible
from edgekit_devices.doctor.finding import LEVELS, Found, Level, gravest

SYMBOLS: dict[Level, tuple[str, str]] = {"ok": ("✓", "+"), "note": ("·", "-"), "warning": ("!", "!"),
                                         "blocked": ("✗", "x")}
"""In Unicode, and for terminals without."""
COLOURS: dict[Level, str] = {"ok": "green", "note": "cyan", "warning": "yellow", "blocked": "red"}
VERDICTS: dict[Level, str] = {
    "ok": "Nothing is wrong.",
    "note": "Nothing is wrong.",
    "warning": "Nothing blocks.",
    "blocked": "",
}


def lines(found: Sequence[Found], *, title: str) -> Iterator[str]:
    """The view for people, 80 columns wide: by group, with what mends it as it is to be typed."""
    yield click.style(visible(title), bold=True)
    for group, several in groupby(found, lambda one: one.check.group):
        yield ""
        yield click.style(group, bold=True)
        for one in several:
            yield from _finding(one)
    yield ""
    yield _verdict(found)


def _finding(one: Found) -> Iterator[str]:
    finding = one.finding
    symbol = click.style(SYMBOLS[finding.level][0 if _is_unicode() else 1], fg=COLOURS[finding.level])
    what, *rest = _wrapped(finding.what)
    loud = finding.level in ("warning", "blocked")
    yield f"  {symbol} {click.style(what, bold=True) if loud else what}"
    yield from (f"    {click.style(line, bold=True) if loud else line}" for line in rest)
    yield from (f"    {line}" for line in _wrapped(finding.why))
    yield from (f"      {visible(line)}" for line in finding.mend.splitlines())


def _wrapped(text: str) -> list[str]:
    """Lines of text, broken between words, and never within a path or command."""
    return [
        short for line in text.splitlines()
        for short in textwrap.wrap(visible(line), WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    ]


def _is_unicode() -> bool:
    return "utf" in (getattr(sys.stdout, "encoding", "") or "").lower()


def _verdict(found: Sequence[Found]) -> str:
    counts = {level: sum(one.finding.level == level for one in found) for level in LEVELS}
    words = {"note": ("note", "notes"), "warning": ("warning", "warnings"), "blocked": ("blocks", "block")}
    parts = [f"{counts[level]} {words[level][counts[level] > 1]}" for level in reversed(LEVELS[1:]) if counts[level]]
    worst = gravest(found)
    told = " ".join(filter(None, (VERDICTS[worst], f"{', '.join(parts)}." if parts else "")))
    return click.style(told, fg=COLOURS[worst])


def document(found: Sequence[Found], *, title: str) -> dict[str, Any]:
    """The object that `--json` prints: `machine`, `level` (the gravest), and `findings`, each with its check."""
    return {
        "machine": title,
        "level": gravest(found),
        "findings": [
            {
                "check": one.check.name, "group": one.check.group, "level": one.finding.level,
                "what": one.finding.what, "why": one.finding.why, "mend": one.finding.mend,
            }
            for one in found
        ],
    }
