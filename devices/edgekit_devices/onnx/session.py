"""Opens onnxruntime sessions that run where they were told to, or say why not.

onnxruntime itself goes on without a provider whose libraries do not load, and gives single operations to the processor
where a provider does not take them; both cost a factor of ten or more in silence. Here both are errors. What
`get_available_providers` names was compiled in, and says nothing of what works.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DeviceError, MissingDependencyError, ModelFileError
from edgekit.interpreter import default_threads

TELEMETRY_VARIABLE = "ORT_DISABLE_TELEMETRY"
CPU_PROVIDER = "CPUExecutionProvider"
_NOT_ALL = "fallback to CPU EP has been explicitly disabled"
_FATAL = 4
"""Least severity that onnxruntime logs: what goes wrong is raised as well."""
WHERE = "On a Jetson it comes from NVIDIA, see docs/tensorrt.md."
GPU_INSTALL = (
    "Install onnxruntime-gpu in the place of onnxruntime (pip uninstall onnxruntime; pip install onnxruntime-gpu). "
    f"{WHERE}"
)


@dataclass(frozen=True, slots=True)
class Provider:
    """One of onnxruntime's execution providers.

    Attributes:
        name: As onnxruntime has it.
        called: As users do.
        library: What is loaded for it, beside onnxruntime's own; empty where nothing is.
        needs: What that library needs in turn, for a hint.
    """

    name: str
    called: str
    library: str = ""
    needs: str = ""


def import_onnxruntime() -> ModuleType:
    """The library, with its log kept quiet, and its telemetry off.

    From version 1.29 on it tells Microsoft of each model that it opens, unless the environment says otherwise before it
    is imported. Who wants that sets the variable to 0.

    Raises:
        MissingDependencyError: it is not installed, or cannot be loaded.
    """
    os.environ.setdefault(TELEMETRY_VARIABLE, "1")
    try:
        import onnxruntime
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f"an .onnx file takes onnxruntime, which cannot be loaded: {error}",
            hint=f"Install it with pip install 'edgekit-sdk[onnxruntime]'. {WHERE}",
        ) from error
    onnxruntime.set_default_logger_severity(_FATAL)
    module: ModuleType = onnxruntime
    return module


class OnnxEngine:
    """A model file, opened by onnxruntime and ready to run tensors.

    Args:
        path: The `.onnx` file.
        provider: What runs it.
        options: Of that provider, in onnxruntime's words.
        rest: Names of providers that may run the operations which the first one does not take.
        threads: Threads of the processor to use; None for `default_threads()`.

    Raises:
        MissingDependencyError: onnxruntime is not installed, or is of a build that lacks the provider.
        ModelFileError: it cannot read the file, or lacks an operation.
        DeviceError: the provider cannot be loaded, or does not take all operations.
    """

    def __init__(
        self, path: str, provider: Provider, *, options: Mapping[str, str] | None = None, rest: Sequence[str] = (),
        threads: int | None = None,
    ) -> None:
        self.threads = threads or default_threads()
        self._path, self._provider = path, provider
        runtime = import_onnxruntime()
        check_built_in(runtime, provider)
        self._session: Any = self._open(runtime, dict(options or {}), rest)
        self._names = [item.name for item in self._session.get_inputs()]

    def _open(self, runtime: ModuleType, options: dict[str, str], rest: Sequence[str]) -> Any:
        settings = runtime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = self.threads, 1
        settings.log_severity_level = _FATAL
        if CPU_PROVIDER not in (self._provider.name, *rest):
            settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        wanted = [(self._provider.name, options), *((name, {}) for name in rest)]
        try:
            session = runtime.InferenceSession(self._path, settings, providers=wanted, enable_fallback=0)
        except Exception as error:  # onnxruntime's classes have no other base
            raise self._explain(runtime, str(error)) from error
        session.disable_fallback()
        if self._provider.name not in session.get_providers():
            raise self._not_loaded(runtime, "")
        return session

    def _explain(self, runtime: ModuleType, reason: str) -> DeviceError | ModelFileError:
        """What onnxruntime complained of, with what to do about it."""
        said = first_sentence(reason)
        if self._provider.library and why_not_loaded(runtime, self._provider.library):
            return self._not_loaded(runtime, said)
        if _NOT_ALL in reason:
            return DeviceError(
                f"{self._provider.called} does not take all operations of {Path(self._path).name}, or cannot be used",
                hint="With --device tensorrt, --device-option rest=cuda lets CUDA run what TensorRT does not take, and "
                "rest=cpu the processor. edgekit doctor tells what is wrong with the GPU.",
            )
        if self._provider.library and not _is_about_file(reason):
            return DeviceError(f"{self._provider.called} cannot run {Path(self._path).name}: {said}")
        return ModelFileError(
            f"{self._path} cannot be opened by onnxruntime: {said}",
            hint="It is damaged, or made for a newer onnxruntime: copy or convert it again, or update onnxruntime.",
        )

    def _not_loaded(self, runtime: ModuleType, said: str) -> DeviceError:
        reason = why_not_loaded(runtime, self._provider.library) or said or "it does not say why"
        return DeviceError(
            f"onnxruntime cannot use {self._provider.called}: {reason}",
            hint=f"It needs {self._provider.needs}, of the versions that onnxruntime {runtime.__version__} was built "
            "for: see docs/tensorrt.md.",
        )

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the network once.

        Args:
            inputs: One array for each input, in the file's order.

        Returns:
            The outputs in the file's order.

        Raises:
            DeviceError: onnxruntime or the device failed.
        """
        try:
            outputs: list[NDArray[Any]] = self._session.run(None, dict(zip(self._names, inputs, strict=True)))
        except Exception as error:  # onnxruntime's classes have no other base
            raise DeviceError(f"{self._path} failed while running: {first_sentence(str(error))}") from error
        return outputs

    def run_zeros(self) -> None:
        """Run the network once on zeros: only then is it sure that the device has code for the network.

        Raises:
            DeviceError: it has not.
        """
        shapes = [[size if isinstance(size, int) else 1 for size in item.shape] for item in self._session.get_inputs()]
        types = [_NUMPY.get(item.type, "float32") for item in self._session.get_inputs()]
        self.run([np.zeros(shape, dtype) for shape, dtype in zip(shapes, types, strict=True)])

    def reset(self) -> None:
        """It remembers nothing."""

    def close(self) -> None:
        """Free the device."""
        self._session = None


