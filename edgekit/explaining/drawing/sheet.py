"""White paper with text, lines and coloured rectangles."""

from __future__ import annotations

import textwrap
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.explaining.types import Explanation

Colour = tuple[int, int, int]
"""Blue, green, red."""

INK, FAINT, PALE = (40, 32, 24), (120, 112, 104), (225, 220, 215)
WARM, COLD = (32, 68, 220), (180, 110, 40)
SMALL, NORMAL, LARGE = 13, 15, 20
MARGIN = 20
_SHARPNESS = 4
"""Bits of a pixel's fractions in OpenCV's coordinates."""


class Sheet:
    """Draws on a picture of its own.

    Args:
        cv2: OpenCV.
        width: In pixels; `height` alike.
    """

    def __init__(self, cv2: ModuleType, width: int, height: int) -> None:
        self.picture: NDArray[np.uint8] = np.full((height, width, 3), 255, np.uint8)
        self._cv2 = cv2
        # OpenCV 5 has letters of all languages, earlier ones those of English.
        self._face: Any = cv2.FontFace("sans") if hasattr(cv2, "FontFace") else None

    def text(self, place: tuple[float, float], text: str, size: int = NORMAL, colour: Colour = INK) -> None:
        """Text whose base line starts at a place."""
        at = round(place[0]), round(place[1])
        if self._face is not None:
            self._cv2.putText(self.picture, text, at, colour, self._face, size, 400)
        else:
            font = self._cv2.FONT_HERSHEY_SIMPLEX
            self._cv2.putText(self.picture, _plain(text), at, font, size / 30, colour, 1, self._cv2.LINE_AA)

    def width(self, text: str, size: int = NORMAL) -> int:
        """Pixels that a text takes across."""
        if self._face is not None:
            return int(self._cv2.getTextSize((0, 0), text, (0, 0), self._face, size, 400)[2])
        return int(self._cv2.getTextSize(_plain(text), self._cv2.FONT_HERSHEY_SIMPLEX, size / 30, 1)[0][0])

    def text_right(self, place: tuple[float, float], text: str, size: int = NORMAL, colour: Colour = INK) -> None:
        """Text whose base line ends at a place."""
        self.text((place[0] - self.width(text, size), place[1]), text, size, colour)

    def rectangle(self, box: tuple[float, float, float, float], colour: Colour, width: int = -1) -> None:
        """A rectangle (x0, y0, x1, y1), filled unless a line width is given."""
        corners = [round(value) for value in box]
        self._cv2.rectangle(self.picture, corners[:2], corners[2:], colour, width, self._cv2.LINE_AA)

    def polyline(self, points: NDArray[np.float64], colour: Colour, width: int = 1) -> None:
        """Lines from point to point: shape (n, 2), x and y."""
        fixed = np.rint(points * (1 << _SHARPNESS)).astype(np.int32).reshape(1, -1, 2)
        self._cv2.polylines(self.picture, fixed, False, colour, width, self._cv2.LINE_AA, _SHARPNESS)

    def paste(self, corner: tuple[int, int], picture: NDArray[np.uint8]) -> None:
        """Put a picture on the sheet, its upper left corner at (x, y)."""
        height, width = picture.shape[:2]
        self.picture[corner[1] : corner[1] + height, corner[0] : corner[0] + width] = picture


def heading(explanation: Explanation) -> list[tuple[str, int, Colour]]:
    """What stands above: lines of text with size and colour."""
    title = f"{explanation.label or explanation.explained}: {explanation.score:.3g}"
    return [(title, LARGE, INK), *((line, SMALL, FAINT) for line in facts(explanation))]


def facts(explanation: Explanation) -> list[str]:
    """How the map was made, and whether it is to be believed."""
    lines = [
        f"{explanation.model.rpartition('/')[2]} on {explanation.device}; {explanation.method}, {explanation.masks} "
        f"masks; hidden parts show {explanation.baseline}",
    ]
    faith = explanation.faithfulness
    if faith:
        lines.append(
            f"deletion {faith.deletion.area:.3f} (random {faith.random_deletion:.3f}), insertion "
            f"{faith.insertion.area:.3f} (random {faith.random_insertion:.3f})"
        )
    return lines


def wrapped(sheet: Sheet, lines: list[tuple[str, int, Colour]], width: int) -> list[tuple[str, int, Colour]]:
    """The lines broken where they are wider than that."""
    broken = []
    for text, size, colour in lines:
        letters = max(8, int(0.95 * len(text) * width / max(1, sheet.width(text, size))))  # they differ in width
        broken += [(part, size, colour) for part in textwrap.wrap(text, letters)]
    return broken


def write_lines(sheet: Sheet, lines: list[tuple[str, int, Colour]], left: int, top: int) -> int:
    """Write lines one below the other, and say where they end."""
    for text, size, colour in lines:
        top += round(size * 1.45)
        sheet.text((left, top - size * 0.3), text, size, colour)
    return top


def height_of(lines: list[tuple[str, int, Colour]]) -> int:
    """Pixels that `write_lines` takes down."""
    return sum(round(size * 1.45) for _, size, _ in lines)


def colours_of(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """From -1 (blue) over 0 (white) to 1 (red): shape (..., 3), blue, green, red."""
    strength = np.clip(np.abs(values), 0, 1)[..., np.newaxis]
    ends = np.where((values < 0)[..., np.newaxis], COLD, WARM)
    colours: NDArray[np.uint8] = np.rint(255 + (ends - 255.0) * strength).astype(np.uint8)
    return colours


def normalized(cells: NDArray[np.float32]) -> NDArray[np.float64]:
    """Importance divided by its largest size, so that it lies within -1 and 1."""
    largest = float(np.abs(cells).max())
    return cells.astype(np.float64) / (largest or 1.0)


def _plain(text: str) -> str:
    return text.encode("ascii", "replace").decode()
