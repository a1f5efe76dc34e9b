"""The one place that opens a TensorFlow Lite interpreter: ai-edge-litert, or tflite-runtime on 32-bit boards.

Only their common `Interpreter` is used. LiteRT's `CompiledModel` holds Python's lock while it infers, takes
no delegate of an accelerator, and dies on processors older than ARMv8.1.
"""

from __future__ import annotations

import ctypes
import importlib
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit import processor
from edgekit.choices import check_count
from edgekit.delegation import delegation_of
from edgekit.errors import DeviceError, MissingDependencyError, ModelFileError

if TYPE_CHECKING:
    from os import PathLike

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
MAX_DEFAULT_THREADS = 4
MOST_THREADS = 256
"""The runtime dies where it cannot start as many as it is told to."""

Kernels = Literal["fast", "plain", "reference"]
"""What computes on the processor: its fast kernels, with XNNPACK for what that takes; the same without XNNPACK; or the
reference kernels, which are slow and give the same bits on any processor."""

_RESOLVERS = {"fast": "AUTO", "plain": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}

DELEGATE_FUNCTIONS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
Delegate = Any
"""What a runtime's `load_delegate` returns; the two runtimes share no type."""


def import_runtime() -> ModuleType:
    """The module that holds `Interpreter` and `load_delegate`.

    Raises:
        MissingDependencyError: neither runtime is installed, or the one that is cannot be loaded.
    """
    reasons = []
    for name in RUNTIMES:
        try:
            return importlib.import_module(name)
        except (ImportError, OSError) as error:
            reasons.append(f"{name.partition('.')[0]}: {error}")
    raise MissingDependencyError(
        f"no TensorFlow Lite runtime can be loaded ({'; '.join(reasons)})",
        hint="Install one with pip install ai-edge-litert, or on 32-bit ARM with pip install tflite-runtime.",
    )


def default_threads() -> int:
    """One fewer than the processor's cores, so that reading and decoding have one; from 1 to 4.

    Cores are those of `edgekit.processor.physical_cores`.
    """
    return max(1, min(MAX_DEFAULT_THREADS, processor.physical_cores() - 1))


class DelegateError(DeviceError):
    """A library that makes no delegate.

    Attributes:
        reason: What it said; mostly empty.
    """

    def __init__(self, library: str, reason: str) -> None:
        super().__init__(f"{library} makes no delegate{f': {reason}' if reason else ', and gives no reason'}")
        self.reason = reason


def load_delegate(library: str, options: Mapping[str, str]) -> Delegate:
    """Load an accelerator into the runtime.

    Args:
        library: Name or path of a shared library with TensorFlow Lite's interface for external delegates.
        options: What it is told, in its own words.

    Raises:
        DeviceError: it cannot be loaded, or is no delegate.
        DelegateError: it makes none.
        MissingDependencyError: no runtime is installed.
    """
    try:
        native = ctypes.CDLL(library)
    except OSError as error:
        raise DeviceError(f"{library} cannot be loaded: {error}") from error
    # The runtime leaves a half-made object behind where one is missing, which Python then complains of.
    missing = next((name for name in DELEGATE_FUNCTIONS if not hasattr(native, name)), None)
    if missing:
        raise DeviceError(f"{library} is no TensorFlow Lite delegate: it has no {missing}")
    try:
        return import_runtime().load_delegate(library, dict(options))
    except (ValueError, OSError) as error:
        # The first line says that it failed.
        raise DelegateError(library, str(error).partition("\n")[2].strip()) from error


