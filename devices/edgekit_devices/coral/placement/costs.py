"""What an operation costs: multiply-accumulates, and memory for its parameters on the Edge TPU."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from edgekit.placement import Fit, Memory
from edgekit_devices.coral.placement.step import Step

MIB = 2**20
CAPACITY = 8 * MIB
LEAST_FREE = int(5.99 * MIB)
MOST_FREE = int(8.05 * MIB)
"""What public logs give as the sum of used and remaining memory: the program takes the rest of the 8 MiB."""
ERROR = "within 3 % on 28 public compiled models of 0.1 to 4 MB, to which it is fitted"
_DENSE, _ONE_SCALE, _SCALES = 8, 21, 26
"""Bytes for each output channel beside its weights, as fitted: of a Dense layer, and of a convolution with one scale
for its kernel or one for each channel."""


def macs(step: Step) -> int:
    """Multiply-accumulates for one run; 0 for operations without a kernel."""
    kernel, output = step.shape(1), prod(step.output_shape)
    if step.type in {"CONV_2D", "CONV_3D"}:
        return output * prod(kernel[1:]) if step.type == "CONV_2D" else output * prod(kernel[:-1])
    if step.type == "DEPTHWISE_CONV_2D":
        return output * prod(kernel[1:3])
    if step.type == "FULLY_CONNECTED":
        return output * (0, *kernel)[-1]
    if step.type == "TRANSPOSE_CONV":
        return prod(step.shape(2)) * prod(kernel[:3])
    if step.type == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        return _recurrent(step)
    return output * (0, *step.shape(0))[-1] if step.type == "BATCH_MATMUL" else 0


def _recurrent(step: Step) -> int:
    matrices = [tensor for tensor in step.inputs[1:9] if tensor and tensor.constant]
    times = prod(step.shape(0)[:-1])
    return times * sum(prod(tensor.static_shape) for tensor in matrices)


def parameter_bytes(step: Step) -> int:
    """What the constants take in the Edge TPU's memory: channels are padded. An estimate."""
    kernel = step.input(1)
    shape = step.shape(1)
    if kernel is None or not kernel.constant:
        return 0
    scales = kernel.quantization.scales if kernel.quantization else ()
    row = _SCALES if len(scales) > 1 else _ONE_SCALE
    if step.type in {"CONV_2D", "TRANSPOSE_CONV"} and len(shape) == 4:
        return _padded(shape[0], shape[1] * shape[2], shape[3], row)
    if step.type == "DEPTHWISE_CONV_2D" and len(shape) == 4:
        return _up(shape[3], 64) * (shape[1] * shape[2] + row)
    if step.type == "FULLY_CONNECTED" and len(shape) == 2:
        return _padded(shape[0], 1, shape[1], _DENSE)
    if step.type == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        matrices = (t.static_shape for t in step.inputs[1:9] if t and t.constant and len(t.static_shape) == 2)
        return sum(_padded(rows, 1, columns, _DENSE) for rows, columns in matrices)
    return 0


def _padded(outputs: int, window: int, inputs: int, row: int) -> int:
    return _up(outputs, 16) * (window * _up(inputs, 32) + row)


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def memory(sizes: Sequence[int], wide: bool) -> Memory:
    """Compare parameters with what the Edge TPU has.

    Args:
        sizes: Bytes for each mapped operation.
        wide: Whether one is a Dense layer that may be streamed even where it fits.
    """
    total = sum(sizes)
    fits: Fit = "no" if total > MOST_FREE else "perhaps" if total > LEAST_FREE or wide else "probably"
    return Memory(total, CAPACITY, fits, (max(0, total - MOST_FREE), max(0, total - LEAST_FREE)), ERROR)
