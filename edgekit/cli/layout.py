"""Text for terminals of 80 columns: sections, tables, facts."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

WIDTH = 80
LONGEST_NAME = 36

Rows = Sequence[Sequence[str]]


def paragraph(text: str) -> list[str]:
    """An empty line, and the text in lines of 80."""
    return ["", *textwrap.wrap(visible(text), WIDTH)]


def section(title: str, rows: Rows) -> Iterator[str]:
    """A table whose columns are as wide as they need; the last one goes below where that is too wide."""
    yield from ("", title)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    below = sum(widths) + 2 * len(widths) > WIDTH
    for row in rows:
        cells = [visible(cell).ljust(width) for cell, width in zip(row, widths, strict=True)]
        last = [cells.pop().rstrip()] if below else []
        yield f"  {'  '.join(cells)}".rstrip()
        yield from (f"    {cell}" for cell in last if cell)


def pairs(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What is known, one fact a line, long ones wrapped under their own beginning."""
    known = [(short(visible(name)), visible(value)) for name, value in facts if value]
    column = max((len(name) for name, _ in known), default=0) + 4
    for name, value in known:
        first = f"  {name}".ljust(column)
        yield from textwrap.wrap(value, WIDTH, initial_indent=first, subsequent_indent=" " * column)


def short(name: str) -> str:
    """A name, without its beginning where it is long."""
    return name if len(name) <= LONGEST_NAME else f"...{name[3 - LONGEST_NAME :]}"


def visible(text: str) -> str:
    """Text from a file, without what would steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def count(number: int) -> str:
    """A number with commas."""
    return f"{number:,}"
