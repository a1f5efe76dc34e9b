"""A window of a sensor: time across, channels down, the heat behind the signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.explaining.drawing import sheet as paper
from edgekit.explaining.drawing.sheet import COLD, FAINT, INK, MARGIN, PALE, SMALL, WARM, Sheet
from edgekit.explaining.types import Explanation
from edgekit.images import import_cv2

PLOT_WIDTH = 640
BARS_WIDTH = 150
MOST_LINES = 16
"""Channels up to which each has a row with its signal; more of them are a plain map."""
_ROW, _MAP_ROW, _LONGEST_NAME = 56, 8, 18


def draw_window(explanation: Explanation, values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Each channel's signal on its heat; on the right how far the score falls without the channel.

    Args:
        explanation: What to draw.
        values: The window, shape (steps, channels).

    Returns:
        uint8 of shape (height, width, 3), blue, green, red.
    """
    cv2 = import_cv2()
    steps, channels = explanation.size
    row = _ROW if channels <= MOST_LINES else max(_MAP_ROW, 400 // channels)
    names = _names(explanation)
    lines = paper.heading(explanation)
    probe = Sheet(cv2, 8, 8)
    left = MARGIN + max(probe.width(name, SMALL) for name in names) + 10
    total = left + PLOT_WIDTH + BARS_WIDTH + 2 * MARGIN
    lines = paper.wrapped(probe, lines, total - 2 * MARGIN)
    top = MARGIN + paper.height_of(lines) + 28
    sheet = Sheet(cv2, total, top + channels * row + 72)
    paper.write_lines(sheet, lines, MARGIN, MARGIN)
    heat = paper.normalized(explanation.cells)
    rows = np.arange(channels) * heat.shape[1] // channels
    grid = cv2.resize(
        paper.colours_of(0.85 * heat[:, rows].T), (PLOT_WIDTH, channels * row), interpolation=cv2.INTER_NEAREST
    )
    sheet.paste((left, top), grid)
    for number in range(channels):
        y = top + number * row
        if row >= SMALL or number in (0, channels - 1):
            sheet.text_right((left - 8, y + row / 2 + 5), names[number], SMALL)
        if channels <= MOST_LINES:
            _signal(sheet, values[:, number], (left, y, row))
    _axis(sheet, steps, left, top + channels * row)
    _bars(sheet, explanation, (left + PLOT_WIDTH + MARGIN, top, row))
    return sheet.picture


def _names(explanation: Explanation) -> list[str]:
    names = {column.index: column.name for column in explanation.columns}
    found = [names.get(number, f"channel {number}") for number in range(explanation.size[1])]
    return [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in found]


def _signal(sheet: Sheet, signal: NDArray[np.float64], place: tuple[int, int, int]) -> None:
    left, top, row = place
    sheet.rectangle((left, top, left + PLOT_WIDTH - 1, top + row - 1), PALE, 1)
    low, high = float(signal.min()), float(signal.max())
    heights = (signal - low) / ((high - low) or 1.0)
    x = left + (np.arange(signal.size) + 0.5) * PLOT_WIDTH / signal.size
    y = top + row - 6 - heights * (row - 12)
    sheet.polyline(np.stack((x, y), axis=1), INK)


def _axis(sheet: Sheet, steps: int, left: int, bottom: int) -> None:
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = left + share * (PLOT_WIDTH - 1)
        sheet.polyline(np.array([[x, bottom], [x, bottom + 5]]), FAINT)
        text = f"{round(share * steps)}"
        sheet.text((x - sheet.width(text, SMALL) / 2, bottom + 20), text, SMALL, FAINT)
    said = "step; red: the score falls when hidden, blue: it rises"
    sheet.text((left, bottom + 42), said, SMALL, FAINT)


def _bars(sheet: Sheet, explanation: Explanation, place: tuple[int, int, int]) -> None:
    """Bars of the channels, from a line for 0 to the right, or to the left where the score rises."""
    left, top, row = place
    columns = explanation.columns
    if not columns:
        return
    low, high = min(0.0, *(c.drop for c in columns)), max(0.0, *(c.drop for c in columns))
    scale = (BARS_WIDTH - 44) / ((high - low) or 1.0)
    zero = left - low * scale
    sheet.text((left, top - 10), "fall without channel", SMALL, FAINT)
    sheet.polyline(np.array([[zero, top], [zero, top + row * len(columns)]]), FAINT)
    for column in columns:
        y = top + column.index * row + row / 2
        half = min(9, row / 2 - 1)
        ends = sorted((zero, zero + column.drop * scale))
        sheet.rectangle((ends[0], y - half, ends[1], y + half), WARM if column.drop > 0 else COLD)
        if row >= SMALL:
            sheet.text((max(zero, ends[1]) + 5, y + 5), f"{column.drop:.2g}", SMALL)
