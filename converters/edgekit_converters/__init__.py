"""The workstation side of EdgeKit: trained Keras models in, TFLite files for devices out.

TensorFlow is loaded by a child process and by nothing else here; a model in memory brings its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.windows import WindowOptions
from edgekit_converters.accuracy.gate import check_gate
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.jobs import examined, prepared
from edgekit_converters.loading.keras_files import require_tensorflow
from edgekit_converters.options import DEFAULT_SAMPLES, check_options
from edgekit_converters.outcome import Agreement, Conversion, TensorSummary, finished
from edgekit_converters.outputs import check_outputs, write_outputs
from edgekit_converters.reporting.planning import plan_report
from edgekit_converters.tracing.shapes import Given

__all__ = ["Agreement", "Conversion", "Progress", "TensorSummary", "convert"]

AnyPath = str | PathLike[str]


def convert(
    model: Any,
    output: AnyPath | None = None,
    *,
    also: str | Sequence[str] = (),
    precision: str | None = None,
    io: str | None = None,
    calibration: AnyPath | NDArray[Any] | Mapping[str, NDArray[Any]] | Iterable[Any] | None = None,
    samples: int = DEFAULT_SAMPLES,
    target: str = "cpu",
    task: str | None = None,
    head: str | None = None,
    head_options: Sequence[str] | Mapping[str, object] = (),
    windows: WindowOptions | None = None,
    labels: AnyPath | Sequence[str] | None = None,
    normalize: str | None = None,
    channels: str | None = None,
    resize: str | None = None,
    description: str = "",
    runtime: str | None = None,
    keep: Sequence[str] = (),
    allow_float: bool = False,
    replace: Sequence[str] | Mapping[str, str] = (),
    require_full_mapping: bool = False,
    move_to_host: bool = False,
    input_shape: Given | None = None,
    custom_objects: str | Sequence[str] = (),
    calibrator: str | None = None,
    evaluate: AnyPath | None = None,
    max_drop: str | float | None = None,
    target_column: str | None = None,
    group_by: Sequence[str] = (),
    report: AnyPath | None = None,
    card: AnyPath | None = None,
    progress: OnProgress | None = None,
    debug: bool = False,
) -> Conversion:
    """Convert a trained Keras model to a TFLite file that carries all that a device must know of it.

    The conversion runs in a child process. The same input gives the same bytes.

    Args:
        model: Path of a `.keras` or `.h5` file or of a SavedModel folder; or a Keras model in memory. A SavedModel
            is a program: convert those that you trust.
        output: The `.tflite` file to write; by default the model's name in the current folder. It is written
            whole or not at all, and so are those beside it.
        also: `onnx` writes an ONNX file of the same network beside it, for TensorRT, held against the `.tflite`
            (docs/tensorrt.md). It takes the `onnx` extra.
        precision: `int8` (weights and activations, needs calibration data), `int16x8` (the same with activations of
            16 bits), `float16`, `dynamic` (int8 weights, float activations) or `float32`; by default what the target
            runs best: int8, and for `jetson` float16.
        io: Type of the input and output tensors: of an int8 model `int8` (default), `uint8` or `float32`, of an
            int16x8 one `int16` (default) or `float32`.
        calibration: What the model will see on the device: a folder of pictures (subfolders too), an `.npz`,
            `.npy` or `.csv` file; or an array of samples, a dict of such arrays by input name, or an iterable of
            samples or batches. uint8 values are pixels, which get the preprocessing; floats are taken as they are.
            `synthetic` makes samples up, which is for trying things only.
        samples: How many calibration samples are used at most, evenly spread over the data.
        target: `cpu`, `coral` or `jetson`. For `jetson` an int8 file for the processor is written besides
            (`NAME_cpu.tflite`) where there is calibration data and the model itself is not int8.
        task: What the runtime makes of the outputs, such as `classification` or `detection` (docs/tasks.md); by
            default what the last layer suggests.
        head: The form in which the outputs say it, such as `yolov8`; by default what they leave no doubt of.
        head_options: What the head has to know besides, by name, such as `{"strides": [8, 16, 32]}`.
        windows: For models of streams: which windows of a log the model takes, and what is computed of each. The
            calibration data may be raw logs then: a `.csv`, `.npz` or `.wav`, or a folder of them.
        labels: A file with one label a line, or the labels.
        normalize: What pixels of 0 to 255 become: `0..255` (default), `0..1`, `-1..1`, `imagenet` or `MEAN/STD`.
        channels: Order of colours that the model was trained on, `rgb` (default) or `bgr`.
        resize: How the device brings pictures to the model's size: `stretch` (default), `letterbox` or `crop`.
        description: A sentence for the file's metadata.
        runtime: The interpreter that will load the file: `litert`, `tflite-2.14`, `tflite-2.8`, `tflite-2.7`, or
            `edgetpu` for the Edge TPU's compiler; by default the target's. A file that it cannot load is refused.
        keep: Names of rewritten forms (`edgekit_converters.cures.CURES`) that are not wanted.
        allow_float: Take a model of which a part stays float, where all of it was to be quantized.
        replace: Activations to put in the place of others that the target lacks, such as `{"gelu": "silu"}` or
            `["gelu=silu"]`. This changes what the model computes: measure it, or train it some more.
        require_full_mapping: Refuse a model of which an operation stays off the accelerator.
        move_to_host: Leave resizes and argmax at the end of the model out of the network: EdgeKit computes them on the
            device's processor, from the network's outputs. Other runtimes do not.
        input_shape: Sizes of inputs that the model leaves open, the batch left out: `(224, 224, 3)`, a dict of such
            tuples by input name, or text, `"224,224,3"` or `"image=224,224,3"`. What a subclassed model takes, too.
        custom_objects: Classes and functions of your own that a model file names, as `"module:Name"`,
            `"folder/file.py:Name"`, or the module alone for all in it. The module is imported in the child process.
        calibrator: How the ranges of int8 tensors are chosen: `auto` (default) tries the others on samples that it
            holds back, with and without corrected biases; `minmax`, `percentile-99.999`, `percentile-99.99`,
            `percentile-99.9`, `mse` (least squared error) or `entropy` (least Kullback-Leibler divergence).
        evaluate: Data to measure the accuracy on, against the float model: a folder of pictures by class, an `.npz`
            with `x` and `y`, a `.csv` with a target column, COCO annotations; or data without labels.
        max_drop: What may be lost on it: `0.5%` are points of the task's metric (of an error such as RMSE, percent of
            the float model's); `30dB` an SQNR of 30 dB at least, for data without labels. Where more is lost, other
            ways to quantize are tried (docs/accuracy.md), and if none does, nothing is written.
        target_column: Column of a `.csv`, or array of an `.npz`, that holds the labels.
        group_by: Columns, arrays, or `folder:LEVEL`, to give each metric by group.
        report: Folder to write a report into (docs/reports.md): a page, the same as JSON, and a model card.
        card: Markdown text for the report: intended use, limits, where the data is from.
        progress: Called now and then with what is being done.
        debug: Let the converter's own log through to standard error.

    Returns:
        What was made, with warnings and the agreement with the float model.

    Raises:
        UsageError: an option that does not exist, or options that do not go together.
        MissingFileError: the model, the labels or the calibration data are not there.
        ModelFileError: the file is no Keras model, is damaged, or holds code.
        DataError: the calibration data or the labels do not fit the model.
        ConversionError: the model cannot be converted, or loses more accuracy than may be.
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
        channels=channels, resize=resize, description=description, runtime=runtime, keep=keep,
        allow_float=allow_float, replace=replace, require_full_mapping=require_full_mapping,
        move_to_host=move_to_host, input_shape=input_shape, custom_objects=custom_objects,
        calibrator=calibrator, head=head, head_options=head_options,
        windows=windows, also=also,
    )
    gate = check_gate(evaluate, max_drop, target_column, group_by)
    planned = plan_report(report, card)
    source = examined(model)
    if options.calibrated and calibration is None:
        raise UsageError(
            f"{options.precision} needs calibration data: samples that show which values the model meets",
            hint="Give a folder of pictures, an .npz or a .csv as calibration (50 to 200 samples), or choose "
            "precision 'dynamic' or 'float16', which need none.",
        )
    stem = source.path.resolve().stem if source else getattr(model, "name", "model")
    path = Path(fspath(output)) if output is not None else Path(f"{stem}.tflite")
    outputs = check_outputs(path, options, calibration, model, labels, evaluate)
    with prepared(model, source, options, calibration, gate=gate, study=planned is not None) as ready:
        conversion: Conversion = ready.run(progress, debug=debug)
        write_outputs(outputs, conversion, ready.job.folder)
        conversion = finished(conversion, path, time.monotonic() - started)
        if planned is not None:
            planned.write(conversion, ready.job.folder)
    return conversion
