"""Heat over the frame, with a legend."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.explaining.drawing import sheet as paper
from edgekit.explaining.drawing.sheet import FAINT, INK, MARGIN, SMALL, Sheet
from edgekit.explaining.types import Explanation
from edgekit.images import import_cv2
from edgekit.metadata.types import ColourOrder
from edgekit.preprocess import LUMA

LEAST_SIDE, MOST_SIDE = 448, 1024
STRONGEST = 0.8
"""Share of the heat's colour where it is highest."""
SHOWN_REGIONS = 3
_LEGEND = 40


def draw_frame(explanation: Explanation, pixels: NDArray[Any], channels: ColourOrder) -> NDArray[np.uint8]:
    """The frame in gray, the heat on it in red (the score falls where that is hidden) and blue (it rises).

    Args:
        explanation: What to draw.
        pixels: Shape (height, width, 1, 3 or 4).
        channels: Order of the colours.

    Returns:
        uint8 of shape (height, width, 3), blue, green, red.
    """
    cv2 = import_cv2()
    height, width = explanation.size
    scale = np.clip(1, LEAST_SIDE / max(height, width), MOST_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = _overlaid(cv2, explanation, _gray(pixels, channels), size)
    lines = paper.wrapped(Sheet(cv2, 8, 8), paper.heading(explanation), size[0])
    top = MARGIN + paper.height_of(lines) + 12
    sheet = Sheet(cv2, size[0] + 2 * MARGIN, top + size[1] + _LEGEND + MARGIN)
    paper.write_lines(sheet, lines, MARGIN, MARGIN)
    sheet.paste((MARGIN, top), picture)
    _regions(sheet, explanation, (MARGIN, top), (size[0] / width, size[1] / height))
    _legend(sheet, top + size[1] + 14, size[0])
    return sheet.picture


def _gray(pixels: NDArray[Any], channels: ColourOrder) -> NDArray[np.float32]:
    """Luma, 0 to 255; normalized pixels are stretched to that range."""
    values = pixels.astype(np.float32)
    if pixels.dtype != np.uint8:
        low, high = float(values.min()), float(values.max())
        values = (values - low) * (255 / ((high - low) or 1.0))
    if values.shape[2] == 1:
        return values[..., 0]
    weights = (LUMA[::-1] if channels == "bgr" else LUMA) / float(LUMA.sum())
    gray: NDArray[np.float32] = values[..., :3] @ weights.astype(np.float32)
    return gray


def _overlaid(
    cv2: Any, explanation: Explanation, gray: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.uint8]:
    shrunk = size[0] < gray.shape[1]
    resized = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if shrunk else cv2.INTER_NEAREST)
    paper_like = 90 + resized[..., np.newaxis] * (255 - 90) / 255  # darker would drown the colours
    heat = cv2.resize(paper.normalized(explanation.cells), size, interpolation=cv2.INTER_LINEAR)
    share = STRONGEST * np.abs(heat[..., np.newaxis]) ** 0.8
    mixed = paper_like * (1 - share) + paper.colours_of(np.sign(heat)) * share
    picture: NDArray[np.uint8] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return picture


def _regions(sheet: Sheet, explanation: Explanation, corner: tuple[int, int], scale: tuple[float, float]) -> None:
    for rank, region in enumerate(explanation.regions[:SHOWN_REGIONS], 1):
        y0, x0, y1, x1 = region.box
        box = (
            corner[0] + x0 * scale[0], corner[1] + y0 * scale[1],
            corner[0] + x1 * scale[0] - 1, corner[1] + y1 * scale[1] - 1,
        )
        sheet.rectangle(box, INK, 1)
        label = f"{rank}: {region.share:.0%}, {region.without:.2f} without"
        sheet.rectangle((box[0], box[1], box[0] + sheet.width(label, SMALL) + 8, box[1] + 19), INK)
        sheet.text((box[0] + 4, box[1] + 14), label, SMALL, (255, 255, 255))


def _legend(sheet: Sheet, top: int, width: int) -> None:
    bar = min(180, width // 3)
    left = MARGIN + (width - bar) // 2
    steps = np.linspace(-1, 1, bar)[np.newaxis].repeat(12, axis=0)
    sheet.paste((left, top), paper.colours_of(steps))
    sheet.rectangle((left, top, left + bar - 1, top + 11), FAINT, 1)
    sheet.text_right((left - 8, top + 11), "rises when hidden", SMALL, FAINT)
    sheet.text((left + bar + 8, top + 11), "score falls when hidden", SMALL, FAINT)
