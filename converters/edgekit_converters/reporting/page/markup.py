"""Pieces of HTML. What they are given is escaped here, unless it is said to be markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgekit_converters.reporting.charts.svg import text

KILO = 1000
_BULLET = re.compile(r"\s*[-*+]\s+")
_HEADING = re.compile(r"#{1,6}\s+")


def absent(reason: str) -> str:
    """Why a section is empty."""
    return f'<p class="absent">Not here: {text(reason)}.</p>'


def notice(title: str, said: str, *, bad: bool = False) -> str:
    """A box for what has to be seen."""
    return f'<div class="notice{" bad" if bad else ""}"><b>{text(title)}</b> {text(said)}</div>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with their values; those without one are left out."""
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs if value)
    return f"<dl>{rows}</dl>" if rows else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> str:
    """A table.

    Args:
        head: Names of the columns.
        rows: As many cells each.
        numbers: So many columns at the end are numbers.
    """
    first = len(head) - numbers
    kinds = ["" if at < first else ' class="number"' for at in range(len(head))]
    top = "".join(f"<th{kind}>{text(name)}</th>" for name, kind in zip(head, kinds, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{text(cell)}</td>' for cell, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def chart(svg: str, caption: str) -> str:
    """A picture (markup) with words below; nothing where the picture is empty."""
    return f'<figure class="wide">{svg}<figcaption>{text(caption)}</figcaption></figure>' if svg else ""


def folded(title: str, markup: str) -> str:
    """What is long, shown when asked for."""
    return f"<details><summary>{text(title)}</summary>{markup}</details>" if markup else ""


def paragraph(said: str) -> str:
    """A paragraph."""
    return f"<p>{text(said)}</p>"


def prose(markdown: str) -> str:
    """The user's text: paragraphs, headings and lists of Markdown. All else stays as it was typed."""
    blocks, bullets = [], []
    for block in [line.strip() for part in markdown.split("\n\n") for line in (*_lines(part), "")]:
        if _BULLET.match(block):
            bullets.append(f"<li>{text(_BULLET.sub('', block, count=1))}</li>")
            continue
        if bullets:
            blocks.append(f"<ul>{''.join(bullets)}</ul>")
            bullets = []
        if _HEADING.match(block):
            blocks.append(f"<h3>{text(_HEADING.sub('', block, count=1))}</h3>")
        elif block:
            blocks.append(paragraph(block))
    return "".join([*blocks, f"<ul>{''.join(bullets)}</ul>" if bullets else ""])


def _lines(part: str) -> list[str]:
    """Lines of one paragraph joined; headings and bullets each for themselves."""
    found: list[str] = []
    alone = True
    for line in part.splitlines():
        special = bool(_BULLET.match(line) or _HEADING.match(line))
        if special or alone or not found:
            found.append(line)
        else:
            found[-1] += f" {line.strip()}"
        alone = bool(_HEADING.match(line))
    return found


def size(count: int | None) -> str:
    """Bytes in words."""
    if count is None:
        return ""
    if count < KILO:
        return f"{count} B"
    return f"{count / KILO:.1f} kB" if count < KILO**2 else f"{count / KILO**2:.2f} MB"


def number(count: int) -> str:
    """A whole number with commas."""
    return f"{count:,}"
