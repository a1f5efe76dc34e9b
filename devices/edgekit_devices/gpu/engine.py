"""A model on the GPU, by LiteRT's CompiledModel. In a child process only: it holds Python's lock, and it may die."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DeviceError, ModelFileError
from edgekit.tflite import ModelFile, Tensor, read_model
from edgekit_devices.gpu import diagnosis
from edgekit_devices.gpu.agreement import check_agreement
from edgekit_devices.gpu.vulkan import enumerate_adapters
from edgekit_devices.isolation import Say

STDERR = 2
_PARTLY = "not accelerated"
"""Among the runtime's words where it may use the GPU alone, which takes not all of the model."""


class GpuEngine:
    """A model that is compiled for the GPU. For one thread.

    Args:
        model: The file.
        threads: Threads of the processor for what the GPU does not take.
        exact: Whether the GPU has to compute in float32; else in float16 where it can.

    Attributes:
        whole: Whether all of the model runs on the GPU.

    Raises:
        DeviceError: the GPU or the runtime refuses the model.
    """

    def __init__(self, model: ModelFile, *, threads: int, exact: bool) -> None:
        self.threads, self._model = threads, model
        try:
            self._compiled = _compile(model.path, threads, exact)
            self.whole = bool(self._compiled.is_fully_accelerated())
        except RuntimeError as error:
            if _PARTLY not in str(error):
                raise _refused(error) from error
            self._compiled, self.whole = self._compile_partly(exact), False
        self._bind()

    def _compile_partly(self, exact: bool) -> Any:
        try:
            return _compile(self._model.path, self.threads, exact, partly=True)
        except RuntimeError as error:
            raise _refused(error) from error

    def _bind(self) -> None:
        """Make the buffers, and find which belongs to which tensor: a signature may order them otherwise."""
        compiled, graph = self._compiled, self._model.main
        for key, names in compiled.get_signature_list().items():
            inputs = _numbers(names["inputs"], compiled.get_input_tensor_details(key))
            outputs = _numbers(names["outputs"], compiled.get_output_tensor_details(key))
            if set(inputs) == set(graph.inputs) and set(outputs) == set(graph.outputs):
                break
        else:
            raise DeviceError("LiteRT's GPU runtime sees other inputs or outputs than the file has")
        self._signature = compiled.get_signature_index(key)
        given, made = compiled.create_input_buffers(self._signature), compiled.create_output_buffers(self._signature)
        self._given = [given[inputs.index(number)] for number in graph.inputs]
        self._made = [made[outputs.index(number)] for number in graph.outputs]
        self._all = given, made
        shapes = _shapes(compiled.get_output_tensor_details(key))
        self._forms = [_form(tensor, shapes[tensor.index]) for tensor in self._model.outputs]

    def zeros(self) -> list[NDArray[Any]]:
        """Arrays of zeros, of the shapes and types that the inputs have."""
        return [np.zeros(tensor.static_shape, tensor.dtype) for tensor in self._model.inputs]

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """As `edgekit.interpreter.Engine.run`.

        Raises:
            DeviceError: the runtime says that the GPU failed.
        """
        try:
            # As bytes: the buffers of Python know fewer types than the runtime has.
            for buffer, array in zip(self._given, inputs, strict=True):
                buffer.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
            self._compiled.run_by_index(self._signature, *self._all)
            return [
                buffer.read(prod(shape) * dtype.itemsize, np.uint8).view(dtype).reshape(shape)
                for buffer, (shape, dtype) in zip(self._made, self._forms, strict=True)
            ]
        except RuntimeError as error:
            raise DeviceError(f"the GPU failed while it ran the model: {_said(error)}") from error

    def reset(self) -> None:
        """Nothing outlives a run: models with variables are refused."""


def open_engine(
    say: Say, *, model: str, log: str, threads: int, exact: bool, checked: bool
) -> tuple[GpuEngine, dict[str, bool]]:
    """Open a model on the GPU, and run it once; called in the child process that then runs it.

    Args:
        say: Told what is done next.
        model: Path of the file.
        log: Path of a file for what native code prints meanwhile, for the parent to read.
        threads: Threads of the processor.
        exact: Whether the GPU has to compute in float32.
        checked: Whether the outputs are held against the processor's.

    Returns:
        What runs the model, and whether all of it is on the GPU (`whole`).

    Raises:
        DeviceError: no adapter answers, it refuses the model, fails, or computes something else.
    """
    if not enumerate_adapters(say):
        raise diagnosis.no_adapter()
    with printing_to(log):
        say("it was loaded with the GPU's driver")
        file = read_model(model)
        say("it compiled the model for the GPU")
        engine = GpuEngine(file, threads=threads, exact=exact)
        say("it ran the model on the GPU for the first time")
        if checked:
            check_agreement(file, engine.run, threads)
        else:
            engine.run(engine.zeros())
    return engine, {"whole": engine.whole}


def _compile(path: str, threads: int, exact: bool, *, partly: bool = False) -> Any:
    from ai_edge_litert.compiled_model import CompiledModel, CpuOptions, GpuOptions, HardwareAccelerator, Options

    allowed = HardwareAccelerator.GPU | HardwareAccelerator.CPU if partly else HardwareAccelerator.GPU
    options = Options(
        allowed, cpu_options=CpuOptions(num_threads=threads), gpu_options=GpuOptions(enforce_f32=exact)
    )
    return CompiledModel.from_file(path, options=options)


def _refused(error: RuntimeError) -> DeviceError:
    return DeviceError(f"LiteRT's GPU runtime refuses the model: {_said(error)}")


def _said(error: RuntimeError) -> str:
    """The last line of the runtime's words, which is the nearest to the cause but for places in its sources."""
    lines = [line.removeprefix("└").removeprefix(" ERROR:").strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("[")), "it gives no reason")


def _numbers(names: Sequence[str], details: Mapping[str, Mapping[str, Any]]) -> list[int]:
    """The graph's numbers of the tensors that a signature names."""
    return [int(details[name]["index"]) for name in names]


def _shapes(details: Mapping[str, Mapping[str, Any]]) -> dict[int, tuple[int, ...]]:
    return {int(entry["index"]): tuple(map(int, entry["shape"])) for entry in details.values()}


def _form(tensor: Tensor, shape: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if min(shape, default=1) < 1:
        raise ModelFileError(
            f"the size of output {tensor.name} is known only once the model ran, which the GPU's runtime cannot tell",
            hint="Use --device cpu.",
        )
    return shape, np.dtype(tensor.dtype)


@contextmanager
def printing_to(path: str) -> Iterator[None]:
    """Have the standard error go to a file."""
    before = os.dup(STDERR)
    with Path(path).open("ab") as file:
        os.dup2(file.fileno(), STDERR)
    try:
        yield
    finally:
        os.dup2(before, STDERR)
        os.close(before)
