"""ONNX files of converted networks, for TensorRT: translated from the `.tflite`, quantized as TensorRT takes it, and
held against the `.tflite`.
"""
