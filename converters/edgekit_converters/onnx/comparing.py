"""What an ONNX file computes, compared with the `.tflite` that it was translated from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit.tflite import ModelFile
from edgekit_converters.checking import LEAST_SAME, LEAST_SQNR_DB, FinishedFile, Totals, best_class
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.onnx.types import LEAVE_OUT, OnnxFile
from edgekit_devices.onnx.session import CPU_PROVIDER, first_sentence, import_onnxruntime

LEAST_DB = {"int8": 10.0, "int16x8": 20.0, "dynamic": 25.0, "float16": 40.0, "float32": 40.0}
"""SQNR below which a translation is wrong, by the precision of the `.tflite`: TensorRT's symmetric int8 has other steps
than TFLite's, and a dynamic model rounds its activations while it runs. What rounding would hide is seen in float."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How the two agree.

    Attributes:
        samples: How many samples were compared.
        sqnr_db: Signal to noise of all outputs, in decibels; infinite where none differs.
        same_class: Share of samples with the same best class; None unless the model classifies.
    """

    samples: int
    sqnr_db: float
    same_class: float | None


def compare(
    content: bytes, model: ModelFile, samples: Sequence[Mapping[str, NDArray[Any]]], classifies: bool,
    report: OnProgress,
) -> Compared:
    """Run both on the same samples.

    Args:
        content: The ONNX file.
        model: The `.tflite` file.
        samples: Real numbers by input name.
        classifies: Whether its first output holds a score of each class.
        report: Told of the progress.

    Raises:
        ConversionError: the ONNX file does not run.
    """
    file, session, totals, same = FinishedFile(model, {}), _session(content), Totals(), 0
    types = {item.name: np.dtype(_TYPES[item.type]) for item in session.get_inputs()}
    names = [item.name for item in session.get_outputs()]
    for done, sample in enumerate(samples, 1):
        report(Progress("comparing the ONNX file with the .tflite", done, len(samples)))
        expected = file(sample)
        given = {name: np.asarray(sample[name]).astype(dtype) for name, dtype in types.items()}
        found = dict(zip(names, _run(session, names, given), strict=True))
        for name, values in expected.items():
            totals.add(values, np.asarray(found[name], np.float32))
        first = next(iter(expected))
        same += best_class(expected[first]) == best_class(np.asarray(found[first], np.float32))
    return Compared(len(samples), totals.sqnr_db, same / len(samples) if classifies else None)


def check(compared: Compared, precision: str) -> None:
    """Refuse a translation that computes something else.

    Raises:
        ConversionError: the two agree less than such models do.
    """
    if compared.sqnr_db < LEAST_DB[precision]:
        raise ConversionError(
            f"the ONNX file does not compute what the .tflite does: {compared.sqnr_db:.1f} dB SQNR on "
            f"{compared.samples} sample{'s' if compared.samples > 1 else ''}, where {LEAST_DB[precision]:g} dB or more "
            f"are expected in {precision}",
            hint="TensorRT's int8 has no zero points, which loses too much here: convert with precision float16."
            if precision == "int8" else f"{LEAVE_OUT} Please report the model.",
        )


def disagreement(found: OnnxFile) -> list[str]:
    """A warning where symmetric int8 costs much; empty where it does not."""
    same = found.same_class
    if found.sqnr_db >= LEAST_SQNR_DB and (same is None or same >= LEAST_SAME):
        return []
    return [
        "the ONNX file answers much otherwise than the .tflite, since TensorRT's int8 has no zero points: measure it "
        "with edgekit evaluate, or convert with precision float16 for the GPU"
    ]


_TYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int32)": "int32", "tensor(int64)": "int64",
    "tensor(bool)": "bool", "tensor(uint8)": "uint8", "tensor(int8)": "int8",
}


def _session(content: bytes) -> Any:
    """onnxruntime as it reads the graph, without its own quantized kernels, whose sums overflow on older processors."""
    onnxruntime = import_onnxruntime()
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(content, settings, providers=[CPU_PROVIDER])
    except Exception as error:  # onnxruntime's classes have no other base
        raise _does_not_run(error) from error


def _run(session: Any, names: Sequence[str], given: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    try:
        outputs: list[NDArray[Any]] = session.run(names, given)
    except Exception as error:  # onnxruntime's classes have no other base
        raise _does_not_run(error) from error
    return outputs


def _does_not_run(error: Exception) -> ConversionError:
    """What tf2onnx makes of operations that it takes for others does not run."""
    return ConversionError(
        f"tf2onnx cannot translate the network to ONNX: what it made does not run ({first_sentence(str(error))})",
        hint=LEAVE_OUT,
    )
