"""A `.tflite` file, opened on a device: pictures or numbers in, results out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import cycle
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edgekit import host
from edgekit import metadata as metadata_files
from edgekit.choices import check_count, one_of
from edgekit.device import Runner, open_device
from edgekit.errors import DataError, ModelFileError, UsageError
from edgekit.inputs import ImageOptions, Input, InputAdapter, arrange_inputs, check_options, image_spec
from edgekit.interpreter import MOST_THREADS
from edgekit.labels import read_labels
from edgekit.metadata.types import (
    ColourOrder,
    InputMetadata,
    Metadata,
    Normalization,
    OutputMetadata,
    ResizeRule,
    Window,
)
from edgekit.normalization import FORMS, parse_normalization
from edgekit.quantization import Scale, dequantize, scale_of
from edgekit.results import Latency, Result
from edgekit.state import carried, check_states
from edgekit.tasks import Output, Settings, Task, prepare_task
from edgekit.tasks.enrolled import enrolled_for
from edgekit.tasks.interpreting import check_alone, interpret
from edgekit.tflite import ModelFile, Tensor, read_model
from edgekit.tflite.cutting import as_file, cut_pose_decoder
from edgekit.windows.spec import WindowOptions, model_windows
from edgekit.windows.validity import Policy

NUMERIC_KINDS = "buif"
MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a model is made of, put together by `load`."""

    path: Path
    metadata: Metadata
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    scales: tuple[Scale | None, ...]
    last_parts: tuple[tuple[host.Computation, ...], ...]
    """For each output what is computed here, left out of the network."""
    task_name: str
    task: Task
    device: str
    runners: Mapping[str, Runner]
    windows: tuple[Window | None, ...]
    """For each input the windows of a stream that it takes."""
    invalid: Policy


@dataclass(frozen=True, slots=True)
class Prepared:
    """One sample, ready for the network.

    Attributes:
        tensors: One array for each input, valid until what prepared it prepares the next.
        data: The sample as it was given; results point back into it.
        milliseconds: What preparing it took.
        channels: Order of the colours of `data`.
    """

    tensors: list[NDArray[Any]]
    data: Any
    milliseconds: float
    channels: ColourOrder = "rgb"


class Preparation:
    """Brings samples to the input tensors of a model, in buffers of its own. For one thread at a time."""

    def __init__(self, inputs: tuple[Input, ...]) -> None:
        self._adapters = tuple(InputAdapter(tensor, alone=len(inputs) == 1) for tensor in inputs)
        self._names = tuple(tensor.name for tensor in inputs)

    def __call__(self, data: Any, channels: ColourOrder = "rgb") -> Prepared:
        """Prepare one sample, as a call of the model takes it.

        Raises:
            DataError: data of a shape or type that the model does not take, NaN or infinity.
            UsageError: pixels for a model of unknown normalization.
        """
        started = time.perf_counter()
        values = arrange_inputs(data, self._names)
        tensors = [adapter(value, channels) for adapter, value in zip(self._adapters, values, strict=True)]
        return Prepared(tensors, data, (time.perf_counter() - started) * MILLISECONDS, channels)


@dataclass(frozen=True, slots=True)
class _Inferred:
    """What the network made of one sample, in its own numbers."""

    raw: list[NDArray[Any]]
    device: str
    prepared: Prepared
    milliseconds: float


@dataclass(frozen=True, slots=True)
class _Worker:
    """One of those that run a model, with what prepares data for it where nobody else does."""

    name: str
    runner: Runner
    prepare: Preparation
    lock: threading.Lock = field(default_factory=threading.Lock)

    def infer(self, prepared: Prepared) -> _Inferred:
        started = time.perf_counter()
        raw = self.runner.run(prepared.tensors)
        return _Inferred(raw, self.name, prepared, (time.perf_counter() - started) * MILLISECONDS)


