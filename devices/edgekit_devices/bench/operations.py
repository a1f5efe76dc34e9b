"""How long each operation of a network takes on the processor, each run alone.

The runtime's Python interface has no profiler. So each operation is cut out of the file as a model of its own
(`edgekit.tflite.alone`), which the runtime opens as it opens the whole, with XNNPACK where that takes it, and it is run
on the values that it gets in the whole network.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from edgekit.costs import macs_of
from edgekit.errors import DeviceError
from edgekit.interpreter import import_runtime
from edgekit.tflite import ModelFile, Operator
from edgekit.tflite.alone import Alone
from edgekit_devices.bench.types import Operation, Operations

WARM_UP = 2
FEWEST, MOST = 5, 50
"""Runs of an operation."""
WHOLE_SHARE = 0.2
"""Of the time, for the whole network."""
MEMORY_SHARE = 3
"""All values between operations may take one part in so many of the memory that is free."""

Progress = Callable[[int, int], None]
"""Told the number of the operation that comes next, and how many there are."""


def measure_operations(file: ModelFile, *, threads: int, reference: bool, seconds: float, most: int) -> Operations:
    """Time every operation of a model's main graph.

    Args:
        file: The model, uncompiled.
        threads: Threads of the processor.
        reference: Whether the reference kernels are to compute.
        seconds: What all of them may take, about; each is run 5 times at least.
        most: Runs of each.

    Raises:
        DeviceError: the runtime refuses the model, or there is too little memory for the values between operations.
    """
    _check_memory(file)
    resolver = "BUILTIN_REF" if reference else "AUTO"
    try:
        given, whole = _values(file), _open(threads, resolver, model_path=file.path)
    except (ValueError, RuntimeError) as error:
        raise DeviceError(f"the network does not run by itself: {str(error).strip().partition(chr(10))[0]}") from error
    alone, limit = Alone(file), seconds * (1 - WHOLE_SHARE) / max(1, len(file.main.operators))

    def timed(operator: Operator) -> Operation:
        macs, shape = macs_of(operator, file.main), file.main.tensors[operator.outputs[0]]
        try:
            runner = _open(threads, resolver, model_content=alone.model(operator))
            for index in alone.inputs(operator):
                runner.set_tensor(index, given.get_tensor(index))
            fastest = _fastest(runner, limit, most)
        except (ValueError, RuntimeError):  # it reads what others keep, or its shapes are known in the whole alone
            fastest = None
        return Operation(operator.index, operator.label, shape.name, shape.static_shape, macs, fastest)

    for entry in whole.get_input_details():
        whole.set_tensor(entry["index"], given.get_tensor(entry["index"]))
    return Operations(tuple(map(timed, file.main.operators)), _fastest(whole, seconds * WHOLE_SHARE, most))


def _check_memory(file: ModelFile) -> None:
    tensors = (tensor for tensor in file.main.tensors if not tensor.constant)
    needed = sum(prod(tensor.static_shape) * np.dtype(tensor.dtype).itemsize for tensor in tensors)
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed * MEMORY_SHARE > free:
        raise DeviceError(
            f"the values between operations take {needed / 2**20:,.0f} MiB, too much for the {free / 2**20:,.0f} free"
        )


def _values(file: ModelFile) -> Any:
    """The network, run once on noise with every value between operations kept; without delegates, which hide them."""
    runner = _open(1, "BUILTIN_WITHOUT_DEFAULT_DELEGATES", model_path=file.path, experimental_preserve_all_tensors=True)
    generator = np.random.default_rng(0)
    for entry in runner.get_input_details():
        runner.set_tensor(entry["index"], _noise(generator, entry["shape"], np.dtype(entry["dtype"])))
    runner.invoke()
    return runner


def _noise(generator: np.random.Generator, shape: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return generator.random(shape).astype(dtype)
    if dtype.itemsize == 1 and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return np.zeros(shape, dtype)  # indices, or flags


def _open(threads: int, resolver: str, **options: Any) -> Any:
    runtime = import_runtime()
    runner = runtime.Interpreter(
        num_threads=threads, experimental_op_resolver_type=runtime.OpResolverType[resolver], **options
    )
    runner.allocate_tensors()
    return runner


def _fastest(runner: Any, seconds: float, most: int) -> float:
    """The shortest of some runs in milliseconds: what comes between is the system's, and only ever adds."""
    for _ in range(WARM_UP):
        runner.invoke()
    begun, times = time.perf_counter(), list[float]()
    while len(times) < min(FEWEST, most) or (len(times) < min(MOST, most) and time.perf_counter() - begun < seconds):
        started = time.perf_counter()
        runner.invoke()
        times.append(time.perf_counter() - started)
    return min(times) * 1000
