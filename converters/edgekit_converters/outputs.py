"""The files that a conversion leaves: checked before the work, and written all together or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.atomic import check_writable, protect, write_together
from edgekit.errors import UsageError
from edgekit.twin import cpu_twin_of
from edgekit_converters.onnx.types import onnx_path
from edgekit_converters.options import Options
from edgekit_converters.outcome import Conversion
from edgekit_converters.process import MODEL, ONNX_MODEL, TWIN

_OTHERS = {
    ".onnx": "an ONNX model", ".keras": "a Keras model", ".h5": "a Keras model", ".hdf5": "a Keras model",
    ".engine": "a TensorRT engine",
}
"""Names by which other files are known. `edgekit run` would take a `.tflite` of such a name for one of them."""


def check_outputs(path: Path, options: Options, calibration: Any, *inputs: Any) -> dict[str, Path]:
    """Where the files go, by their names in a job's folder.

    Args:
        path: The `.tflite`.
        options: Of the conversion.
        calibration: Its data; None where there is none, and then no file for the processor either.
        inputs: What it is made from besides.

    Raises:
        UsageError: the name is that of another kind of file, or of one that the model is made from.
        OutputError: a file cannot be written there.
    """
    outputs = {MODEL: path}
    if options.has_twin and calibration is not None:
        outputs[TWIN] = cpu_twin_of(path)
    if options.also:
        outputs[ONNX_MODEL] = onnx_path(path)
    for file in outputs.values():
        check_writable(file)
        protect(file, calibration, *inputs)
    _check_name(path)
    return outputs


def _check_name(path: Path) -> None:
    what = _OTHERS.get(path.suffix.lower())
    if what is None:
        return
    hint = f"Name it {path.with_suffix('.tflite')}."
    if path.suffix.lower() == ".onnx":
        hint = f"{hint} With --also onnx an ONNX file goes beside it."
    raise UsageError(f"the output {path} has the name of {what}, and is a .tflite file", hint=hint)


def write_outputs(outputs: dict[str, Path], conversion: Conversion, folder: Path) -> None:
    """Write what was made.

    Args:
        outputs: As `check_outputs` gives them.
        conversion: What came of the job.
        folder: The job's, where the files lie.

    Raises:
        OutputError: a file cannot be written, and so none is.
    """
    made = {name: path for name, path in outputs.items() if name != TWIN or conversion.twin is not None}
    write_together({path: (folder / name).read_bytes() for name, path in made.items()})
