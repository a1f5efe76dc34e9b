"""What to change in a Keras model where an operation has no place on the Edge TPU."""

from __future__ import annotations

from collections.abc import Mapping

_RELU6 = "Use ReLU6 (keras.layers.ReLU(6.0)); swish maps too, as LOGISTIC and MUL."
_HOST = "Return the tensors before it as outputs, and compute it in NumPy after inference."
_LEAKY = (
    "Write LeakyReLU as maximum(x, a * x), which becomes MUL and MAXIMUM, or use PReLU(shared_axes=[1, 2]) or ReLU6: "
    "all of these map."
)
_MATMUL = "Replace attention by convolutions or Dense layers, or keep it at the end of the model."
_NORMALIZATION = (
    "Where it comes from LayerNormalization, GroupNormalization or UnitNormalization: use BatchNormalization, which is "
    "folded into the convolution before it."
)
_RECURRENT = (
    "Where it comes from an unrolled recurrent layer: use a Conv1D or Conv2D over time, or one LSTM operation "
    "(UNIDIRECTIONAL_SEQUENCE_LSTM) from a converter that makes it."
)
_THREE_D = "Factor it into 2-D convolutions: one over height and width, one over time."
_DILATED = "Fix the input's size before conversion, so that the converter makes one dilated convolution of it."
_SLICES = "Take the parts by slices (x[:, i]) or a split in equal parts (SPLIT)."
_CHOICE = "Choose between tensors by multiplying with 0 and 1, or do it in NumPy after inference."

NOT_SUPPORTED: Mapping[str, str] = {
    "ABS": "Where it comes from softsign: use tanh, which maps. Else write it as maximum(x, -1 * x).",
    "ARG_MAX": "Return the scores and take argmax in NumPy after inference.",
    "ARG_MIN": "Return the scores and take argmin in NumPy after inference.",
    "BATCH_MATMUL": _MATMUL,
    "BATCH_TO_SPACE_ND": _DILATED,
    "CAST": "Feed and return 8-bit numbers, so that nothing has to be cast; do other casts on the host.",
    "CONV_3D": _THREE_D,
    "CONV_3D_TRANSPOSE": _THREE_D,
    "DEPTH_TO_SPACE": "Enlarge with Conv2DTranspose or UpSampling2D(interpolation='bilinear'), which map.",
    "DIV": "Multiply by the reciprocal where the divisor is a constant; use tanh in place of softsign.",
    "ELU": _RELU6,
    "EQUAL": _CHOICE,
    "EXP": _RELU6,
    "GATHER": "Take the entries by slices, or return the whole tensor and index it in NumPy after inference.",
    "GATHER_ND": _HOST,
    "GELU": _RELU6,
    "GREATER": _CHOICE,
    "GREATER_EQUAL": _CHOICE,
    "HARD_SWISH": _RELU6,
    "LEAKY_RELU": _LEAKY,
    "LESS": _CHOICE,
    "LESS_EQUAL": _CHOICE,
    "LOG": _RELU6,
    "LOG_SOFTMAX": "Use softmax, and take its logarithm on the host.",
    "MIRROR_PAD": "Pad with zeros (ZeroPadding2D).",
    "NEG": _NORMALIZATION,
    "NON_MAX_SUPPRESSION_V4": _HOST,
    "NON_MAX_SUPPRESSION_V5": _HOST,
    "PADV2": "Pad with zeros (ZeroPadding2D).",
    "SELECT": _CHOICE,
    "SELECT_V2": _CHOICE,
    "SPACE_TO_BATCH_ND": _DILATED,
    "SPLIT_V": "Split in equal parts (SPLIT), or take the parts by slices.",
    "SQRT": _NORMALIZATION,
    "SQUARE": f"Multiply the tensor by itself (MUL). {_NORMALIZATION}",
    "TOPK_V2": "Return the scores and sort them in NumPy after inference.",
    "UNPACK": f"{_SLICES} {_RECURRENT}",
}
"""By operation; what is not here is for the host."""

CUSTOM: Mapping[str, str] = {
    "TFLite_Detection_PostProcess": "Leave it: it is the last operation, and made for the CPU.",
    "PosenetDecoderOp": "Leave it: it is the last operation, and made for the CPU.",
}

_NEWER_ACTIVATION = "Replace gelu, mish, selu, softplus and exponential by relu6 or swish."
TOO_NEW: Mapping[str, str] = {
    "": "Convert with edgekit convert --target coral, which keeps to what the compiler knows, or with TensorFlow 2.8 "
    "or older; or replace the layer that made it.",
    "CONV_2D": "Write a convolution with groups as a depthwise and a pointwise one, or split and concatenate by hand.",
    "EXP": _NEWER_ACTIVATION,
    "GELU": _NEWER_ACTIVATION,
    "LOG": _NEWER_ACTIVATION,
    "SQRT": "Leave the square root to the host, or use BatchNormalization in place of what needs it.",
    "TILE": "Write UpSampling2D(interpolation='nearest') as Resizing(height, width, interpolation='nearest').",
}
"""By operation whose version the compiler does not know; the empty name for all others."""


def for_operation(type_: str, custom_code: str = "") -> str:
    """What to do about an operation that the Edge TPU does not compute."""
    return CUSTOM.get(custom_code) or NOT_SUPPORTED.get(type_) or (
        f"Express {custom_code or type_} by operations that map, or leave it out. {_HOST}"
    )
