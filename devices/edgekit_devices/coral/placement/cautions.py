"""Limits that exist and are not published: the operation is taken as mapped, and the user is told that it may not be.

The numbers are the largest that public models have on the Edge TPU.
"""

from __future__ import annotations

from math import prod

from edgekit_devices.coral.placement.rule import rule
from edgekit_devices.coral.placement.step import Step, bytes_of

RESHAPE_BYTES = 102_000
CONCATENATION_BYTES = 262_000
MEAN_PIXELS = 16_384
DENSE_INPUTS = 16_384
LSTM_INPUTS = 900
KNOWN_RESIZE = 2


@rule("RESHAPE", certain=False, most=RESHAPE_BYTES,
      advice="If the compiler leaves it on the CPU: reduce the tensor before it (pooling, strides), or reshape on the "
      "host.")
def reshaped_bytes(step: Step) -> bool:
    """It reshapes more than {most:,} bytes and may not be mapped.

    Reshape: might not be mapped for large tensor sizes. Seen: 102,000 bytes are mapped; 199,920 are not in one model.
    """
    return all(bytes_of(tensor) <= RESHAPE_BYTES for tensor in step.outputs)


@rule("CONCATENATION", certain=False, most=CONCATENATION_BYTES,
      advice="If the compiler leaves it on the CPU: return its inputs as outputs of their own, and concatenate them "
      "on the host.")
def concatenated_bytes(step: Step) -> bool:
    """It joins more than {most:,} bytes along another axis than channels, and may not be mapped.

    No row; logs of YOLO models show the last concatenation of all heads on the CPU.
    """
    rank = max(len(step.output_shape), 1)
    along_channels = step.option("axis") % rank == rank - 1
    return along_channels or all(bytes_of(tensor) <= CONCATENATION_BYTES for tensor in step.outputs)


@rule("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", certain=False, most=MEAN_PIXELS,
      advice="If the compiler fails or leaves it on the CPU: reduce in several steps, with AveragePooling2D before it.")
def averaged_pixels(step: Step) -> bool:
    """It reduces more than {most:,} numbers to one and may not be mapped.

    No row; reports of large spatial reductions that the compiler refused (google-coral/edgetpu issues 183, 461).
    """
    shape = step.shape(0)
    return prod(shape[axis] for axis in step.axes(1, len(shape))) <= MEAN_PIXELS


@rule("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", certain=False, known=KNOWN_RESIZE,
      advice="If the compiler leaves it on the CPU: resize by 2 at a time.")
def unseen_factor(step: Step) -> bool:
    """It enlarges more than {known} times and may not be mapped.

    ResizeBilinear, ResizeNearestNeighbor: depending on input and output size, might not be mapped.
    """
    pairs = zip(step.shape(0)[1:3], step.output_shape[1:3], strict=False)
    return all(new <= KNOWN_RESIZE * old for old, new in pairs)


@rule("UNIDIRECTIONAL_SEQUENCE_LSTM", certain=False, most=LSTM_INPUTS,
      advice="If the compiler fails: give the LSTM fewer features, by a Dense layer before it.")
def lstm_inputs(step: Step) -> bool:
    """Its input is wider than about {most}, and the compiler may fail.

    LSTM: reports of failures from 900 to 1,000 features (google-coral/edgetpu issue 598).
    """
    return (0, *step.shape(0))[-1] <= LSTM_INPUTS


@rule("FULLY_CONNECTED", certain=False, most=DENSE_INPUTS,
      advice="Pool before it: outputs are padded to 16, so that few outputs of very many inputs take much memory.")
def dense_inputs(step: Step) -> bool:
    """It has {most:,} inputs or more: its weights may be streamed for each run even where they would fit.

    No row; public compiled models with such layers stream them.
    """
    return (0, *step.shape(1))[-1] < DENSE_INPUTS


@rule("TILE", certain=False, advice="If the compiler leaves it on the CPU: resize by the nearest pixel instead.")
def not_documented(step: Step) -> bool:
    """Coral's table does not have it, and it may not be mapped.

    No row; one public model has a TILE of 128 channels from 1 x 1 to 33 x 33 on the Edge TPU.
    """
    return step.type != "TILE"


CAUTIONS = (
    not_documented, reshaped_bytes, concatenated_bytes, averaged_pixels, unseen_factor, lstm_inputs, dense_inputs,
)
