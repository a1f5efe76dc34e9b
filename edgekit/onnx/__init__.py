"""`.onnx` files as they lie on disk: read without onnx and onnxruntime, every length checked."""

from edgekit.onnx.reader import is_onnx, parse_onnx, read_onnx

__all__ = ["is_onnx", "parse_onnx", "read_onnx"]
