"""`.tflite` files as they lie on disk: read without an interpreter, every offset checked."""

from edgekit.tflite.model_file import ModelFile, Operator, Quantization, Signature, Subgraph, Tensor
from edgekit.tflite.reader import parse_model, read_model

__all__ = [
    "ModelFile",
    "Operator",
    "Quantization",
    "Signature",
    "Subgraph",
    "Tensor",
    "parse_model",
    "read_model",
]
