"""What converts, and how well: `python -m benchmarks.coverage` measures it and writes docs/coverage.md."""

import os

# Before anything loads Keras: figures are of TensorFlow on the processor.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
