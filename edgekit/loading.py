"""From a `.tflite` file and what the user says of it to a model that is ready to run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import get_args

import numpy as np

from edgekit import host
from edgekit import metadata as metadata_files
from edgekit.choices import check_count, one_of
from edgekit.device import DEFAULT_SECONDS, check_timeout, open_device
from edgekit.errors import ModelFileError, UsageError
from edgekit.inputs import ImageOptions, Input, check_options, image_spec
from edgekit.interpreter import MOST_THREADS
from edgekit.labels import read_labels
from edgekit.metadata.types import (
    ColourOrder,
    InputMetadata,
    Metadata,
    Normalization,
    OutputMetadata,
    ResizeRule,
)
from edgekit.model import Model, Parts
from edgekit.normalization import FORMS, parse_normalization
from edgekit.onnx import is_onnx, read_onnx
from edgekit.quantization import scale_of
from edgekit.state import carried, check_states
from edgekit.tasks import Output, Settings, prepare_task
from edgekit.tasks.enrolled import enrolled_for
from edgekit.tasks.interpreting import check_alone
from edgekit.tflite import ModelFile, Tensor, read_model
from edgekit.tflite.cutting import as_file, cut_pose_decoder
from edgekit.windows.spec import WindowOptions, model_windows

NUMERIC_KINDS = "buif"


def load(
    path: str | PathLike[str],
    *,
    device: str = "auto",
    device_options: Mapping[str, object] | None = None,
    inference_timeout: float = DEFAULT_SECONDS,
    threads: int | None = None,
    task: str | None = None,
    head: str | None = None,
    head_options: Mapping[str, object] | None = None,
    labels: str | PathLike[str] | Sequence[str] | None = None,
    normalize: str | Normalization | None = None,
    channels: ColourOrder | None = None,
    resize: ResizeRule | None = None,
    top: int | None = None,
    score: float | None = None,
    iou: float = 0.5,
    enrolled: str | PathLike[str] | None = None,
    windows: WindowOptions | None = None,
) -> Model:
    """Open a model file on a device.

    What the file's metadata says holds unless an argument says otherwise. A file without metadata runs too.

    Args:
        path: A `.tflite` file; or an `.onnx` file, which takes onnxruntime (docs/tensorrt.md).
        device: `auto` (the Edge TPU for a file compiled for it, else the fastest of what is attached and the
            processor; see docs/devices.md), `cpu`, `cpu:reference` (slow, the same bits everywhere), `coral`,
            `coral:usb:0`, `coral:all`, `gpu`, or what an installed package registered under `edgekit.devices`.
            Several, separated by commas, are tried in turn: `coral,cpu`.
        device_options: Options of the device, by name, such as `{"Performance": "High"}`.
        inference_timeout: Longest that one inference may take on an accelerator, in seconds, above 0: one that hangs
            is opened again, and then the next device; see docs/devices.md.
        threads: Threads of the processor, from 1 to 256; by default one fewer than its cores, at most 4, or one
            where a short trial shows that this is as fast.
        task: `classification`, `detection`, `segmentation`, `pose`, `embedding`, `depth`, `image` or `values`; by
            default what the file says, else what the outputs leave no doubt of.
        head: The form in which the outputs give the task's answer, such as `yolov8`; see docs/tasks.md.
        head_options: What the head has to know besides, by name.
        labels: Class names, or a file of them.
        normalize: How pixels are normalized: `0..1`, `-1..1`, `0..255`, `imagenet`, `MEAN/STD`, or a value.
        channels: Order in which the network takes the colours; by default `rgb`.
        resize: How pictures of another shape are fitted: `stretch` (default), `letterbox` or `crop`.
        top: How many classes or objects to name, from 1; by default 5 classes, or 100 objects.
        score: The least score of an object, from 0 to 1; by default the head's own.
        iou: Boxes of a class that overlap by more (intersection over union) are one object; from 0 to 1.
        enrolled: A file of labels that `edgekit enroll` made with this model: the nearest ones are named.
        windows: Which windows of a stream the model takes, where that is not what the file says.

    Raises:
        MissingFileError: there is no such model or labels file.
        ModelFileError: the file is no model, is damaged, or holds what this runtime cannot run.
        UsageError: an argument that is unknown or does not go with the model.
        DataError: labels that are not one for each class.
        DeviceError: the accelerator is absent, or refuses.
        MissingDependencyError: no TensorFlow Lite runtime is installed.
    """
    if threads is not None:
        check_count("threads", threads, MOST_THREADS)
    check_timeout(inference_timeout)
    options = _image_options(normalize, channels, resize)
    file = read_onnx(path) if is_onnx(path) else read_model(path)
    about = metadata_files.read(file)
    check_states(file, about)
    file, without_decoder = cut_pose_decoder(file)
    outputs = _outputs(file, about, _labels(labels))
    inputs = _inputs(file, about, options)
    name, ready = prepare_task(
        outputs, about, size=_picture_size(inputs), task=task, head=head, labelled=labels is not None,
        settings=Settings(top, score, iou, head_options or {}, enrolled_for(path, enrolled)),
    )
    runnable, copy = as_file(file, without_decoder)
    ladder = open_device(
        runnable, device, options=device_options, threads=threads, keeps_state=about.keeps_state,
        seconds=inference_timeout, target=about.target,
    )
    seats = ladder.seats()
    check_alone(ready, name, len(seats))
    positions = about.data_outputs(len(file.outputs))
    parts = Parts(
        path=Path(path), metadata=about, inputs=inputs, outputs=outputs,
        scales=tuple(scale_of(file.outputs[at], file.label) for at in positions),
        last_parts=tuple(_last_part(file, about, at) for at in positions),
        task_name=name, task=ready, ladder=ladder, copy=copy,
        seats=seats, runners=carried(seats, file, about),
        windows=model_windows(windows, about, inputs), invalid=windows.invalid if windows else "drop",
    )
    return Model(parts)


def _picture_size(inputs: Sequence[Input]) -> tuple[int, int]:
    """Width and height of the first picture that a model takes; 0 where it takes none."""
    return next(((tensor.image.width, tensor.image.height) for tensor in inputs if tensor.image), (0, 0))


def _image_options(
    normalize: str | Normalization | None, channels: ColourOrder | None, resize: ResizeRule | None
) -> ImageOptions:
    """What the user says of pictures, where it exists."""
    if channels is not None:
        one_of("channels", channels, get_args(ColourOrder))
    if resize is not None:
        one_of("resize", resize, get_args(ResizeRule))
    return ImageOptions(_normalization(normalize), channels, resize)


def _normalization(given: str | Normalization | None) -> Normalization | None:
    if given is None or isinstance(given, Normalization):
        return given
    if isinstance(given, str):
        return parse_normalization(given)
    raise UsageError(f"normalize cannot be {given!r}", hint=f"{FORMS} Or give an edgekit.Normalization.")


def _labels(labels: str | PathLike[str] | Sequence[str] | None) -> tuple[str, ...]:
    if labels is None:
        return ()
    if isinstance(labels, (str, PathLike)):
        return read_labels(labels)
    names = tuple(labels) if isinstance(labels, Iterable) else (labels,)
    wrong = next((name for name in names if not isinstance(name, str)), None)
    if wrong is not None:
        raise UsageError(f"labels hold {wrong!r}, which is no name", hint="Give a list of strings, or a labels file.")
    return names


def _inputs(file: ModelFile, about: Metadata, options: ImageOptions) -> tuple[Input, ...]:
    said = (*about.inputs, *[InputMetadata()] * len(file.inputs))
    plain = list(_plain_inputs(file))
    inputs = tuple(
        replace(plain[at], image=image_spec(plain[at], said[at], options, about.origin))
        for at in about.data_inputs(len(plain))
    )
    check_options(options, inputs)
    return inputs


def _plain_inputs(file: ModelFile) -> Iterator[Input]:
    """The inputs as tensors of numbers."""
    for tensor, name in zip(file.inputs, file.input_names, strict=True):
        _check_tensor(file, tensor, name)
        yield Input(name, tensor.static_shape, tensor.dtype, scale_of(tensor, file.label))


def _check_tensor(file: ModelFile, tensor: Tensor, name: str) -> None:
    if -1 in tensor.shape[1:] or (tensor.shape and tensor.shape[0] > 1):
        raise ModelFileError(
            f"{file.label}: input {name} has shape {list(tensor.shape)}, and only a batch of 1 whose other "
            "dimensions are fixed can be run",
            hint="Convert the model again with a fixed input shape.",
        )
    _check_type(file, tensor, name)


def _check_type(file: ModelFile, tensor: Tensor, name: str) -> None:
    try:
        numeric = np.dtype(tensor.dtype).kind in NUMERIC_KINDS
    except TypeError:
        numeric = False
    if not numeric:
        raise ModelFileError(f"{file.label}: tensor {name} is of type {tensor.dtype}, which holds no numbers")


def _outputs(file: ModelFile, about: Metadata, labels: tuple[str, ...]) -> tuple[Output, ...]:
    said = (*about.outputs, *[OutputMetadata()] * len(file.outputs))
    positions = about.data_outputs(len(file.outputs))
    return tuple(
        _output(file, at, replace(said[at], labels=labels) if labels and first else said[at])
        for at, first in zip(positions, (True, *[False] * len(positions)), strict=False)
    )


def _output(file: ModelFile, position: int, said: OutputMetadata) -> Output:
    tensor, name = file.outputs[position], file.output_names[position]
    _check_type(file, tensor, name)
    return host.output_of(file, position, said)


def _last_part(file: ModelFile, about: Metadata, position: int) -> tuple[host.Computation, ...]:
    steps = about.outputs[position].host if position < len(about.outputs) else ()
    return host.prepare(steps, file.outputs[position].static_shape, file.label)
