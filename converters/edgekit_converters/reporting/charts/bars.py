"""Horizontal bars, several to a row, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgekit_converters.reporting.charts.scale import Axis, axis, shown
from edgekit_converters.reporting.charts.svg import element, figure, label, shortened, text

WIDTH = 860
_NAMES, _VALUES, _BAR, _GAP, _TOP = 270, 120, 13, 10, 30
_LONGEST = 34


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        value: Its length, from 0.
        series: Number of its colour, from 1.
        low: Lower end of an interval; `high` the upper one; None without.
        said: Beside it; by default the value.
    """

    value: float
    series: int = 1
    low: float | None = None
    high: float | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class BarRow:
    """Bars under one name.

    Attributes:
        name: On the left.
        bars: Top down.
        marked: Whether the name is shown as one to look at.
        tip: Shown when pointed at; empty for none.
    """

    name: str
    bars: tuple[Bar, ...]
    marked: bool = False
    tip: str = ""


def bar_chart(
    rows: Sequence[BarRow], title: str, legend: Sequence[str] = (), mark: Callable[[float], str] = shown
) -> str:
    """A chart of all rows; empty where there are none.

    Args:
        rows: Top down.
        title: For those who cannot see it.
        legend: Names of the series, the first one is series 1.
        mark: Writes the numbers of the axis.
    """
    if not rows:
        return ""
    ends = (end for row in rows for bar in row.bars for end in (bar.value, bar.low, bar.high))
    values = [end for end in ends if end is not None]
    scale = axis(values, _NAMES, WIDTH - _VALUES, zero=True)
    heights = [len(row.bars) * _BAR + _GAP for row in rows]
    bottom = _TOP + sum(heights)
    parts = [*_legend(legend), *_grid(scale, bottom, mark)]
    top = float(_TOP)
    for row, height in zip(rows, heights, strict=True):
        parts.append(element("g", *_row(row, top, scale)))
        top += height
    return figure(WIDTH, bottom + 26, parts, title)


def _legend(names: Sequence[str]) -> Iterator[str]:
    x = float(_NAMES)
    for number, name in enumerate(names, 1):
        yield element("rect", x=x, y=4, width=11, height=11, rx=2, class_=f"series-{number}")
        yield label(x + 16, 14, name)
        x += 40 + 7 * len(name)


def _grid(scale: Axis, bottom: float, mark: Callable[[float], str]) -> Iterator[str]:
    for value in scale.marks():
        x = scale.at(value)
        yield element("line", x1=x, y1=_TOP - 6, x2=x, y2=bottom, class_="axis" if value == 0 else "grid")
        yield label(x, bottom + 16, mark(value), "small", "middle")


def _row(row: BarRow, top: float, scale: Axis) -> Iterator[str]:
    if row.tip:
        yield element("title", text(row.tip))
    middle = top + len(row.bars) * _BAR / 2 + 4
    yield label(_NAMES - 10, middle, shortened(row.name, _LONGEST), "label marked" if row.marked else "label", "end")
    for number, bar in enumerate(row.bars):
        yield from _bar(bar, top + number * _BAR, scale)


def _bar(bar: Bar, top: float, scale: Axis) -> Iterator[str]:
    ends = sorted((scale.at(0.0), scale.at(bar.value)))
    width = max(1.0, ends[1] - ends[0])
    yield element("rect", x=ends[0], y=top, width=width, height=_BAR - 3, rx=2, class_=f"series-{bar.series}")
    right = ends[1]
    if bar.low is not None and bar.high is not None:
        first, last = scale.at(bar.low), scale.at(bar.high)
        y = top + (_BAR - 3) / 2
        whiskers = f"M{first:.1f},{y - 3:.1f}v6M{first:.1f},{y:.1f}H{last:.1f}M{last:.1f},{y - 3:.1f}v6"
        yield element("path", d=whiskers, class_="interval")
        right = max(right, last)
    yield label(right + 7, top + _BAR - 4, bar.said or shown(bar.value), "small")
