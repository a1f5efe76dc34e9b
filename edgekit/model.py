"""A `.tflite` file, opened on a device: pictures or numbers in, results out."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edgekit import host
from edgekit.choices import one_of
from edgekit.device import Runner
from edgekit.errors import DataError
from edgekit.failover.announcing import Listener
from edgekit.failover.ladder import Ladder, Seat
from edgekit.inputs import Input, InputAdapter, arrange_inputs
from edgekit.metadata.types import (
    ColourOrder,
    Metadata,
    Window,
)
from edgekit.quantization import Scale, dequantize
from edgekit.results import Latency, Result
from edgekit.tasks import Output, Task
from edgekit.tasks.interpreting import interpret
from edgekit.windows.validity import Policy

MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True)
class Parts:
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
    ladder: Ladder
    seats: Mapping[str, Seat]
    runners: Mapping[str, Runner]
    """Each goes through the seat of its name."""
    copy: TemporaryDirectory[str] | None
    """Where the file lies that the devices open, where that is not the one at `path`."""
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

    seat: Seat
    runner: Runner
    prepare: Preparation
    lock: threading.Lock = field(default_factory=threading.Lock)

    def infer(self, prepared: Prepared) -> _Inferred:
        started = time.perf_counter()
        raw = self.runner.run(prepared.tensors)
        return _Inferred(raw, self.seat.name, prepared, (time.perf_counter() - started) * MILLISECONDS)


class Model:
    """A model that is ready to run. Made by `load`; calls from several threads wait for one another.

    Where it runs on several chips, calls take them in turn, and as many as `parallel` says run at once.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._names = tuple(tensor.name for tensor in parts.inputs)
        workers = [
            _Worker(parts.seats[name], runner, self.preparation()) for name, runner in parts.runners.items()
        ]
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

    def events_to(self, listener: Listener) -> AbstractContextManager[None]:
        """Call this with each event of the devices, such as `hung`, while the context lasts.

        It is called from the thread in which the event happens. Events that nobody listens to are Python warnings.
        Their kinds: `edgekit.failover.ladder`.
        """
        return self._parts.ladder.announcer.heard_by(listener)

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
        """What the model runs on now, such as `cpu`; a result's own device says what it came from."""
        return self._parts.ladder.name

    @property
    def device_reason(self) -> str:
        """Why `auto` chose the device, in one line; empty where the device was named."""
        return self._parts.ladder.reason

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
