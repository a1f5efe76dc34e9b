"""Names of the ways to choose ranges; here, since options are checked without TensorFlow."""

AUTO = "auto"
CALIBRATOR_NAMES = (
    AUTO, "minmax", "percentile-99.999", "percentile-99.99", "percentile-99.9", "mse", "entropy",
)
