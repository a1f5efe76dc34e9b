"""A float flatbuffer in integers: ranges measured on samples, then TensorFlow's quantizer, which edits the flatbuffer.

TensorFlow's own `TFLiteConverter` does the same in one go. Apart, the float model is made once, and ranges and
quantization cost milliseconds each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize import calibrator
from tensorflow.lite.tools.flatbuffer_utils import convert_bytearray_to_object, convert_object_to_bytearray

from edgekit.tflite import parse_model
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.failing.explaining import explain
from edgekit_converters.options import Options
from edgekit_converters.samples.calibration import Calibration

CELL_STATE_INPUT = 19
FINEST_CELL_SCALE = 2.0**-15
_TYPES = {"int8": tf.int8, "uint8": tf.uint8, "int16": tf.int16, "float32": tf.float32}


def to_integers(flatbuffer: bytes, options: Options, calibration: Calibration, report: OnProgress) -> bytes:
    """Measure the range of every tensor and quantize the model by it.

    Args:
        flatbuffer: A float model.
        options: Precision, and the type of inputs and outputs.
        calibration: What the model is run on.
        report: Told of the progress.

    Raises:
        ConversionError: TensorFlow's quantizer fails.
    """
    try:
        ready = calibrator.add_intermediate_tensors(flatbuffer)
        ranges = calibrator.Calibrator(ready)
        io = _TYPES[options.io]
        if options.precision == "int16x8":
            return bytes(ranges.calibrate_and_quantize(
                lambda: _feed(calibration, report), io, io, allow_float=True, activations_type=tf.int16,
                bias_type=tf.int64,
            ))
        measured = ranges.calibrate(lambda: _feed(calibration, report))
        quantized = mlir_quantize(
            measured, input_data_type=io, output_data_type=io,
            disable_per_channel_for_dense_layers=not options.per_channel_dense,
        )
    except Exception as error:  # TensorFlow raises its own, undocumented classes here
        raise explain(error) from error
    return _mend_cell_scales(_sharing_buffers(quantized))


def _feed(calibration: Calibration, report: OnProgress) -> Iterator[Mapping[str, NDArray[np.generic]]]:
    """Samples by input name: by position, TensorFlow takes inputs in an order of its own."""
    for done, sample in enumerate(calibration.samples, 1):
        report(Progress("calibrating", done, len(calibration.samples)))
        yield sample
    report(Progress("quantizing"))


def _sharing_buffers(flatbuffer: bytes) -> bytes:
    """Equal constants held once, and one empty buffer for all that is computed.

    An unrolled layer has its weights as often as it has steps, and an empty buffer takes some 50 bytes.
    """
    model = convert_bytearray_to_object(flatbuffer)
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    kept: dict[bytes, int] = {b"": 0}
    buffers = [model.buffers[0]]
    for holder in (*tensors, *(model.metadata or [])):
        data = model.buffers[holder.buffer].data
        values = b"" if data is None else bytes(data)
        if values not in kept:
            kept[values] = len(buffers)
            buffers.append(model.buffers[holder.buffer])
        holder.buffer = kept[values]
    model.buffers = buffers
    return bytes(convert_object_to_bytearray(model))


def _mend_cell_scales(flatbuffer: bytes) -> bytes:
    """Give the cell states of int8 LSTMs a scale of 2^-15 at least.

    TensorFlow fits the scale, a power of two, to the values seen. The kernel's tanh takes cell states from a range
    of 1 upwards and leaves its result unset below (lstm_eval.cc, `DISPATCH_TANH`): small states gave noise.
    """
    data = bytearray(flatbuffer)
    graph: Any = schema.Model.GetRootAs(data, 0).Subgraphs(0)
    model = parse_model(flatbuffer)
    for operator in model.main.operators:
        if operator.type == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            quantization = graph.Tensors(operator.inputs[CELL_STATE_INPUT]).Quantization()
            if quantization is not None and quantization.ScaleLength():
                scales = quantization.ScaleAsNumpy()  # a view into data
                np.maximum(scales, np.float32(FINEST_CELL_SCALE), out=scales)
    return bytes(data)
