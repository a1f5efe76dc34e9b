"""Features as bars, the most important first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.explaining.drawing import sheet as paper
from edgekit.explaining.drawing.sheet import COLD, FAINT, MARGIN, SMALL, WARM, Sheet
from edgekit.explaining.types import Explanation, Importance
from edgekit.images import import_cv2

MOST_BARS = 20
_ROW, _BARS, _LONGEST_NAME = 24, 380, 28


def draw_bars(explanation: Explanation, values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The features whose hiding changes most, with their values.

    Args:
        explanation: What to draw.
        values: The features.

    Returns:
        uint8 of shape (height, width, 3), blue, green, red.
    """
    cv2 = import_cv2()
    probe = Sheet(cv2, 8, 8)
    strongest = sorted(explanation.columns, key=lambda column: -abs(column.drop))[:MOST_BARS]
    shown = sorted(strongest, key=lambda column: -column.drop)
    labels = [_label(column, values) for column in shown]
    left = MARGIN + max(probe.width(label, SMALL) for label in labels) + 12
    total = left + _BARS + MARGIN
    lines = paper.wrapped(probe, paper.heading(explanation), total - 2 * MARGIN)
    top = MARGIN + paper.height_of(lines) + 16
    sheet = Sheet(cv2, total, top + len(shown) * _ROW + 48)
    paper.write_lines(sheet, lines, MARGIN, MARGIN)
    _bars(sheet, shown, labels, (left, top))
    left_out = len(explanation.columns) - len(shown)
    said = "how far the score falls when the feature is hidden" + (f"; {left_out} more below these" if left_out else "")
    sheet.text((MARGIN, top + len(shown) * _ROW + 24), said, SMALL, FAINT)
    return sheet.picture


def _label(column: Importance, values: NDArray[np.float64]) -> str:
    name = column.name if len(column.name) <= _LONGEST_NAME else f"{column.name[: _LONGEST_NAME - 1]}…"
    return f"{name} = {values[column.index]:.3g}"


def _bars(sheet: Sheet, shown: list[Importance], labels: list[str], corner: tuple[int, int]) -> None:
    left, top = corner
    low = min(0.0, *(column.drop for column in shown))
    high = max(0.0, *(column.drop for column in shown))
    scale = (_BARS - 70) / ((high - low) or 1.0)
    zero = left - low * scale
    sheet.polyline(np.array([[zero, top], [zero, top + _ROW * len(shown)]]), FAINT)
    for number, (column, label) in enumerate(zip(shown, labels, strict=True)):
        y = top + number * _ROW + _ROW / 2
        ends = sorted((zero, zero + column.drop * scale))
        sheet.text_right((left - 8, y + 5), label, SMALL)
        sheet.rectangle((ends[0], y - 8, ends[1], y + 8), WARM if column.drop > 0 else COLD)
        sheet.text((max(zero, ends[1]) + 5, y + 5), f"{column.drop:.3g}", SMALL)