_NUMPY = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(bool)": "bool",
    **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def check_built_in(runtime: ModuleType, provider: Provider) -> None:
    """See that onnxruntime was built with a provider.

    Raises:
        MissingDependencyError: it was not.
    """
    there = runtime.get_available_providers()
    if provider.name not in there:
        raise MissingDependencyError(
            f"onnxruntime {runtime.__version__} is built without {provider.called} ({provider.name}); it has "
            f"{', '.join(there)}",
            hint=GPU_INSTALL,
        )


def why_not_loaded(runtime: ModuleType, library: str) -> str:
    """What the system's loader says of a provider's library; empty where it loads."""
    path = Path(str(runtime.__file__)).parent / "capi" / library
    try:
        ctypes.CDLL(str(path), mode=os.RTLD_LAZY)
    except OSError as error:
        found = str(error)
        # The library itself needs names of onnxruntime's that only onnxruntime brings in: no reason to complain.
        return "" if "undefined symbol" in found else found
    return ""


def _is_about_file(reason: str) -> bool:
    return any(word in reason for word in ("INVALID_PROTOBUF", "INVALID_GRAPH", "NO_SUCHFILE", "NOT_IMPLEMENTED"))


def first_sentence(text: str) -> str:
    """What onnxruntime said, without its error number and the places in its code."""
    line = text.strip().partition("\n")[0]
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", line)
    return re.sub(r"^/\S+?:\d+ \S.*?\) ", "", line)[:300]
