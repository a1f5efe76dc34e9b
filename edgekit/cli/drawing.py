"""A model's graph as an SVG picture: one box an operation, coloured by where it runs, layers from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from edgekit.cli.layout import visible
from edgekit.placement import PlacedOperation, Placement

BOX_WIDTH, BOX_HEIGHT = 190, 38
GAP, LANE, ROW = 24, 14, 70
MARGIN, HEAD = 24, 96
LONGEST, LONGEST_NAME = 25, 30
_SWEEPS = 4
_ON_TARGET, _ON_CPU, _CROSSING = ("#2e7d32", "#e8f5e9"), ("#c62828", "#ffebee"), "#c62828"
_STYLE = (
    "text{font-family:sans-serif;font-size:12px;fill:#1b1b1b}.small{font-size:10px;fill:#555}"
    ".title{font-size:16px;font-weight:bold}path{fill:none;stroke:#888;stroke-width:1.2}"
    f".crossing{{stroke:{_CROSSING};stroke-width:2}}"
)


@dataclass(frozen=True, slots=True)
class _Spot:
    """The middle of a box, or of a bend of a long line; in pixels."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class _Layout:
    """Rows of items: operation indices, and pairs (edge, row) where a long edge passes through a row."""

    chains: tuple[tuple[object, ...], ...]
    rows: list[list[object]]


def draw(placed: Placement, title: str) -> str:
    """The picture, self-contained.

    Args:
        placed: What runs where.
        title: Written above it.
    """
    layout = _layout(placed)
    spots = _spots(layout)
    width = max((spot.x for spot in spots.values()), default=0) + BOX_WIDTH / 2 + MARGIN
    height = max((spot.y for spot in spots.values()), default=HEAD) + BOX_HEIGHT + MARGIN
    width = max(width, 560)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        *_heading(placed, title),
        *_lines(placed, layout, spots),
        *(_box(operation, spots[operation.index], placed.target) for operation in placed.operations),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _heading(placed: Placement, title: str) -> Iterator[str]:
    yield f'<text class="title" x="{MARGIN}" y="30">{_text(title)}</text>'
    said = f"{placed.on_target} of {len(placed.operations)} operations on {placed.target}, {placed.on_cpu} on the cpu"
    yield f'<text x="{MARGIN}" y="50">{_text(said)}</text>'
    legend = ((_ON_TARGET, placed.target, ""), (_ON_CPU, "cpu", ""), (_ON_TARGET, "with doubt", "4 3"))
    for number, ((stroke, fill), name, dash) in enumerate(legend):
        x = MARGIN + 130 * number
        yield f'<rect x="{x}" y="62" width="16" height="12" fill="{fill}" stroke="{stroke}" stroke-dasharray="{dash}"/>'
        yield f'<text x="{x + 22}" y="73">{_text(name)}</text>'


def _lines(placed: Placement, layout: _Layout, spots: Mapping[object, _Spot]) -> Iterator[str]:
    sides = {operation.index: (operation.placement, operation.subgraph) for operation in placed.operations}
    for (source, target), chain in zip(placed.edges, layout.chains, strict=True):
        points = [spots[item] for item in chain]
        first = points[0]
        steps = [f"M{first.x:.0f},{first.y + BOX_HEIGHT / 2:.0f}"]
        for before, after in pairwise(points):
            top = before.y + BOX_HEIGHT / 2
            bottom = after.y - BOX_HEIGHT / 2
            middle = (top + bottom) / 2
            steps.append(f"C{before.x:.0f},{middle:.0f} {after.x:.0f},{middle:.0f} {after.x:.0f},{bottom:.0f}")
            steps.append(f"L{after.x:.0f},{after.y + BOX_HEIGHT / 2:.0f}" if after is not points[-1] else "")
        kind = "" if sides[source] == sides[target] else ' class="crossing"'
        yield f'<path{kind} d="{"".join(steps)}"/>'


def _box(operation: PlacedOperation, spot: _Spot, target: str) -> str:
    stroke, fill = _ON_TARGET if operation.placement == target else _ON_CPU
    dash = "" if operation.certain else ' stroke-dasharray="4 3"'
    x, y = spot.x - BOX_WIDTH / 2, spot.y - BOX_HEIGHT / 2
    said = (operation.name, operation.status, operation.reason, operation.advice)
    tip = "\n".join(_text(line) for line in said if line)
    label = f"{operation.index} {operation.custom_code or operation.type}"
    label = label if len(label) <= LONGEST else f"{label[:LONGEST]}…"
    name = operation.layer or operation.name
    name = name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME:]}"
    return (
        f"<g><title>{tip}</title>"
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" fill="{fill}" '
        f'stroke="{stroke}"{dash}/>'
        f'<text x="{x + 8:.0f}" y="{y + 16:.0f}">{_text(label)}</text>'
        f'<text class="small" x="{x + 8:.0f}" y="{y + 30:.0f}">{_text(name)}</text>'
        "</g>"
    )


def _text(text: str) -> str:
    """Text from a file, fit for XML: what it does not allow is left out."""
    return escape(visible(text))


def _layout(placed: Placement) -> _Layout:
    """Put each operation one row below the lowest that it takes something from, and long lines through the rows."""
    level: dict[int, int] = {operation.index: 0 for operation in placed.operations}
    inputs: dict[int, list[int]] = {}
    for source, target in placed.edges:
        inputs.setdefault(target, []).append(source)
    for operation in placed.operations:
        above = [level[source] for source in inputs.get(operation.index, []) if source < operation.index]
        level[operation.index] = max(above, default=-1) + 1
    rows: list[list[object]] = [[] for _ in range(max(level.values(), default=0) + 1)]
    for operation in placed.operations:
        rows[level[operation.index]].append(operation.index)
    chains = []
    for number, (source, target) in enumerate(placed.edges):
        passed = [(number, row) for row in range(level[source] + 1, level[target])]
        for item in passed:
            rows[item[1]].append(item)
        chains.append((source, *passed, target))
    _order(rows, chains)
    return _Layout(tuple(chains), rows)


def _order(rows: list[list[object]], chains: Sequence[Sequence[object]]) -> None:
    """Sort each row by the middle of its neighbours above, then below, so that few lines cross."""
    above: dict[object, list[object]] = {}
    below: dict[object, list[object]] = {}
    for chain in chains:
        for upper, lower in pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    place = {item: index for row in rows for index, item in enumerate(row)}
    for sweep in range(_SWEEPS):
        neighbours = below if sweep % 2 else above
        for row in reversed(rows) if sweep % 2 else rows:
            middle = {
                item: sum(place[other] for other in neighbours.get(item, [item])) / len(neighbours.get(item, [item]))
                for item in row
            }
            row.sort(key=middle.__getitem__)
            place.update({item: index for index, item in enumerate(row)})


def _spots(layout: _Layout) -> dict[object, _Spot]:
    """Rows centred on the widest, boxes apart by a gap."""
    widths = [sum(_width(item) for item in row) for row in layout.rows]
    centre = MARGIN + max(widths, default=0) / 2
    spots: dict[object, _Spot] = {}
    for number, (row, width) in enumerate(zip(layout.rows, widths, strict=True)):
        x = centre - width / 2
        for item in row:
            spots[item] = _Spot(x + _width(item) / 2, HEAD + MARGIN + number * ROW)
            x += _width(item)
    return spots


def _width(item: object) -> int:
    return BOX_WIDTH + GAP if isinstance(item, int) else LANE
