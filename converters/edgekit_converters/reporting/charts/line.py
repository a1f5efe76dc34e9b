"""A value over another."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit_converters.reporting.charts.scale import Axis, axis, shown
from edgekit_converters.reporting.charts.svg import element, figure, label

WIDTH, HEIGHT = 860, 250
_LEFT, _TOP, _BOTTOM = 70, 16, 200


def line_chart(points: Sequence[tuple[float, float]], title: str, across: str, up: str) -> str:
    """Points joined by lines; empty for fewer than two.

    Args:
        points: Ascending in the first value.
        title: For those who cannot see it.
        across: What the first value is.
        up: What the second value is.
    """
    if len(points) < 2:
        return ""
    horizontal = Axis(points[0][0], points[-1][0], _LEFT + 10, WIDTH - 40)
    vertical = axis([y for _, y in points], _BOTTOM, _TOP)
    parts = []
    for value in vertical.marks(8):
        y = vertical.at(value)
        parts += [element("line", x1=_LEFT, y1=y, x2=WIDTH - 20, y2=y, class_="grid"),
                  label(_LEFT - 8, y + 4, shown(value), "small", "end")]
    places = [(horizontal.at(x), vertical.at(y)) for x, y in points]
    parts.append(element("path", d="M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in places), class_="curve"))
    for (x, y), (given, value) in zip(places, points, strict=True):
        parts.append(element("circle", element("title", f"{shown(given)}: {shown(value)}"), cx=x, cy=y, r=4,
                             class_="series-1"))
        parts.append(label(x, _BOTTOM + 18, shown(given), "small", "middle"))
    parts += [element("line", x1=_LEFT, y1=_BOTTOM, x2=WIDTH - 20, y2=_BOTTOM, class_="axis"),
              label((_LEFT + WIDTH) / 2, _BOTTOM + 40, across, "label", "middle"), label(_LEFT - 60, 12, up, "small")]
    return figure(WIDTH, HEIGHT, parts, title)
