"""Results that are pictures themselves, laid over the frame: classes and numbers as colours, a picture as it is."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.drawing.canvas import PALETTE

STRENGTH = 0.45
"""Share of the overlay in the mixture."""


def overlay(cv2: ModuleType, picture: NDArray[np.uint8], result: Any) -> NDArray[np.uint8]:
    """The picture with the map of a result on it: a `mask` of class numbers, a `depth` or an `image`; else as it is.

    Args:
        cv2: OpenCV.
        picture: uint8 of shape (H, W, 3); not changed.
        result: Any result. Class 0 of a mask is the background, which is left out.
    """
    mask, depth, image = (getattr(result, name, None) for name in ("mask", "depth", "image"))
    if mask is not None:
        colours = np.array([(0, 0, 0), *PALETTE], np.uint8)
        numbers = np.where(mask == 0, 0, (mask.astype(np.int64) - 1) % len(PALETTE) + 1)
        return _mixed(cv2, picture, colours[numbers], mask != 0, result)
    if depth is not None:
        colours = cv2.applyColorMap(_as_levels(depth), cv2.COLORMAP_VIRIDIS)
        return _mixed(cv2, picture, colours, np.isfinite(depth), result)
    if image is not None:
        bgr = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.shape[2] == 1 else cv2.COLOR_RGB2BGR)
        return _mixed(cv2, picture, bgr, np.ones(bgr.shape[:2], np.bool_), result, strength=1.0)
    return picture


def _mixed(
    cv2: ModuleType,
    picture: NDArray[np.uint8],
    colours: NDArray[np.uint8],
    shown: NDArray[np.bool_],
    result: Any,
    strength: float = STRENGTH,
) -> NDArray[np.uint8]:
    """Mix where the map shows something, within the area of the frame that it covers."""
    height, width = picture.shape[:2]
    left, top, right, bottom = result.area
    across, down = width / result.width, height / result.height
    # From pixels of the picture to those of the map, middle to middle.
    step_x = colours.shape[1] / ((right - left) * across)
    step_y = colours.shape[0] / ((bottom - top) * down)
    matrix = np.array(
        [[step_x, 0, (0.5 - left * across) * step_x - 0.5], [0, step_y, (0.5 - top * down) * step_y - 0.5]], np.float64
    )
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    spread = cv2.warpAffine(colours, matrix, (width, height), flags=flags)
    inside = cv2.warpAffine(shown.astype(np.uint8), matrix, (width, height), flags=flags)
    mixed: NDArray[np.uint8] = cv2.addWeighted(picture, 1 - strength, spread, strength, 0)
    return np.where(inside[..., None] > 0, mixed, picture)


def _as_levels(numbers: NDArray[np.float32]) -> NDArray[np.uint8]:
    """From the smallest to the largest finite number as 0 to 255."""
    finite = numbers[np.isfinite(numbers)]
    if finite.size == 0:
        return np.zeros(numbers.shape, np.uint8)
    low, span = float(finite.min()), float(finite.max() - finite.min()) or 1.0
    return np.asarray(np.nan_to_num((numbers - low) / span, posinf=1.0, neginf=0.0).clip(0, 1) * 255, np.uint8)
