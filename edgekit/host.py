"""The last part of a network that was left out of it, computed on its outputs: resizing and argmax.

What is computed are TensorFlow Lite's RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR (reference/resize_*.h) and ARG_MAX.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ModelFileError
from edgekit.metadata.types import HostArgmax, HostResize, HostStep

MOST_VALUES = 1 << 28
"""Of a resized output, 1 GiB: more is damaged metadata, and no picture."""

Computation = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def prepare(steps: Sequence[HostStep], shape: tuple[int, ...], file: str = "the model") -> tuple[Computation, ...]:
    """The steps as functions for one output, to be called in that order; empty where there are none.

    Args:
        steps: What is to be computed.
        shape: Of the output as the network gives it, with the batch of 1, such as (1, 65, 65, 21).
        file: Name for the message.

    Returns:
        Functions from float32 to float32, each from the shape that the one before gives. An argmax gives whole numbers.

    Raises:
        ModelFileError: a step does not fit such an output.
    """
    made: list[Computation] = []
    for step in steps:
        made.append(_Argmax(step.axis) if isinstance(step, HostArgmax) else _resize(step, shape))
        shape = shape_after((step,), shape, file)
    return tuple(made)


def apply(steps: Sequence[Computation], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the steps that `prepare` made give of an output; the output itself where there are none."""
    for step in steps:
        values = step(values)
    return values


def shape_after(steps: Sequence[HostStep], shape: tuple[int, ...], file: str = "the model") -> tuple[int, ...]:
    """The shape of an output after the steps.

    Raises:
        ModelFileError: a step does not fit the shape that it is given.
    """
    for step in steps:
        if isinstance(step, HostArgmax):
            fits, after = 0 < step.axis < len(shape), (*shape[: step.axis], *shape[step.axis + 1 :])
        else:
            fits, after = len(shape) == 4 and shape[0] == 1, (1, step.height, step.width, *shape[3:])
        # Python's numbers: NumPy's would overflow.
        if not fits or min(shape) < 1 or _product(after) > MOST_VALUES:
            raise ModelFileError(
                f"{file} says that an output of shape {list(shape)} is to go through '{describe(step)}', which cannot be",
                hint="The metadata is not of this network: convert the model again.",
            )
        shape = after
    return shape


def describe(step: HostStep) -> str:
    """A step in words."""
    if isinstance(step, HostArgmax):
        return f"argmax along axis {step.axis}"
    return f"{step.method} resize to {step.width} x {step.height}"


def _product(sizes: Sequence[int]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product
