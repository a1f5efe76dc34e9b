"""The frozen function as a TFLite flatbuffer in float, by TensorFlow's converter."""

from __future__ import annotations

import tensorflow as tf

from edgekit_converters.failing.explaining import explain
from edgekit_converters.options import Options
from edgekit_converters.tracing.freezing import Frozen


def to_flatbuffer(frozen: Frozen, options: Options) -> bytes:
    """Convert to TFLite operations, with weights as the precision says and nothing calibrated.

    Raises:
        ConversionError: TFLite has no form for part of the model; the message names the layers and the operations.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen.function], frozen.trackable)
    if options.precision in {"float16", "dynamic"}:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if options.precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    # A private name of TensorFlow's, and the only way to it: pinned by the dependency, held by a test.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not options.per_channel_dense
    try:
        return bytes(converter.convert())
    except Exception as error:  # TensorFlow raises its own, undocumented classes here
        raise explain(error, frozen.function.graph.as_graph_def(), frozen.places) from error
