"""What to change in a Keras model where an operation has no place on the Edge TPU."""

from __future__ import annotations

from collections.abc import Mapping

_HOST = "Return the tensors before it as outputs, and compute it in NumPy after inference."
_EDGEKIT = "edgekit convert --target coral writes it in operations that map."
_CHANGES = "which changes the model: measure its accuracy, or train it some more"
_EXPONENTIAL = (
    "Return what goes into it, and compute it in NumPy after inference. Where it comes from an activation: have that "
    f"replaced, --replace softplus=relu or --replace sparse_plus=relu, {_CHANGES}. mish and selu: {_EDGEKIT}"
)
_MATMUL = (
    "Replace attention by Dense layers over the steps and over the features in turn (Permute((2, 1)), Dense, "
    "Permute((2, 1)), Dense: an MLP-Mixer), or by convolutions, or keep it at the end of the model."
)
_NORMALIZATION = (
    "Where it comes from LayerNormalization, GroupNormalization or UnitNormalization: edgekit convert writes them in "
    "operations that map; BatchNormalization costs nothing, since it is folded into the convolution before it."
)
_RECURRENT = (
    "Where it comes from an unrolled recurrent layer: edgekit convert makes one operation of an LSTM and slices in "
    "place of UNPACK for others; or use a Conv1D over time."
)
THREE_D = (
    "Factor it into 2-D convolutions, with the planes as channels, keras.Input((height, width, planes * channels)): "
    "one over height and width (Conv2D(groups=planes)), one over time (Reshape, and Conv2D with a kernel of (1, n))."
)
_DILATED = "Fix the input's size before conversion, so that the converter makes one dilated convolution of it."
_SLICES = "Take the parts by slices (x[:, i]) or a split in equal parts (SPLIT)."
_CHOICE = "Choose between tensors by multiplying with 0 and 1, or do it in NumPy after inference."
_SQRT = (
    "For numbers above zero write it as x * rsqrt(x) (keras.ops.rsqrt), which maps, or take the root in NumPy after "
    f"inference. {_NORMALIZATION}"
)


def _replaceable(*names: str, by: str = "relu6") -> str:
    """For activations that EdgeKit rewrites, and that may be replaced by cheaper ones."""
    options = " or ".join(f"--replace {name}={by}" for name in names)
    return f"{_EDGEKIT} Cheaper: {options}, {_CHANGES}."


NOT_SUPPORTED: Mapping[str, str] = {
    "ABS": f"Write it as relu(x) + relu(-x): max(x, -x) loses half of its values in int8. softsign: {_EDGEKIT}",
    "ARG_MAX": "Where it ends the model, have EdgeKit compute it on the processor, --move-to-host; or return the "
    "scores and take argmax in NumPy after inference.",
    "ARG_MIN": "Return the scores and take argmin in NumPy after inference.",
    "BATCH_MATMUL": _MATMUL,
    "BATCH_TO_SPACE_ND": _DILATED,
    "CAST": "Feed and return 8-bit numbers, so that nothing has to be cast; do other casts on the host.",
    "CONV_3D": THREE_D,
    "CONV_3D_TRANSPOSE": THREE_D,
    "DEPTH_TO_SPACE": f"{_EDGEKIT} Else enlarge with Conv2DTranspose or UpSampling2D(interpolation='bilinear').",
    "DIV": f"Multiply by the reciprocal: a constant, or keras.ops.rsqrt(y) twice if y > 0. softsign: {_EDGEKIT}",
    "ELU": _replaceable("elu", "selu"),
    "EQUAL": _CHOICE,
    "EXP": _EXPONENTIAL,
    "GATHER": "Take the entries by slices, or return the whole tensor and index it in NumPy after inference.",
    "GATHER_ND": _HOST,
    "GELU": _replaceable("gelu"),
    "GREATER": _CHOICE,
    "GREATER_EQUAL": _CHOICE,
    "HARD_SWISH": _replaceable("hard_swish"),
    "LEAKY_RELU": f"{_EDGEKIT} Or use PReLU(shared_axes=[1, 2]); maximum(x, a * x) maps too, and is less accurate.",
    "LESS": _CHOICE,
    "LESS_EQUAL": _CHOICE,
    "LOG": _EXPONENTIAL,
    "LOG_SOFTMAX": "Use softmax, and take its logarithm on the host.",
    "MIRROR_PAD": "Pad with zeros (ZeroPadding2D).",
    "NEG": f"{_EDGEKIT} {_NORMALIZATION}",
    "NON_MAX_SUPPRESSION_V4": _HOST,
    "NON_MAX_SUPPRESSION_V5": _HOST,
    "PADV2": "Pad with zeros (ZeroPadding2D).",
    "REVERSE_V2": f"Write it as x[:, ::-1]: {_EDGEKIT}",
    "SELECT": _CHOICE,
    "SELECT_V2": _CHOICE,
    "SPACE_TO_BATCH_ND": _DILATED,
    "SPLIT_V": "Split in equal parts (SPLIT), or take the parts by slices.",
    "SQRT": _SQRT,
    "SQUARE": f"Multiply the tensor by itself (MUL). {_NORMALIZATION}",
    "TOPK_V2": "Return the scores and sort them in NumPy after inference.",
    "UNPACK": f"{_SLICES} {_RECURRENT}",
}
"""By operation; what is not here is for the host."""

CUSTOM: Mapping[str, str] = {
    "TFLite_Detection_PostProcess": "Leave it: it is the last operation, and made for the CPU.",
    "PosenetDecoderOp": "Leave it: it is the last operation, and made for the CPU.",
}

TOO_NEW: Mapping[str, str] = {
    "": "Convert with edgekit convert --target coral, which keeps to what the compiler knows, or with TensorFlow 2.8 "
    "or older; or replace the layer that made it.",
    "CONV_2D": f"Convolution in groups: {_EDGEKIT} Else write it as a depthwise and a pointwise one.",
    "EXP": _EXPONENTIAL,
    "GELU": NOT_SUPPORTED["GELU"],
    "LOG": _EXPONENTIAL,
    "SQRT": _SQRT,
    "TILE": f"UpSampling2D: {_EDGEKIT} Else use Resizing(height, width, interpolation='nearest').",
}
"""By operation whose version the compiler does not know; the empty name for all others."""


def for_operation(type_: str, custom_code: str = "") -> str:
    """What to do about an operation that the Edge TPU does not compute."""
    return CUSTOM.get(custom_code) or NOT_SUPPORTED.get(type_) or (
        f"Express {custom_code or type_} by operations that map, or leave it out. {_HOST}"
    )
