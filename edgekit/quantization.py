"""Real numbers and the integers that stand for them: `real = (quantized - zero_point) * scale`.

The rule is TensorFlow Lite's, https://ai.google.dev/edge/litert/models/quantization_spec.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edgekit.errors import ModelFileError

if TYPE_CHECKING:
    from edgekit.tflite import Tensor

HALF = 0.5


@dataclass(frozen=True, slots=True)
class Scale:
    """The parameters of a tensor that has one scale for all its values.

    Attributes:
        scale: Size of one step in real units, above 0.
        zero_point: The integer that stands for 0.0.
    """

    scale: float = 1.0
    zero_point: int = 0


def scale_of(tensor: Tensor, file: str = "the model") -> Scale | None:
    """The quantization of an input or output.

    Args:
        tensor: As in a model file. A scale of 0 is how old converters say that there is none.
        file: Name for the message.

    Returns:
        Scale and zero point; None where the numbers are what they say.

    Raises:
        ModelFileError: it has a scale for each slice.
    """
    parameters = tensor.quantization
    if parameters is None or not any(parameters.scales):
        return None
    if len(parameters.scales) > 1:
        raise ModelFileError(
            f"{file}: tensor {tensor.name} has a scale for each slice, which no input or output has in a model "
            "that can be run"
        )
    return Scale(parameters.scales[0], parameters.zero_points[0] if parameters.zero_points else 0)


def round_half_away(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """The nearest whole numbers, halves away from zero, as C's `round` and so TFLite has it.

    Adding 0.5 and truncating would be wrong for 0.49999997 (float32), whose sum rounds up to 1.
    """
    sizes = np.abs(values)
    whole = np.trunc(sizes)
    with np.errstate(invalid="ignore"):  # infinity less itself
        rounded: NDArray[np.floating] = np.copysign(whole + (sizes - whole >= HALF), values)
    return rounded


def quantize(values: NDArray[np.floating], parameters: Scale, dtype: DTypeLike) -> NDArray[np.integer]:
    """Real numbers to the integers nearest to them, clipped to what `dtype` holds.

    Args:
        values: Any shape, float32 or float64; the arithmetic keeps that precision. No NaN.
        parameters: Scale and zero point of the tensor.
        dtype: An integer type of 16 bits or fewer, such as int8.

    Returns:
        An array of the same shape.
    """
    limits = np.iinfo(np.dtype(dtype))
    with np.errstate(over="ignore"):  # what is infinite is clipped
        steps = round_half_away(values / values.dtype.type(parameters.scale)) + parameters.zero_point
    quantized: NDArray[np.integer] = np.clip(steps, limits.min, limits.max).astype(dtype)
    return quantized


def dequantize(values: NDArray[np.integer], parameters: Scale) -> NDArray[np.float32]:
    """Integers to the real numbers that they stand for, float32, in the same shape."""
    steps = values.astype(np.int32) - np.int32(parameters.zero_point)
    with np.errstate(over="ignore", invalid="ignore"):
        return steps.astype(np.float32) * np.float32(parameters.scale)
