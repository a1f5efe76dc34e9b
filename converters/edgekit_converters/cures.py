"""The other forms that parts of a model are given so that they convert: their names, and what the user reads.

Every one computes what the original does: the float results are held against each other before quantization.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CURES: Mapping[str, str] = MappingProxyType(
    {
        "lstm": "each LSTM layer became one fused operation",
        "gru": "GRU was unrolled into one int8 step after the other; the file grows with their number",
        "loops": "a recurrent layer was unrolled into one step after the other; the file grows with their number",
        "group_normalization": "GroupNormalization takes the mean of groups by a product with a constant matrix",
        "layer_normalization": "LayerNormalization was written in operations that have an int8 form",
        "masks": "attention masks push scores down to -20, not to -1e9, so that the others keep their resolution",
        "softplus": "softplus was written so that its parts fit into int8",
        "upsampling": "nearest upsampling became a resize, in place of TILE",
        "resizing": "bicubic or Lanczos resizing became two products with constant matrices",
        "tokens": "inputs that only Embedding layers take became int32: Keras's default is float32",
        "volumes": "3-D convolution and pooling became 2-D ones over all planes",
        "pooling": "adaptive pooling became a slice and a reduction for each window",
        "operations": "negation, squares and comparisons were written in operations that have an int8 form",
        "elu": "ELU, SELU and CELU compute in int8, by the runtime's table for ELU",
        "averages": "average pooling of whole pictures became a mean, which has a scale of its own for its results",
        "argmax": "argmax was written without Keras's care for negative zeros, which TFLite lacks operations for",
        "dense": "Dense layers became 1x1 convolutions, which keep a scale a channel on old runtimes",
        "groups": "grouped convolutions became one for each group, side by side",
        "leaky_relu": "LeakyReLU became PReLU with one slope, which the Edge TPU has",
        "hard_swish": "hard swish was written out in operations that the Edge TPU has",
        "curves": "activations were written by sigmoid, tanh and RSQRT, which the Edge TPU has (GELU within 0.00003)",
        "slopes": "PReLU with a slope for each place was written in operations that the Edge TPU has",
        "reversing": "a step of -1, as bidirectional layers make it, became a slice for each and a concatenation",
        "depth_to_space": "depth_to_space became a transposed convolution by zeros and ones",
        "slices": "a slice that drops an axis keeps it, and a reshape drops it, since the GPU has no other slice",
    }
)
"""By name, in the order in which they are described."""

FOR_OLD_RUNTIMES = frozenset({"dense", "groups"})
"""Given only where the runtime computes Dense with a scale a channel wrong, and so is too old for groups."""
FOR_CORAL = frozenset({"leaky_relu", "hard_swish", "curves", "slopes", "reversing", "depth_to_space"})
"""Given only for the Edge TPU."""
FOR_GPU = frozenset({"slices", "groups"})
"""Given only for a GPU: LiteRT 2.3's library cannot compile its own program for grouped convolutions."""


def chosen(keep: tuple[str, ...], *, per_channel_dense: bool, target: str) -> frozenset[str]:
    """The cures to apply.

    Args:
        keep: Names of those that the user does not want.
        per_channel_dense: Whether the runtime computes Dense with a scale a channel right.
        target: What the file is for.
    """
    given = frozenset(CURES) - FOR_OLD_RUNTIMES - FOR_CORAL - FOR_GPU
    if not per_channel_dense:
        given |= FOR_OLD_RUNTIMES
    given |= {"coral": FOR_CORAL, "jetson": FOR_GPU}.get(target, frozenset())
    return given - set(keep)


REPLACEABLE = (
    "celu", "elu", "gelu", "hard_shrink", "hard_swish", "leaky_relu", "log_sigmoid", "mish", "selu", "silu",
    "soft_shrink", "softplus", "softsign", "sparse_plus", "squareplus", "swish", "tanh_shrink",
)
"""Activations that the user may have replaced by one of `REPLACEMENTS`, which changes what the model computes."""
REPLACEMENTS = (
    "hard_sigmoid", "hard_swish", "leaky_relu", "linear", "relu", "relu6", "sigmoid", "silu", "swish", "tanh",
)
