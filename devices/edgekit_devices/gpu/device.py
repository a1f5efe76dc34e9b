"""The device `gpu`: LiteRT's GPU accelerator, in a process of its own. See docs/gpu.md."""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgekit.device import Option, Request
from edgekit.errors import DeviceError, EdgeKitError, MissingFileError, UsageError
from edgekit.interpreter import default_threads
from edgekit.tflite import ModelFile, read_model
from edgekit.twin import read_twin
from edgekit_devices import isolation, opening_time
from edgekit_devices.gpu import answer, diagnosis, engine, requirements
from edgekit_devices.gpu.faults import known_faults
from edgekit_devices.gpu.runner import GpuRunner
from edgekit_devices.remote.runner import RemoteRunner

PRECISION, EXACT = "precision", "float32"
CHECK, OFF = "check", "off"
DEFAULT_SECONDS = 120.0
"""Time limit for opening a model: some drivers compile a program for each layer."""

_VARIABLES = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})


class Gpu:
    """What is registered as `gpu`."""

    options = (
        Option(PRECISION, ("float16", EXACT)),
        Option(CHECK, ("on", OFF)),
        opening_time.OPTION,
    )

    def check(self, spec: str) -> None:
        """See that no adapter is named: the runtime takes the one that it likes best.

        Raises:
            UsageError: one is.
        """
        if spec:
            raise UsageError(
                f"there is no device 'gpu:{spec}': LiteRT's GPU runtime chooses the adapter itself",
                hint="Write gpu. Where several drivers are installed, the environment's VK_DRIVER_FILES names the one "
                "to take.",
            )

    def open(self, request: Request) -> dict[str, GpuRunner]:
        """Open a model on the GPU, in a process of its own.

        Raises:
            UsageError: the model has variables, is compiled for the Edge TPU, or has no operation that the GPU takes.
            DeviceError: the processor or the driver lacks what it takes, or the GPU refuses the model.
            MissingDependencyError: the GPU library is not installed.
        """
        seconds = opening_time.seconds_of(request.options, DEFAULT_SECONDS)
        model = _model(request)
        requirements.check()
        opening = _Opening.of(model, request, seconds)
        remote, said = opening.first()
        if request.options.get(CHECK) != OFF and (faults := _faults(model, said)):
            remote.close()
            raise diagnosis.known_fault(faults)
        if said.software:
            request.tell("software", diagnosis.software(said))
        if not remote.facts["whole"]:
            request.tell("partial", diagnosis.partly(said))
        return {request.name: GpuRunner(request.name, remote, opening.again, request.tell)}


GPU = Gpu()


def _faults(model: ModelFile, said: answer.Answer) -> dict[int, str]:
    """What the GPU is known to compute wrong, of the kinds of operations that it does not leave to the processor."""
    graph, left = read_model(model.path, details=True).main, {line.partition(":")[0] for line in said.reasons}
    return {at: fault for at, fault in known_faults(graph).items() if graph.operators[at].type not in left}


def _model(request: Request) -> ModelFile:
    """The file to run: of one that is compiled for the Edge TPU its uncompiled twin, where other devices are named."""
    model = request.model
    if model.is_edgetpu:
        if not request.fallback:
            raise UsageError(
                "the model is compiled for the Edge TPU and cannot run on the gpu",
                hint="Use --device coral, or the file that it was compiled from.",
            )
        model = read_twin(model)
        warnings.warn(f"gpu runs {model.path}, the uncompiled twin of {request.model.label}", stacklevel=5)
    operators = {operator.type for graph in model.subgraphs for operator in graph.operators}
    if any(tensor.variable for graph in model.subgraphs for tensor in graph.tensors) or operators & _VARIABLES:
        raise diagnosis.has_variables()
    return model


@dataclass(frozen=True, eq=False)
class _Opening:
    """What it takes to open a model, as often as a process for it is needed.

    Attributes:
        request: What was asked for.
        file: The model's, kept open: what lies at its path may be another model by the time a process is replaced.
        seconds: Time limit.
    """

    request: Request
    file: int
    seconds: float

    @classmethod
    def of(cls, model: ModelFile, request: Request, seconds: float) -> _Opening:
        try:
            file = os.open(model.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise MissingFileError(f"{model.path} cannot be read: {error.strerror}") from error
        opening = cls(request, file, seconds)
        weakref.finalize(opening, os.close, file)
        return opening

    def first(self) -> tuple[RemoteRunner, answer.Answer]:
        """The model, opened and compared with the processor, and what the accelerator said of it."""
        remote, said = self._open(checked=self.request.options.get(CHECK) != OFF)
        if said.nothing:
            remote.close()
            raise diagnosis.nothing_taken(said)
        return remote, said

    def again(self) -> RemoteRunner:
        """The same in another process; that it computes the right thing is known."""
        return self._open(checked=False)[0]

    def _open(self, *, checked: bool) -> tuple[RemoteRunner, answer.Answer]:
        request = self.request
        arguments = {
            "model": _path_of(self.file), "threads": request.threads or default_threads(),
            "exact": request.options.get(PRECISION) == EXACT, "checked": checked,
        }
        with _log() as log:
            try:
                remote = RemoteRunner(
                    request.name, f"{engine.__name__}:open_engine", {**arguments, "log": _path_of(log)},
                    open_seconds=self.seconds, seconds=request.seconds,
                )
            except EdgeKitError as error:
                raise _explain(error, _read(log), request.model.label) from error
            return remote, _read(log)


def _explain(error: EdgeKitError, said: answer.Answer, label: str) -> EdgeKitError:
    if isinstance(error, isolation.HungError):
        return diagnosis.hung(error, said)
    if isinstance(error, isolation.CrashedError):
        return diagnosis.crashed(error, said)
    if isinstance(error, DeviceError):
        return diagnosis.not_opened(error, said)
    # The processor's runtime names the file by the path that it was given.
    message = " ".join(label if word.startswith("/proc/") else word for word in error.message.split(" "))
    return type(error)(message, hint=error.hint)


def _path_of(file: int) -> str:
    """A path by which a child opens what this process has open, also where it was removed."""
    return f"/proc/{os.getpid()}/fd/{file}"


@contextmanager
def _log() -> Iterator[int]:
    """A file for what the accelerator prints, which is its only answer; no pipe, which a child could wait for."""
    file = os.memfd_create("edgekit gpu log")
    try:
        yield file
    finally:
        os.close(file)


def _read(log: int) -> answer.Answer:
    return answer.read(Path(_path_of(log)).read_text(encoding="utf-8", errors="replace"))
