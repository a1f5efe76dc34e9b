"""The workstation side of EdgeKit: trained Keras models in, TFLite files for devices out.

TensorFlow is loaded by a child process and by nothing else here; a model in memory brings its own.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgekit.errors import ConversionError, EdgeKitError, UsageError
from edgekit_converters import process
from edgekit_converters.atomic import check_writable, protect, write_atomically
from edgekit_converters.calibration import check_calibration
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.keras_files import examine, require_tensorflow
from edgekit_converters.memory_calibration import save_given
from edgekit_converters.options import check_options
from edgekit_converters.outcome import Agreement, Conversion, TensorSummary

__all__ = ["Agreement", "Conversion", "Progress", "TensorSummary", "convert"]

AnyPath = str | PathLike[str]
DEFAULT_SAMPLES = 200


def convert(
    model: Any,
    output: AnyPath | None = None,
    *,
    precision: str = "int8",
    io: str | None = None,
    calibration: AnyPath | NDArray[Any] | Mapping[str, NDArray[Any]] | Iterable[Any] | None = None,
    samples: int = DEFAULT_SAMPLES,
    target: str = "cpu",
    task: str | None = None,
    labels: AnyPath | Sequence[str] | None = None,
    normalize: str | None = None,
    channels: str | None = None,
    resize: str | None = None,
    description: str = "",
    progress: OnProgress | None = None,
    debug: bool = False,
) -> Conversion:
    """Convert a trained Keras model to a TFLite file that carries all that a device must know of it.

    The conversion runs in a child process. The same input gives the same bytes.

    Args:
        model: Path of a `.keras` or `.h5` file or of a SavedModel folder; or a Sequential or functional Keras
            model in memory. A SavedModel is a program: convert those that you trust.
        output: The `.tflite` file to write; by default the model's name in the current folder. It is written
            whole or not at all.
        precision: `int8` (weights and activations, needs calibration data), `float16`, `dynamic` (int8 weights,
            float activations) or `float32`.
        io: Type of the input and output tensors of an int8 model: `int8` (default), `uint8` or `float32`.
        calibration: What the model will see on the device: a folder of pictures (subfolders too), an `.npz`,
            `.npy` or `.csv` file; or an array of samples, a dict of such arrays by input name, or an iterable of
            samples or batches. uint8 values are pixels, which get the preprocessing; floats are taken as they are.
        samples: How many calibration samples are used at most, evenly spread over the data.
        target: `cpu` or `coral`.
        task: `classification` or `values`; by default what the last layer suggests.
        labels: A file with one label a line, or the labels.
        normalize: What pixels of 0 to 255 become: `0..255` (default), `0..1`, `-1..1`, `imagenet` or `MEAN/STD`.
        channels: Order of colours that the model was trained on, `rgb` (default) or `bgr`.
        resize: How the device brings pictures to the model's size: `stretch` (default), `letterbox` or `crop`.
        description: A sentence for the file's metadata.
        progress: Called now and then with what is being done.
        debug: Let the converter's own log through to standard error.

    Returns:
        What was made, with warnings and the agreement with the float model.

    Raises:
        UsageError: an option that does not exist, or options that do not go together.
        MissingFileError: the model, the labels or the calibration data are not there.
        ModelFileError: the file is no Keras model, is damaged, or holds code.
        DataError: the calibration data or the labels do not fit the model.
        ConversionError: the model cannot be converted.
        OutputError: the file cannot be written.
        MissingDependencyError: TensorFlow, or another library of the `convert` extra, is not installed.

    Example::

        import edgekit
        made = edgekit.convert("model.keras", "model.tflite", calibration="photos/")
        print(made.size, made.agreement)
    """
    started = time.monotonic()
    require_tensorflow()
    options = check_options(
        precision=precision, io=io, target=target, samples=samples, task=task, labels=labels, normalize=normalize,
        channels=channels, resize=resize, description=description,
    )
    source = examine(Path(fspath(model))) if isinstance(model, (str, PathLike)) else None
    if options.calibrated and calibration is None:
        raise UsageError(
            "int8 needs calibration data: samples that show which values the model meets",
            hint="Give a folder of pictures, an .npz or a .csv as calibration (50 to 200 samples), or choose "
            "precision 'dynamic' or 'float16', which need none.",
        )
    stem = source.path.resolve().stem if source else getattr(model, "name", "model")
    path = Path(fspath(output)) if output is not None else Path(f"{stem}.tflite")
    check_writable(path)
    protect(path, model, calibration, labels)
    with tempfile.TemporaryDirectory(prefix="edgekit-") as name:
        folder = Path(name)
        data, data_name = _calibration_path(calibration, samples, folder)
        frozen_source, rewrites = (source, ()) if source else _frozen(model, folder)
        model_name = source.path.name if source else str(model.name)
        job = process.Job(
            source=frozen_source, name=model_name,
            provenance={"name": model_name, **({"sha256": source.sha256} if source else {})},
            calibration=data, calibration_name=data_name, options=options, folder=folder, rewrites=rewrites,
        )
        conversion = process.run(job, progress or (lambda _: None), debug=debug)
        write_atomically(path, (folder / process.MODEL).read_bytes())
    return dataclasses.replace(conversion, path=path, seconds=time.monotonic() - started)


def _calibration_path(calibration: Any, samples: int, folder: Path) -> tuple[Path | None, str]:
    if calibration is None:
        return None, ""
    if isinstance(calibration, (str, PathLike)):
        path = Path(fspath(calibration))
        check_calibration(path)
        return path.absolute(), str(path)
    path = folder / "calibration.npz"
    save_given(calibration, samples, path)
    return path, "samples from Python"


def _frozen(model: Any, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """A model in memory as a SavedModel, and what was rewritten: the child need not know the user's own classes."""
    keras = sys.modules.get("keras")
    if keras is None or not isinstance(model, keras.Model):
        raise UsageError(f"model cannot be {type(model).__name__}", hint="Give a path or a Keras 3 model.")
    if keras.config.backend() != "tensorflow":
        raise UsageError(
            f"a model in memory has to live in Keras's TensorFlow backend, not in {keras.config.backend()}",
            hint="Save it, model.save('model.keras'), and convert the file.",
        )
    from edgekit_converters.freezing import freeze_keras, save_frozen

    path = folder / "model"
    try:
        frozen = freeze_keras(model)
        save_frozen(frozen, path)
    except EdgeKitError:
        raise
    except Exception as error:  # whatever the model's own layers raise
        raise ConversionError(f"model '{model.name}' cannot be traced: {type(error).__name__}: {error}") from error
    return path, frozen.rewrites
