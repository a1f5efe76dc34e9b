"""A table of counts in colours: true class down, answered class across."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit_converters.reporting.charts.svg import element, figure, label, shortened, text

MOST_CLASSES = 40
_LONGEST, _LETTER, _TILT = 18, 6.6, 0.82
"""Most letters of a name; pixels of a letter across; height of a tilted text by its length."""


def heat_map(counts: Sequence[Sequence[int]], names: Sequence[str], title: str) -> str:
    """Each row coloured by the share of its class; empty for more than 40 classes, or without a count.

    Args:
        counts: Square.
        names: Of the classes.
        title: For those who cannot see it.
    """
    size = len(counts)
    if not 0 < size <= MOST_CLASSES or not any(map(any, counts)):
        return ""
    cell = max(15.0, min(46.0, 620 / size))
    length = _LETTER * max(len(shortened(name, _LONGEST)) for name in names)
    left, top = length + 16, _TILT * length + 16
    parts = [_moved(left, top, [
        *_names(names, cell), *(part for row in range(size) for part in _row(counts, names, row, cell)),
        label(size * cell / 2, size * cell + 20, "answered (across), true (down)", "small", "middle"),
    ])]
    return figure(left + size * cell + _TILT * length, top + size * cell + 30, parts, title)


def _moved(x: float, y: float, parts: Sequence[str]) -> str:
    return element("g", *parts, transform=f"translate({x:.1f} {y:.1f})")


def _names(names: Sequence[str], cell: float) -> Iterator[str]:
    for number, name in enumerate(names):
        short, middle = shortened(name, _LONGEST), (number + 0.5) * cell
        yield label(-8, middle + 4, short, "small", "end")
        yield element("text", text(short), class_="small", transform=f"translate({middle + 3:.1f} -8) rotate(-55)")


def _row(counts: Sequence[Sequence[int]], names: Sequence[str], row: int, cell: float) -> Iterator[str]:
    total = sum(counts[row])
    for column, count in enumerate(counts[row]):
        share = count / total if total else 0.0
        x, y = column * cell, row * cell
        tip = text(f"{names[row]} answered as {names[column]}: {count} of {total}")
        kind = "right" if row == column else "wrong"
        yield element("rect", x=x, y=y, width=cell - 1, height=cell - 1, class_="cell")
        if count:
            yield element("rect", element("title", tip), x=x, y=y, width=cell - 1, height=cell - 1, class_=kind,
                          fill_opacity=0.12 + 0.88 * share)
            if cell >= 22:
                yield label(x + cell / 2, y + cell / 2 + 4, str(count), "count strong" if share > 0.5 else "count",
                            "middle")
