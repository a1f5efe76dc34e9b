"""Names of TFLite's operators and tensor types, by the numbers that stand in a file.

From tensorflow/lite/schema/schema.fbs, as ai-edge-litert 2.3.0 ships it (`BuiltinOperator`, `TensorType`).
"""

from __future__ import annotations

from pathlib import Path

OPERATORS = tuple(Path(__file__).with_name("operators.txt").read_text(encoding="ascii").split())
"""The first line of the file names operator 0, and so on."""

TENSOR_TYPES = (
    "float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8",
    "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16",
    "int2", "uint4", "float8_e4m3fn", "float8_e5m2",
)

EDGETPU_CUSTOM_OP = "edgetpu-custom-op"
"""Name of the one custom operator that stands for all that the Edge TPU compiler took."""


def operator_name(deprecated_code: int, code: int) -> str:
    """Name of a builtin operator, such as `CONV_2D`; `OPERATOR_<number>` for one of a later schema.

    Files written before schema 3a have the number in the deprecated field, later ones in the other or
    both; the larger one is right in all of them.
    """
    number = max(deprecated_code, code)
    return OPERATORS[number] if 0 <= number < len(OPERATORS) else f"OPERATOR_{number}"


def tensor_type_name(number: int) -> str:
    """Name of a tensor type as NumPy writes it, such as `int8`; `type_<number>` for one of a later schema."""
    return TENSOR_TYPES[number] if 0 <= number < len(TENSOR_TYPES) else f"type_{number}"
