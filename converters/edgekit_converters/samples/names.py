"""Names of calibration data; here, since they are checked without TensorFlow."""

SYNTHETIC = "synthetic"
