"""A sensitivity as a picture (SVG), and as a table for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from edgekit.cli.layout import section, visible
from edgekit_converters.accuracy.sensitivity.results import OperationCost, Sensitivity

PERCENT = 100
BLOCKS = "█"
BAR_CELLS = 6
LONGEST_LAYER = 17

_WIDTH, _ROW, _TOP, _MARGIN = 1000, 32, 118, 20
_NAMES, _BAR, _GAIN, _INSIDE = 330, 240, 670, 750
_INSIDE_WIDTH, _INSIDE_DB = 170, 60.0
"""Width of the last column's bars, in pixels, and the decibels that fill it."""
_LONGEST = 44
_ALONE_COLOUR, _INSIDE_COLOUR = "#c62828", "#1565c0"
_STYLE = (
    "text{font-family:sans-serif;font-size:12px;fill:#1b1b1b}.small{font-size:10px;fill:#555}"
    ".title{font-size:16px;font-weight:bold}.head{font-weight:bold}"
)


def draw(sensitivity: Sensitivity, title: str) -> str:
    """A self-contained SVG: a row for each operation, in execution order.

    Args:
        sensitivity: What to draw.
        title: Written above it.
    """
    height = _TOP + _ROW * len(sensitivity.operations) + _MARGIN
    widest = max((cost.alone_error for cost in sensitivity.operations), default=0.0)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        'role="img">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *_heading(sensitivity, title),
    ]
    for row, cost in enumerate(sensitivity.operations):
        lines += _row(cost, sensitivity.sqnr_db, _TOP + _ROW * row, widest)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _heading(sensitivity: Sensitivity, title: str) -> Iterator[str]:
    yield f'<text class="title" x="{_MARGIN}" y="30">{_text(title)}</text>'
    yield f'<text x="{_MARGIN}" y="50">{_text(said(sensitivity))}</text>'
    columns = (
        (_MARGIN, "operation", "Keras layer (class)"),
        (_NAMES, "quantized alone", "error of the outputs, relative to their size"),
        (_GAIN, "left float", "gain"),
        (_INSIDE, "inside", "SQNR of its own output, all quantized"),
    )
    for x, name, meaning in columns:
        yield f'<text class="head" x="{x}" y="86">{name}</text>'
        yield f'<text class="small" x="{x}" y="100">{meaning}</text>'


def _row(cost: OperationCost, sqnr_db: float, y: int, widest: float) -> Iterator[str]:
    tip = escape(visible(f"{cost.index} {cost.type}\n{cost.tensor}"))
    name = layer_name(cost)
    name = name if len(name) <= _LONGEST else f"…{name[-_LONGEST:]}"
    yield f'<g><title>{tip}</title><text x="{_MARGIN}" y="{y + 11}">{cost.index} {_text(cost.type)}</text>'
    yield f'<text class="small" x="{_MARGIN}" y="{y + 24}">{_text(name)}</text>'
    length = _BAR * cost.alone_error / widest if widest else 0.0
    yield f'<rect class="alone" x="{_NAMES}" y="{y + 7}" width="{length:.1f}" height="12" fill="{_ALONE_COLOUR}"/>'
    yield f'<text class="small" x="{_NAMES + length + 4:.1f}" y="{y + 17}">{_alone(cost)}</text>'
    yield f'<text class="small" x="{_GAIN}" y="{y + 17}">{gain(cost, sqnr_db)}</text>'
    inside = 0.0 if cost.inside_db is None else _INSIDE_WIDTH * min(max(cost.inside_db / _INSIDE_DB, 0.0), 1.0)
    yield f'<rect class="inside" x="{_INSIDE}" y="{y + 7}" width="{inside:.1f}" height="12" fill="{_INSIDE_COLOUR}"/>'
    yield f'<text class="small" x="{_INSIDE + inside + 4:.1f}" y="{y + 17}">{decibels(cost.inside_db)}</text></g>'


def said(sensitivity: Sensitivity) -> str:
    """What the figures are of, in a sentence."""
    return (
        f"{decibels(sensitivity.sqnr_db)} SQNR of the outputs with all operations in int8, before biases are "
        f"corrected; {sensitivity.samples} calibration samples"
    )


def table(sensitivity: Sensitivity) -> Iterator[str]:
    """Lines for a terminal: a row for each operation, in execution order."""
    widest = max((cost.alone_error for cost in sensitivity.operations), default=0.0)
    rows = [("", "", "alone", "", "left float", "inside")]
    for cost in sensitivity.operations:
        cells = math.ceil(BAR_CELLS * cost.alone_error / widest) if widest else 0
        layer = cost.layer if len(cost.layer) <= LONGEST_LAYER else f"…{cost.layer[1 - LONGEST_LAYER:]}"
        rows.append((
            cost.type[:LONGEST_LAYER], layer, decibels(cost.alone_db), BLOCKS * cells, gain(cost, sensitivity.sqnr_db),
            decibels(cost.inside_db),
        ))
    yield from section("Each operation quantized alone, and alone left in float (SQNR of the outputs)", rows)


def layer_name(cost: OperationCost) -> str:
    """The layer with its class, where that is known: `conv2d_3 (Conv2D)`."""
    return f"{cost.layer} ({cost.kind})" if cost.kind else cost.layer


def gain(cost: OperationCost, sqnr_db: float) -> str:
    """What leaving the operation in float brings, where all in int8 have `sqnr_db`."""
    if cost.left_out_db is None:
        return "-"
    change = round(cost.left_out_db - sqnr_db, 1) + 0.0  # no negative zero
    return f"{change:+.1f} dB" if math.isfinite(change) else "exact"


def decibels(value: float | None) -> str:
    """A figure in decibels; `exact` where nothing differs."""
    if value is None:
        return "-"
    if math.isfinite(value):
        return f"{value:.1f} dB"
    return "exact" if value > 0 else "nothing left"


def _alone(cost: OperationCost) -> str:
    share = f"{cost.alone_error * PERCENT:.2g} %, " if cost.alone_error else ""
    return f"{share}{decibels(cost.alone_db)}"


def _text(text: str) -> str:
    """Text from a file, fit for XML."""
    return escape(visible(text))
