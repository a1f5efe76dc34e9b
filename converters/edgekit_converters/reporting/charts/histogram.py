"""How often which value occurs."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit_converters.reporting.charts.scale import Axis, axis, shown
from edgekit_converters.reporting.charts.svg import element, figure, label

WIDTH, HEIGHT = 860, 260
_LEFT, _TOP, _BOTTOM = 60, 16, 210


def histogram(edges: Sequence[float], counts: Sequence[int], title: str, unit: str) -> str:
    """Bars for the bins.

    Args:
        edges: One more than there are bins, ascending.
        counts: How many values lie in each; one at least is above 0.
        title: For those who cannot see it.
        unit: What the values are, below the axis.
    """
    across = Axis(edges[0], edges[-1], _LEFT, WIDTH - 20)
    up = axis([float(max(counts))], _BOTTOM, _TOP, zero=True)
    parts = []
    for value in up.marks(4):
        y = up.at(value)
        parts += [element("line", x1=_LEFT, y1=y, x2=WIDTH - 20, y2=y, class_="grid"),
                  label(_LEFT - 8, y + 4, shown(value), "small", "end")]
    for number, count in enumerate(counts):
        if count:
            left, right, y = across.at(edges[number]), across.at(edges[number + 1]), up.at(count)
            parts.append(element(
                "rect", element("title", f"{count} from {shown(edges[number])} to {shown(edges[number + 1])}"),
                x=left, y=y, width=max(1.0, right - left - 1), height=max(1.0, _BOTTOM - y), class_="series-1",
            ))
    parts.append(element("line", x1=_LEFT, y1=_BOTTOM, x2=WIDTH - 20, y2=_BOTTOM, class_="axis"))
    parts += [label(across.at(value), _BOTTOM + 18, shown(value), "small", "middle") for value in across.marks(8)]
    parts.append(label((_LEFT + WIDTH - 20) / 2, _BOTTOM + 40, unit, "label", "middle"))
    return figure(WIDTH, HEIGHT, parts, title)
