"""A float flatbuffer in integers: ranges measured on samples, then TensorFlow's quantizer, which edits the flatbuffer.

TensorFlow's own `TFLiteConverter` does the same in one go. Apart, the float model is made once, and another set of
ranges, or an operation left in float, costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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
from edgekit_converters.lowering import surgery
from edgekit_converters.lowering.flatbuffer_editing import share_buffers
from edgekit_converters.options import Options
from edgekit_converters.samples.calibration import Feed

CELL_STATE_INPUT = 19
FINEST_CELL_SCALE = 2.0**-15
Range = tuple[float, float]
"""The smallest and the largest value that a tensor's integers stand for."""
_TYPES = {"int8": tf.int8, "uint8": tf.uint8, "int16": tf.int16, "float32": tf.float32}


def measure(flatbuffer: bytes, samples: Sequence[Feed], report: OnProgress) -> bytes:
    """A float model that carries the smallest and largest value of each of its tensors, also those within an LSTM.

    Args:
        flatbuffer: A float model.
        samples: What it is run on: arrays by input name.
        report: Told of the progress.

    Raises:
        ConversionError: TensorFlow's calibrator fails.
    """
    try:
        ready = calibrator.Calibrator(calibrator.add_intermediate_tensors(flatbuffer))
        return bytes(ready.calibrate(lambda: _feed(samples, report)))
    except Exception as error:  # TensorFlow raises its own, undocumented classes here
        raise explain(error) from error


def with_ranges(measured: bytes, ranges: Mapping[str, Range]) -> bytes:
    """A measured model with other ranges.

    Args:
        measured: What `measure` gave.
        ranges: By name of the tensor; those that are not named stay as measured.
    """
    data = bytearray(measured)
    graph: Any = schema.Model.GetRootAs(data, 0).Subgraphs(0)
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        quantization = tensor.Quantization()
        found = ranges.get(tensor.Name().decode())
        if found is not None and quantization is not None and quantization.MinLength() == 1:
            quantization.MinAsNumpy()[:], quantization.MaxAsNumpy()[:] = found  # views into data
    return bytes(data)


def quantize(measured: bytes, options: Options, *, keep_float: Collection[str] = ()) -> tuple[bytes, frozenset[str]]:
    """Quantize a measured model to int8.

    Args:
        measured: What `measure` gave.
        options: The type of inputs and outputs, per-channel or per-tensor weights of Dense layers, and the cures.
        keep_float: Names of the first output tensors of operations that are to stay in float.

    Returns:
        The model, and the names of the cures that were used on it.

    Raises:
        ConversionError: TensorFlow's quantizer fails.
    """
    io = _TYPES[options.io]
    try:
        quantized = mlir_quantize(
            measured, input_data_type=io, output_data_type=io, denylisted_nodes=set(keep_float) or None,
            disable_per_channel_for_dense_layers=not options.per_channel_dense,
        )
    except Exception as error:  # TensorFlow raises its own, undocumented classes here
        raise explain(error) from error
    return surgery.with_integer_elu(_mend_cell_scales(_sharing_buffers(bytes(quantized))), options.cures)


def to_int16x8(flatbuffer: bytes, options: Options, samples: Sequence[Feed], report: OnProgress) -> bytes:
    """Measure a float model and quantize it: weights of 8 bits, activations of 16.

    Raises:
        ConversionError: TensorFlow's quantizer fails.
    """
    io = _TYPES[options.io]
    try:
        ready = calibrator.Calibrator(calibrator.add_intermediate_tensors(flatbuffer))
        quantized = ready.calibrate_and_quantize(
            lambda: _feed(samples, report), io, io, allow_float=True, activations_type=tf.int16, bias_type=tf.int64
        )
    except Exception as error:  # TensorFlow raises its own, undocumented classes here
        raise explain(error) from error
    return _sharing_buffers(bytes(quantized))


def _feed(samples: Sequence[Feed], report: OnProgress) -> Iterator[Mapping[str, NDArray[np.generic]]]:
    """Samples by input name: by position, TensorFlow takes inputs in an order of its own."""
    for done, sample in enumerate(samples, 1):
        report(Progress("calibrating", done, len(samples)))
        yield sample
    report(Progress("quantizing"))


def _sharing_buffers(flatbuffer: bytes) -> bytes:
    model = convert_bytearray_to_object(flatbuffer)
    share_buffers(model)
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