class Model:
    """A model that is ready to run. Made by `load`; calls from several threads wait for one another.

    Where it runs on several chips, calls take them in turn, and as many as `parallel` says run at once.
    """

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts
        self._names = tuple(tensor.name for tensor in parts.inputs)
        workers = [_Worker(name, runner, self.preparation()) for name, runner in parts.runners.items()]
        self._turns = cycle(workers)

    def __call__(self, data: Any, *, channels: ColourOrder = "rgb") -> Result:
        """Run the model on one sample.

        Args:
            data: For a model that takes a picture, its pixels: uint8 of shape (H, W), (H, W, 1), (H, W, 3) or
                (H, W, 4), of any size, prepared as the model's metadata says. For any model, real numbers of
                the input's shape, with or without the batch dimension, which are quantized where the model
                is; those of a picture are normalized already. For a model with several inputs, a mapping by
                input name, or a list in their order.
            channels: Order of a picture's colours: `rgb`, or `bgr` as OpenCV has them.

        Returns:
            The task's result, such as a `Classification`; it counts as captured at the moment of the call.

        Raises:
            DataError: data of a shape or type that the model does not take, NaN or infinity.
            UsageError: pixels for a model of unknown normalization, or an order of colours that does not exist.
            DeviceError: the device failed.
        """
        one_of("channels", channels, get_args(ColourOrder))
        captured, now = time.monotonic(), datetime.now(timezone.utc)
        worker = next(self._turns)
        with worker.lock:
            inferred = worker.infer(worker.prepare(data, channels))
        return replace(self._interpret(inferred), captured=captured, time=now)

    def preparation(self) -> Preparation:
        """What prepares samples for `run_prepared`, so that another thread can do it while the network runs."""
        return Preparation(self._parts.inputs)

    def run_prepared(self, prepared: Prepared) -> Result:
        """Run the network on what a `preparation` of this model made, and interpret what comes out.

        Raises:
            DeviceError: the device failed.
        """
        worker = next(self._turns)
        with worker.lock:
            inferred = worker.infer(prepared)
        return self._interpret(inferred)

    def _interpret(self, inferred: _Inferred) -> Result:
        started, parts = time.perf_counter(), self._parts
        outputs = [_finish(*output) for output in zip(inferred.raw, parts.scales, parts.last_parts, strict=True)]
        result = interpret(parts.task, outputs, inferred.device, parts.inputs, inferred.prepared.data)
        spent = (time.perf_counter() - started) * MILLISECONDS
        return replace(result, latency=Latency(inferred.prepared.milliseconds, inferred.milliseconds, spent))

    def tensors(self, *tensors: NDArray[Any]) -> list[NDArray[Any]]:
        """Run the network on tensors as they are, with neither preparation nor interpretation.

        Args:
            tensors: One array for each input, of its shape and type.

        Returns:
            The output tensors as the network gives them, quantized where the model is, in the order of the model's
            outputs.

        Raises:
            DataError: an array is missing, or of another shape or type.
            DeviceError: the device failed.
        """
        if len(tensors) != len(self.inputs):
            raise DataError(f"the model takes {len(self.inputs)} tensors ({', '.join(self._names)})")
        for tensor, array in zip(self.inputs, tensors, strict=True):
            if array.shape != tensor.shape or array.dtype != tensor.dtype:
                raise DataError(
                    f"input {tensor.name} takes {tensor.dtype} of shape {list(tensor.shape)}, "
                    f"not {array.dtype} of shape {list(array.shape)}"
                )
        worker = next(self._turns)
        with worker.lock:
            return worker.runner.run(tensors)

    def reset(self) -> None:
        """Forget earlier samples: a model that takes a stream piece by piece starts anew. Does nothing to others."""
        for runner in self._parts.runners.values():
            runner.reset()
        reset = getattr(self._parts.task, "reset", None)
        if reset is not None:
            reset()

    @property
    def remembers(self) -> bool:
        """Whether an answer depends on earlier samples: the model takes a stream piece by piece, or its task does."""
        of_task = bool(getattr(self._parts.task, "remembers", False))
        return bool(self.metadata.states) or self.metadata.keeps_state or of_task

    @property
    def path(self) -> Path:
        """The model file."""
        return self._parts.path

    @property
    def metadata(self) -> Metadata:
        """What the file says of its model."""
        return self._parts.metadata

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the model takes."""
        return self._parts.inputs

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the model gives, before the task interprets it: after what the device computes for the network."""
        return self._parts.outputs

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the first output's classes; empty where there are none."""
        return self._parts.outputs[0].labels

    @property
    def task(self) -> str:
        """Name of the task."""
        return self._parts.task_name

    @property
    def windows(self) -> tuple[Window | None, ...]:
        """For each input the windows of a stream that it takes; None where it takes none."""
        return self._parts.windows

    @property
    def invalid(self) -> Policy:
        """What becomes of values of a stream that are NaN or out of range: `drop`, `hold` or `refuse`."""
        return self._parts.invalid

    @property
    def device(self) -> str:
        """What the model runs on, such as `cpu`; a result's own device says which one, where there are several."""
        return self._parts.device

    @property
    def parallel(self) -> int:
        """How many samples it runs at once, called from as many threads: 1 but where several chips share the work."""
        return len(self._parts.runners)

    @property
    def threads(self) -> int:
        """Threads of the processor that it may use."""
        return next(iter(self._parts.runners.values())).threads

    def __repr__(self) -> str:
        return f"<Model {self.path.name}: {self.task} on {self.device}>"


