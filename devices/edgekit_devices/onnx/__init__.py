"""The devices `onnx`, `cuda` and `tensorrt`: `.onnx` files, run by onnxruntime's execution providers."""
