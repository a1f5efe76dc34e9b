"""What holds for every operation: its data types, its name, and the rank of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from edgekit.tflite import Tensor
from edgekit_devices.coral.placement import phrases
from edgekit_devices.coral.placement.advice import THREE_D
from edgekit_devices.coral.placement.rule import rule
from edgekit_devices.coral.placement.step import EIGHT_BIT, Step

INNERMOST = 3


@cache
def supported() -> Mapping[str, tuple[str, int]]:
    """Name in Coral's table (`-` for one that is not there) and oldest runtime, by TFLite's name."""
    lines = Path(__file__).with_name("supported.txt").read_text(encoding="ascii").splitlines()
    rows = (line.split() for line in lines if not line.startswith("#"))
    return {type_: (name, int(runtime)) for type_, name, runtime in rows}


def _ranked(tensor: Tensor) -> bool:
    """Whether only the innermost dimensions are larger than 1."""
    return all(size <= 1 for size in tensor.static_shape[:-INNERMOST])


@rule(
    "QUANTIZE",
    advice="At the model's input: convert with int8 or uint8 input, or leave it, since one QUANTIZE on the CPU costs "
    "little. In the middle: replace the float operation before it.",
)
def quantize_from_integers(step: Step) -> bool:
    """It makes integers of float numbers, which the Edge TPU does not take.

    Quantize: requantizing maps; from float it stays on the CPU in every public log.
    """
    return all(tensor.dtype in EIGHT_BIT for tensor in step.data)


@rule(
    status=phrases.DATA_TYPE,
    advice="Convert the whole model to 8 bits, inputs and outputs too, and keep float, int16 and int32 arithmetic out "
    "of it.",
)
def eight_bits(step: Step) -> bool:
    """It takes or gives numbers that are not int8 or uint8.

    Model requirements: tensor parameters are quantized (8-bit fixed-point numbers).
    """
    return step.type != "CUSTOM" and all(tensor.dtype in EIGHT_BIT for tensor in (*step.data, *step.outputs))


@rule(status=phrases.UNSUPPORTED)
def in_the_table(step: Step) -> bool:
    """The Edge TPU does not compute this operation.

    Supported operations: it is not among them.
    """
    return step.type in supported()


@rule(
    status=phrases.RANK, innermost=INNERMOST,
    advice="Keep every dimension before the last three at 1: batch 1 (keras.Input(batch_shape=(1, ...))), and no "
    "tensors of five or six dimensions, as a channel shuffle or repeating pixels by stacking makes them (use "
    f"keras.layers.Resizing(interpolation='nearest')). 3-D convolution: {THREE_D[0].lower()}{THREE_D[1:]}",
)
def output_rank(step: Step) -> bool:
    """Its output has a dimension larger than 1 outside the innermost {innermost}.

    Model requirements: tensors are 1-, 2- or 3-dimensional, or only their 3 innermost dimensions are larger than 1.
    """
    return all(_ranked(tensor) for tensor in step.outputs)


@rule(
    "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV",
    status=phrases.NOT_CONSTANT, advice="Make the kernel a weight of the layer rather than something computed.",
)
def constant_kernel(step: Step) -> bool:
    """Its kernel is computed while the model runs.

    Model requirements: model parameters (such as bias tensors) are constant at compile-time.
    """
    kernel = step.input(1)
    return kernel is None or kernel.constant


@rule(
    status=phrases.ONE_SUBGRAPH, innermost=INNERMOST,
    advice="Change the operation that makes this input, so that only its last three dimensions are larger than 1.",
)
def input_rank(step: Step) -> bool:
    """Its input has a dimension larger than 1 outside the innermost {innermost}.

    Model requirements: as for outputs. The log of a public model shows such operations under this phrase.
    """
    return all(_ranked(tensor) for tensor in step.data)


GENERAL = (quantize_from_integers, eight_bits, in_the_table, output_rank, constant_kernel, input_rank)
"""In the order in which the compiler's phrases tell that it checks."""