def load(
    path: str | PathLike[str],
    *,
    device: str = "auto",
    device_options: Mapping[str, object] | None = None,
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
        path: A `.tflite` file.
        device: `auto` (the Edge TPU for a file compiled for it, else the processor), `cpu`, `coral`,
            `coral:usb:0`, `coral:all`, or what an installed package registered under `edgekit.devices`. Several,
            separated by commas, are tried in turn: `coral,cpu`.
        device_options: Options of the device, by name, such as `{"Performance": "High"}`.
        threads: Threads of the processor, from 1 to 256; by default one fewer than its cores, at most 4.
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
    options = _image_options(normalize, channels, resize)
    file = read_model(path)
    about = metadata_files.read(file)
    check_states(file, about)
    file, without_decoder = cut_pose_decoder(file)
    outputs = _outputs(file, about, _labels(labels))
    inputs = _inputs(file, about, options)
    name, ready = prepare_task(
        outputs, about, size=_picture_size(inputs), task=task, head=head, labelled=labels is not None,
        settings=Settings(top, score, iou, head_options or {}, enrolled_for(path, enrolled)),
    )
    with as_file(file, without_decoder) as runnable:
        opened = open_device(runnable, device, options=device_options, threads=threads, keeps_state=about.keeps_state)
    check_alone(ready, name, len(opened.runners))
    positions = about.data_outputs(len(file.outputs))
    parts = _Parts(
        path=Path(path), metadata=about, inputs=inputs, outputs=outputs,
        scales=tuple(scale_of(file.outputs[at], file.label) for at in positions),
        last_parts=tuple(_last_part(file, about, at) for at in positions),
        task_name=name, task=ready, device=opened.name,
        runners=carried(opened.runners, file, about),
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


def _finish(
    array: NDArray[Any], scale: Scale | None, last_part: tuple[host.Computation, ...]
) -> NDArray[np.float32]:
    """An output as its users see it."""
    return host.apply(last_part, _real(array, scale))


def _real(array: NDArray[Any], scale: Scale | None) -> NDArray[np.float32]:
    if scale:
        return dequantize(array, scale)
    with np.errstate(all="ignore"):  # a float64 beyond float32 is infinite, as the result then says
        return array.astype(np.float32, copy=False)
