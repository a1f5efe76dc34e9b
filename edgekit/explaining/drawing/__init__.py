"""An explanation as a picture: heat over the frame, time by channel, or bars by feature. With OpenCV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.atomic import check_writable, write_atomically
from edgekit.errors import UsageError
from edgekit.explaining.drawing.bars import draw_bars
from edgekit.explaining.drawing.frame import draw_frame
from edgekit.explaining.drawing.window import draw_window
from edgekit.explaining.types import Explanation
from edgekit.images import import_cv2
from edgekit.metadata.types import ColourOrder

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def check_drawing(path: Path) -> None:
    """Find out before the work whether a picture can be written there.

    Raises:
        UsageError: the name does not end in that of a kind of picture.
        OutputError: the folder is missing or not writable.
        MissingDependencyError: OpenCV is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path} is to be a picture", hint=f"Let its name end in one of {', '.join(SUFFIXES)}.")
    check_writable(path)
    import_cv2()


def draw(explanation: Explanation, data: Any, channels: ColourOrder = "rgb") -> NDArray[np.uint8]:
    """Draw an explanation.

    Args:
        explanation: What `explain` gave.
        data: The sample that it is about.
        channels: Order of a picture's colours.

    Returns:
        uint8 of shape (height, width, 3), blue, green, red.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    array = np.asarray(data)
    if explanation.kind == "picture":
        return draw_frame(explanation, array.reshape(_picture_shape(array, explanation.size)), channels)
    if explanation.kind == "window":
        return draw_window(explanation, array.astype(np.float64).reshape(explanation.size))
    return draw_bars(explanation, array.astype(np.float64).reshape(-1))


def _picture_shape(array: NDArray[Any], size: tuple[int, int]) -> tuple[int, int, int]:
    return size[0], size[1], array.size // (size[0] * size[1])


def write_drawing(path: Path, explanation: Explanation, data: Any, channels: ColourOrder = "rgb") -> None:
    """Draw and write whole or not at all.

    Raises:
        UsageError, OutputError, MissingDependencyError: as in `check_drawing`.
    """
    check_drawing(path)
    _, encoded = import_cv2().imencode(path.suffix.lower(), draw(explanation, data, channels))
    write_atomically(path, encoded.tobytes())
