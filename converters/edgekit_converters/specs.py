"""What the converter knows of a model's inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of the model. `shape` has the batch of 1 in front; `dtype` is a NumPy name."""

    name: str
    shape: tuple[int, ...]
    dtype: str


SMALLEST_PICTURE = 8


def is_image_shape(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape (batch in front) looks like a picture: 1 or 3 channels, 8 x 8 or more."""
    if len(shape) != 4:
        return False
    _, height, width, depth = shape
    return depth in (1, 3) and min(height, width) >= SMALLEST_PICTURE
