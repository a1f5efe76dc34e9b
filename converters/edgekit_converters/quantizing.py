"""The frozen function as a TFLite flatbuffer, by TensorFlow's converter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit.tflite import parse_model
from edgekit_converters.calibration import Calibration
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.freezing import Frozen
from edgekit_converters.options import Options
from edgekit_devices.targets import TARGETS

_MISSING_OPERATION = re.compile(r"\btf\.([A-Z]\w+)")
CELL_STATE_INPUT = 19
FINEST_CELL_SCALE = 2.0**-15
_IO_TYPES = {"int8": tf.int8, "uint8": tf.uint8, "float32": tf.float32}


def to_flatbuffer(
    frozen: Frozen, options: Options, calibration: Calibration | None, report: OnProgress
) -> bytes:
    """Convert, and quantize as the options say.

    Raises:
        ConversionError: TFLite has no form for part of the model; the message names the operations.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen.function], frozen.trackable)
    _set_precision(converter, options)
    if calibration is not None and options.calibrated:
        converter.representative_dataset = lambda: _feed(calibration, report)
    try:
        return _mend_cell_scales(converter.convert())
    except Exception as error:  # TensorFlow raises its own, undocumented classes here
        raise _cannot_convert(error) from error


def _set_precision(converter: Any, options: Options) -> None:
    if options.precision == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if options.precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if options.precision == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = _IO_TYPES[options.io]
    # A private name of TensorFlow's, and the only way to it: pinned by the dependency, held by a test.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not (
        TARGETS[options.target].per_channel_dense
    )


def _feed(calibration: Calibration, report: OnProgress) -> Iterator[Mapping[str, NDArray[np.generic]]]:
    """Samples by input name: by position, TensorFlow takes inputs in an order of its own."""
    for done, sample in enumerate(calibration.samples, 1):
        report(Progress("calibrating", done, len(calibration.samples)))
        yield sample
    report(Progress("quantizing"))


def _mend_cell_scales(flatbuffer: bytes) -> bytes:
    """Give the cell states of int8 LSTMs a scale of 2^-15 at least.

    TensorFlow fits the scale, a power of two, to the values seen. The kernel's tanh takes cell states from a range
    of 1 upwards and leaves its result unset below (lstm_eval.cc, `DISPATCH_TANH`): small states gave noise.
    """
    data = bytearray(flatbuffer)
    graph = schema.Model.GetRootAs(data, 0).Subgraphs(0)
    model = parse_model(flatbuffer)
    for operator in model.main.operators:
        if operator.type == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            quantization = graph.Tensors(operator.inputs[CELL_STATE_INPUT]).Quantization()
            if quantization is not None and quantization.ScaleLength():
                scales = quantization.ScaleAsNumpy()  # a view into data
                np.maximum(scales, np.float32(FINEST_CELL_SCALE), out=scales)
    return bytes(data)


def _cannot_convert(error: Exception) -> ConversionError:
    text = str(error)
    operations = sorted(set(_MISSING_OPERATION.findall(text)) - {"Module"})
    if operations:
        return ConversionError(
            f"TFLite has no operation for {', '.join(operations)}, which this model uses",
            hint="Put other layers in their place. The converter's whole log is shown with --debug.",
        )
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    return ConversionError(
        f"TensorFlow's converter failed: {first[:300]}", hint="Its whole log is shown with --debug."
    )
