"""A picture to draw on: lines, boxes, points and texts in sizes that fit it."""

from __future__ import annotations

import unicodedata
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Blue, green, red."""

PALETTE: tuple[Colour, ...] = (
    (180, 119, 31), (14, 127, 255), (44, 160, 44), (40, 39, 214), (189, 103, 148),
    (75, 86, 140), (194, 119, 227), (207, 190, 23), (34, 189, 188), (127, 127, 127),
)
"""Tableau 10, which people who see few colours can mostly tell apart, in another order of channels."""
DARK, LIGHT = (24, 24, 24), (255, 255, 255)
BRIGHT = 150.0
"""Luma above which a ground takes dark text."""
BASE_HEIGHT = 540.0
"""Rows of a picture on which a text is 16 pixels high and a line 2 wide."""


def colour_of(number: int) -> Colour:
    """The colour of a class or track, the same in each picture."""
    return PALETTE[number % len(PALETTE)]


class Canvas:
    """Draws on a picture in place. Places are pixels of the frame, whatever the size of the picture.

    Args:
        cv2: OpenCV.
        picture: uint8 of shape (H, W, 3), blue, green, red.
        scale: Pixels of the picture for each of the frame, across and down.
    """

    def __init__(self, cv2: ModuleType, picture: NDArray[np.uint8], scale: tuple[float, float]) -> None:
        self.picture = picture
        self._cv2, self._scale = cv2, scale
        size = max(0.5, min(picture.shape[:2]) / BASE_HEIGHT)
        self._text = _Text(cv2, max(9, round(16 * size)))
        self._width = max(1, round(2 * size))

    def at(self, x: float, y: float) -> tuple[int, int]:
        """A place of the frame in the picture. It may lie outside; far out it is drawn nearer."""
        across, down = round(x * self._scale[0]), round(y * self._scale[1])
        return min(max(across, -(1 << 14)), 1 << 14), min(max(down, -(1 << 14)), 1 << 14)

    def box(self, corners: tuple[float, float, float, float], colour: Colour, text: str) -> None:
        """A box of the frame with a caption on its upper edge, inside where there is no room above."""
        start, end = self.at(*corners[:2]), self.at(*corners[2:])
        self._cv2.rectangle(self.picture, start, end, colour, self._width, self._cv2.LINE_AA)
        if text:
            up = start[1] - self._text.height
            self.caption(text, (start[0], up if up >= 0 else start[1]), colour)

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: Colour) -> None:
        """A line between two places of the frame."""
        self._cv2.line(self.picture, self.at(*start), self.at(*end), colour, self._width, self._cv2.LINE_AA)

    def point(self, place: tuple[float, float], colour: Colour) -> None:
        """A dot with a light rim."""
        centre = self.at(*place)
        self._cv2.circle(self.picture, centre, self._width + 2, LIGHT, -1, self._cv2.LINE_AA)
        self._cv2.circle(self.picture, centre, self._width + 1, colour, -1, self._cv2.LINE_AA)

    def captions(self, texts: list[tuple[str, Colour]]) -> None:
        """Lines of text from the upper left corner on."""
        for row, (text, colour) in enumerate(texts):
            self.caption(text, (0, row * self._text.height), colour)

    def caption(self, text: str, corner: tuple[int, int], ground: Colour) -> None:
        """Text on a ground of its own, moved into the picture from the left and right where it would lie outside."""
        width = self._text.width(text)
        left = max(0, min(corner[0], self.picture.shape[1] - width))
        end = (left + width, corner[1] + self._text.height)
        self._cv2.rectangle(self.picture, (left, corner[1]), end, ground, -1)
        luma = 0.114 * ground[0] + 0.587 * ground[1] + 0.299 * ground[2]
        self._text.put(self.picture, text, (left, corner[1]), DARK if luma > BRIGHT else LIGHT)


class _Text:
    """Text in one size. OpenCV 5 has letters of all languages, earlier ones those of English."""

    def __init__(self, cv2: ModuleType, size: int) -> None:
        self._cv2, self._size = cv2, size
        self._face: Any = cv2.FontFace("sans") if hasattr(cv2, "FontFace") else None
        self._pad = max(2, size // 4)
        self.height = size + 2 * self._pad

    def width(self, text: str) -> int:
        """Pixels across, with a margin on both sides."""
        if self._face is not None:
            found = self._cv2.getTextSize((0, 0), text, (0, 0), self._face, self._size, 400)[2]
        else:
            found = self._cv2.getTextSize(_plain(text), self._cv2.FONT_HERSHEY_SIMPLEX, self._size / 30, 1)[0][0]
        return int(found) + 2 * self._pad

    def put(self, picture: NDArray[np.uint8], text: str, corner: tuple[int, int], colour: Colour) -> None:
        place = corner[0] + self._pad, corner[1] + self._pad + round(self._size * 0.86)
        if self._face is not None:
            self._cv2.putText(picture, text, place, colour, self._face, self._size, 400)
        else:
            font = self._cv2.FONT_HERSHEY_SIMPLEX
            self._cv2.putText(picture, _plain(text), place, font, self._size / 30, colour, 1, self._cv2.LINE_AA)


def _plain(text: str) -> str:
    """The text in ASCII: letters without their accents, and a question mark for what has no likeness."""
    apart = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(c for c in apart if not unicodedata.combining(c)).encode("ascii", "replace").decode()
