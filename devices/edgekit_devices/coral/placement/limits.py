"""What the Edge TPU wants of single operations. Each rule cites its row of Coral's table of supported operations."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from edgekit_devices.coral.placement import phrases
from edgekit_devices.coral.placement.rule import rule
from edgekit_devices.coral.placement.step import Step, bytes_of

LARGEST_RESIZE = 8
TRANSPOSE_BYTES = 98_304
SOFTMAX_ELEMENTS = 16_384
DENSE_OUTPUTS = 100_000
DEPTH_MULTIPLE = 4

_REDUCING = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")


def _dilations(step: Step) -> tuple[tuple[int, int], ...]:
    """Kernel size and dilation, along y and x."""
    height, width = (*step.shape(1), 1, 1, 1)[1:3]
    return (height, step.option("dilation_h_factor", 1)), (width, step.option("dilation_w_factor", 1))


@rule("CONV_2D", "DEPTHWISE_CONV_2D",
      advice="Give dilation_rate the same number for both axes, or use a kernel that is 1 wide along one of them.")
def equal_dilation(step: Step) -> bool:
    """Its dilation differs between x and y, with a kernel wider than 1 in both.

    Conv2d, DepthwiseConv2d (from runtime 13): must use the same dilation in x and y dimensions.
    """
    return len({dilation for size, dilation in _dilations(step) if size > 1}) <= 1


@rule("AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION", "L2_NORMALIZATION",
      advice="Put the activation before it rather than behind it.")
def no_fused_activation(step: Step) -> bool:
    """An activation is fused into it.

    AveragePool2d, MaxPool2d, Concatenation: no fused activation function.
    """
    return step.option("fused_activation_function") == 0


@rule("CONCATENATION", advice="Pad (ZeroPadding2D) instead of concatenating a constant.")
def concatenated_constant(step: Step) -> bool:
    """It takes a constant that is not one of two inputs and all zeros.

    Concatenation: if any input is a compile-time constant tensor, there must be only 2 inputs, and this constant
    tensor must be all zeros.
    """
    constants = [tensor for tensor in step.inputs if tensor and tensor.constant]
    if not constants:
        return True
    zeros = {zero for tensor in constants for zero in (tensor.quantization.zero_points if tensor.quantization else ())}
    values = constants[0].values
    return len(step.inputs) == 2 and (values is None or set(values) <= (zeros or {0}))


@rule("FULLY_CONNECTED", advice="Convert without a shuffled weights format, which only some CPU kernels use.")
def default_weights_format(step: Step) -> bool:
    """Its weights are stored in another order than usual.

    FullyConnected: only the default format is supported for fully-connected weights.
    """
    return step.option("weights_format") == 0


@rule("FULLY_CONNECTED", certain=False, most=DENSE_OUTPUTS,
      advice="Split the layer into several Dense layers and concatenate their outputs on the host.")
def dense_outputs(step: Step) -> bool:
    """It has about {most:,} outputs or more.

    Release notes of libcoral, split_fc: a fully-connected layer of about that size has to be split.
    """
    return (*step.shape(1), 0)[0] < DENSE_OUTPUTS


@rule("SOFTMAX", most=SOFTMAX_ELEMENTS, advice="Return the logits and compute the softmax on the host.")
def softmax_elements(step: Step) -> bool:
    """It goes over more than {most:,} elements.

    Softmax: at most 16,000 elements; a public model with 16,384 of them is mapped.
    """
    return (0, *step.output_shape)[-1] <= SOFTMAX_ELEMENTS


@rule(*_REDUCING, advice="Reduce over height, width or channels only.")
def reduced_batch(step: Step) -> bool:
    """It reduces over the batch dimension.

    Mean, Sum, ReduceMax, ReduceMin: no reduction in batch dimension.
    """
    rank = len(step.shape(0))
    return rank < 2 or 0 not in step.axes(1, rank)


@rule("MEAN", multiple=DEPTH_MULTIPLE, advice="Give that layer a number of channels that is a multiple of 4.")
def mean_over_channels(step: Step) -> bool:
    """It averages over channels whose number is no multiple of {multiple}.

    Mean (from runtime 13): if reduced along z, the z dimension must be a multiple of 4.
    """
    shape = step.shape(0)
    deep = len(shape) > 1 and len(shape) - 1 in step.axes(1, len(shape))
    return not deep or shape[-1] % DEPTH_MULTIPLE == 0


@rule("PACK", advice="Stack along another axis than the first.")
def packed_batch(step: Step) -> bool:
    """It stacks along the batch dimension.

    Pack: no packing in batch dimension.
    """
    return len(step.inputs) == 1 or step.option("axis") % max(len(step.output_shape), 1) != 0


@rule("SPLIT", advice="Split along another axis than the first.")
def split_batch(step: Step) -> bool:
    """It splits the batch dimension.

    Split: no splitting in batch dimension. Splitting it into one part is mapped in a public model.
    """
    return len(step.outputs) == 1 or 0 not in step.axes(0, len(step.shape(1)))


@rule("PAD", advice="Pad height, width or channels only.")
def padded_batch(step: Step) -> bool:
    """It pads the batch dimension.

    Pad: no padding in batch dimension.
    """
    return len(step.shape(0)) < 4 or not any((step.values(1) or ())[:2])


@rule("TILE", advice="Repeat height, width or channels only.")
def tiled_batch(step: Step) -> bool:
    """It repeats the batch dimension.

    Not in the table; a public model has it mapped along height and width.
    """
    return len(step.shape(0)) < 4 or (step.values(1) or (1,))[0] == 1


@rule("PRELU",
      advice="Use PReLU(shared_axes=[1, 2]), which has one slope for each channel; edgekit convert --target coral "
      "writes other ones in operations that map.")
def slope_by_channel(step: Step) -> bool:
    """Its slopes differ from place to place.

    PReLU: alpha must be 1-dimensional (Keras: shared_axes=[1, 2]).
    """
    return prod(step.shape(1)[:-1]) == 1


def _factor(before: Sequence[int], after: Sequence[int]) -> float:
    """How many times larger the larger of two axes becomes."""
    return max((new / old for old, new in zip(before, after, strict=False) if old), default=1.0)


@rule("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", certain=False, most=LARGEST_RESIZE,
      advice="Resize by 2 at a time; or, where it ends the model as in segmentation, have EdgeKit compute it on the "
      "processor, --move-to-host.")
def resize_factor(step: Step) -> bool:
    """It enlarges more than {most} times.

    ResizeBilinear, ResizeNearestNeighbor: depending on input and output size, might not be mapped, to avoid loss in
    precision. Seen: 1 and 2 times are mapped, 15.5 and 33 times are not; the limit between is assumed.
    """
    return _factor(step.shape(0)[1:3], step.output_shape[1:3]) <= LARGEST_RESIZE


@rule("TRANSPOSE", certain=False, most=TRANSPOSE_BYTES,
      advice="Build and train in channels-last order (NHWC), so that nothing has to be transposed, or transpose on the "
      "host.")
def transposed_bytes(step: Step) -> bool:
    """It transposes more than {most:,} bytes.

    Transpose: from runtime 14. Seen: 82,944 bytes are mapped, 104,000 are not; the limit between is assumed.
    """
    return all(bytes_of(tensor) <= TRANSPOSE_BYTES for tensor in step.outputs)


@rule("STRIDED_SLICE", status=phrases.STRIDES,
      advice="Slice without steps; for every second pixel use a convolution or a pooling with strides=2. Steps of -1: "
      "edgekit convert --target coral writes them as slices.")
def unit_strides(step: Step) -> bool:
    """It skips elements.

    StridedSlice: supported only when all strides are 1.
    """
    return set(step.values(3) or (1,)) == {1}


@rule("STRIDED_SLICE", advice="Slice every axis by plain bounds; add dimensions by a Reshape layer.")
def plain_masks(step: Step) -> bool:
    """It uses an ellipsis or adds an axis.

    StridedSlice: supported only when ellipsis-axis mask and new-axis mask are 0.
    """
    return not step.option("ellipsis_mask") and not step.option("new_axis_mask")


LIMITS = (
    equal_dilation, no_fused_activation, concatenated_constant, default_weights_format, dense_outputs,
    softmax_elements, reduced_batch, mean_over_channels, packed_batch, split_batch, padded_batch, tiled_batch,
    slope_by_channel, resize_factor, transposed_bytes, unit_strides, plain_masks,
)
"""All limits, in the order in which they are checked."""
