"""The device `cpu`: the processor, which needs no package. As `cpu:reference`, its reference kernels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

from edgekit.choosing.threads import best_threads
from edgekit.device import CPU, Option, Request
from edgekit.errors import UsageError
from edgekit.interpreter import Engine, import_runtime
from edgekit.tflite import ModelFile
from edgekit.twin import cpu_twin_of, find_cpu_twin, find_twin, read_twin, twin_name

REFERENCE: Final = "reference"
"""Slow kernels without XNNPACK. An int8 model gives the same bits with them on every processor, as long as the runtime
is of the same version: for golden tests."""

THREADED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL"})
"""Operations that several threads compute together, as the runtime names them."""


@dataclass(frozen=True, slots=True)
class Processor:
    """What `cpu` stands for."""

    options: tuple[Option, ...] = ()

    def check(self, spec: str) -> None:
        """See that the spec is `reference`, or nothing.

        Raises:
            UsageError: it is something else.
        """
        if spec not in ("", REFERENCE):
            raise UsageError(
                f"device cannot be '{CPU}:{spec}'",
                hint=f"Write {CPU}, or {CPU}:{REFERENCE} for kernels that give the same bits on every processor.",
            )

    def open(self, request: Request) -> dict[str, Engine]:
        """Open a model; of one that is compiled for the Edge TPU its uncompiled twin, where other devices are named
        too, and of one for a GPU the int8 file beside it, unless this device alone was named.

        Raises:
            UsageError: it is compiled, and this device alone was named.
            ModelFileError: the runtime cannot run it.
        """
        path = request.model.path
        if request.model.is_edgetpu:
            path = _twin_of(request)
            warnings.warn(f"{CPU} runs {path}, the uncompiled twin of {request.model.label}", stacklevel=4)
        elif request.fallback:
            path = _made_for_cpu(request.model)
        return {request.name: _open(path, request)}


PROCESSOR = Processor()


def _open(path: str, request: Request) -> Engine:
    if request.spec == REFERENCE:
        return Engine(path, threads=request.threads or 1, keeps_state=request.keeps_state, kernels=REFERENCE)
    engine = Engine(path, threads=request.threads or best_threads(path), keeps_state=request.keeps_state)
    if request.threads and request.threads > 1:
        _warn_without_xnnpack(engine, request.model.label)
    return engine


def _warn_without_xnnpack(engine: Engine, label: str) -> None:
    """Say that the threads that the user asked for may do harm."""
    left = {name: count for name, count in engine.without_delegate().items() if name in THREADED}
    if left:
        kinds = ", ".join(f"{name}{f' x{count}' if count > 1 else ''}" for name, count in left.items())
        warnings.warn(
            f"{label}: {engine.threads} threads compute {kinds} without XNNPACK, which can take 20 times as long as "
            f"one thread. Leave out the number of threads, and EdgeKit measures which is faster{_cure()}",
            stacklevel=5,
        )


def _cure() -> str:
    if import_runtime().__name__.startswith("tflite_runtime"):
        return "; or install ai-edge-litert, whose XNNPACK takes quantized operations too."
    return ". XNNPACK also takes nothing where /proc/cpuinfo or /sys/devices/system/cpu cannot be read."


def _made_for_cpu(model: ModelFile) -> str:
    """The int8 file beside a model that was converted for a GPU, where there is one; else the model."""
    twin, path = find_cpu_twin(model), cpu_twin_of(model.path)
    if twin:
        warnings.warn(f"{CPU} runs {twin.path}, the file for the processor beside {model.label}", stacklevel=5)
        return twin.path
    if path.is_file():
        warnings.warn(f"{path} was not made together with {model.label}, and is not taken in its place", stacklevel=5)
    return model.path


def _twin_of(request: Request) -> str:
    """The uncompiled twin, for one who named the processor beside other devices; one who named it alone decides."""
    if request.fallback:
        return read_twin(request.model).path
    twin = find_twin(request.model.path)
    raise UsageError(
        "the model is compiled for the Edge TPU and cannot run on the cpu",
        hint=f"Run {twin}, which lies beside it, or use --device coral." if twin
        else "Use --device coral, or the file that it was compiled from"
        + (f" ({twin_name(request.model.path)})." if twin_name(request.model.path) else "."),
    )