class Engine:
    """A model file, opened and ready to run tensors. Calls from several threads wait for one another.

    Args:
        path: The `.tflite` file, which `edgekit.tflite.read_model` has looked through already: tflite-runtime
            crashes on a damaged one.
        threads: Threads of the processor to use, from 1 to 256; None for `default_threads()`.
        delegates: Accelerators, from `load_delegate`.
        keeps_state: Whether what the network's variables hold (the state of an LSTM) outlives a run.
        kernels: What computes on the processor, as in `Kernels`.

    Attributes:
        accelerated: What the delegates took that were given; None where none was.

    Raises:
        UsageError: `threads` is no number from 1 to 256.
        ModelFileError: the file needs operations, or versions of them, that the runtime lacks.
        MissingDependencyError: no runtime is installed.
    """

    def __init__(
        self, path: str | PathLike[str], *, threads: int | None = None, delegates: Sequence[Delegate] = (),
        keeps_state: bool = False, kernels: Kernels = "fast",
    ) -> None:
        if threads is not None:
            check_count("threads", threads, MOST_THREADS)
        self.threads = threads or default_threads()
        self._path, self._keeps_state = Path(path), keeps_state
        self._lock = threading.Lock()
        self._delegates = tuple(delegates)  # the interpreter does not keep them alive
        self._interpreter = self._open(kernels)
        self._inputs, self._outputs = self._places()

    def _open(self, kernels: Kernels) -> Any:
        runtime = import_runtime()
        try:
            interpreter = runtime.Interpreter(
                model_path=str(self._path),
                num_threads=self.threads,
                experimental_delegates=list(self._delegates) or None,
                experimental_op_resolver_type=runtime.OpResolverType[_RESOLVERS[kernels]],
            )
            self.accelerated = delegation_of(interpreter) if self._delegates else None  # before XNNPACK comes
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise explain(self._path, str(error), runtime.__name__.partition(".")[0]) from error
        return interpreter

    def _places(self) -> tuple[list[int], list[int]]:
        """Numbers of the input and output tensors."""
        ends = self._interpreter.get_input_details, self._interpreter.get_output_details
        try:
            inputs, outputs = ([int(entry["index"]) for entry in details()] for details in ends)
        except UnicodeDecodeError as error:
            raise ModelFileError(
                f"{self._path} cannot be run: the name of an input or output is no UTF-8 text",
                hint="The file is damaged, or was made by a tool of its own. Copy or convert it again.",
            ) from error
        return inputs, outputs

    def without_delegate(self) -> Mapping[str, int]:
        """Operations that no delegate took, by kind: neither those given, nor XNNPACK, which the runtime adds."""
        return delegation_of(self._interpreter).left

    def run_zeros(self) -> None:
        """Run the network once on zeros, to see that it runs, or so that the first sample is as fast as the others.

        Raises:
            DeviceError: the runtime or the accelerator failed.
        """
        self.run(self.zeros())

    def zeros(self) -> list[NDArray[Any]]:
        """Arrays of zeros, of the shapes and types that the inputs have."""
        return [np.zeros(entry["shape"], entry["dtype"]) for entry in self._interpreter.get_input_details()]

    def reset(self) -> None:
        """Forget what the network's variables hold."""
        with self._lock:
            self._interpreter.reset_all_variables()

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the network once, with nothing left over from the sample before unless state is to be kept.

        The state of an LSTM outlives a run in TensorFlow Lite, also where Keras' `stateful` was false, and
        would make each answer depend on earlier samples. Clearing it costs 0.2 µs.

        Args:
            inputs: One array for each of the graph's inputs, in their order, of the tensors' shapes and
                types.

        Returns:
            A copy of each output tensor, in the order of the graph's outputs.

        Raises:
            ValueError: an array of another shape or type; a `Model` has checked that.
            DeviceError: the runtime or the accelerator failed.
        """
        with self._lock:
            for index, array in zip(self._inputs, inputs, strict=True):
                self._interpreter.set_tensor(index, array)
            try:
                if not self._keeps_state:
                    self._interpreter.reset_all_variables()
                self._interpreter.invoke()
                return [self._interpreter.get_tensor(index) for index in self._outputs]  # get_tensor copies
            except (RuntimeError, ValueError) as error:  # ValueError: an output that nothing computes
                raise DeviceError(f"{self._path} failed while running: {first_line(str(error))}") from error


def explain(path: Path, reason: str, runtime: str) -> ModelFileError:
    """The runtime's complaint about a model file, with what to do about it."""
    for words, hint in _HINTS:
        if words in reason:
            return ModelFileError(f"{path} cannot be run by {runtime}: {first_line(reason)}", hint=hint)
    return ModelFileError(f"{path} cannot be opened by {runtime}: {first_line(reason)}")


def first_line(text: str) -> str:
    """The first line of what the runtime complains of, without what it adds to a delegate's words."""
    # The runtime hangs its own words onto those of a delegate, with nothing between.
    return re.sub(r"(?<=\S)Node number \d+ .*", "", text.strip().partition("\n")[0])


_HINTS = (
    (
        "edgetpu-custom-op",
        "It is compiled for the Edge TPU: use --device coral, or run the file that it was compiled from.",
    ),
    (
        "Flex",
        "It holds operations of TensorFlow itself (Select TF ops), which no light runtime has: convert it "
        "again with built-in operations only.",
    ),
    (
        "PosenetDecoderOp",
        "It holds Coral's own decoder of poses, which is part of no runtime that can be installed: take the file that "
        "it was compiled from, or a MoveNet model.",
    ),
    (
        "custom op",
        "It holds an operation that is no part of TensorFlow Lite: convert it again without that one.",
    ),
    (
        "op for builtin opcode",
        "It was converted by a newer TensorFlow than this runtime knows: update the runtime "
        "(pip install -U ai-edge-litert), or convert it again for older ones.",
    ),
)
