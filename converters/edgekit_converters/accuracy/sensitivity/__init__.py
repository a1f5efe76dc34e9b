"""Which operations and layers of a model lose most by being quantized."""
