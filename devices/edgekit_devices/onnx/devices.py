"""What is registered as `onnx`, `cuda` and `tensorrt`."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgekit import cache, metadata
from edgekit.device import Option, Request
from edgekit.errors import UsageError
from edgekit.onnx.reader import ONNX
from edgekit.tflite import ModelFile
from edgekit_devices.onnx.session import CPU_PROVIDER, OnnxEngine, Provider, check_built_in, import_onnxruntime

SWITCH = ("on", "off")
REST, FP16, INT8, WORKSPACE = "rest", "fp16", "int8", "workspace"
MEGABYTE = 1 << 20
MOST_MEGABYTES = 1 << 20
_CUDA_PROVIDER = "CUDAExecutionProvider"
_RESTS = {"none": (), "cuda": (_CUDA_PROVIDER,), "cpu": (_CUDA_PROVIDER, CPU_PROVIDER)}
"""Who runs the operations that TensorRT does not take."""

CPU = Provider(CPU_PROVIDER, "the processor")
CUDA = Provider(_CUDA_PROVIDER, "CUDA", "libonnxruntime_providers_cuda.so", "NVIDIA's driver, CUDA and cuDNN")
TENSORRT = Provider(
    "TensorrtExecutionProvider", "TensorRT", "libonnxruntime_providers_tensorrt.so",
    "NVIDIA's driver, CUDA, cuDNN and TensorRT",
)


class OnnxDevice:
    """A provider of onnxruntime's as a device.

    Args:
        provider: Which one.
        options: What users may set.
        settings: Makes the provider's own options of the request.
    """

    formats = (ONNX,)

    def __init__(
        self, provider: Provider, options: tuple[Option, ...] = (),
        settings: Callable[[Request, str], dict[str, str]] | None = None,
    ) -> None:
        self._provider, self.options, self._settings = provider, options, settings

    @staticmethod
    def built_in() -> tuple[str, ...]:
        """Names of the devices that onnxruntime was built for, the fastest first.

        Raises:
            MissingDependencyError: it is not installed.
        """
        there = import_onnxruntime().get_available_providers()
        found = tuple(name for name, provider in (("tensorrt", TENSORRT), ("cuda", CUDA)) if provider.name in there)
        return (*found, "cpu")

    def check(self, spec: str) -> None:
        """See that what follows the colon is the number of a GPU, or nothing.

        Raises:
            UsageError: it is something else.
        """
        if spec and not (self._settings and spec.isdecimal() and spec.isascii()):
            what = "the number of a GPU, such as cuda:0, or nothing" if self._settings else "nothing"
            raise UsageError(f"'{spec}' is no part of a device's name here", hint=f"Behind the colon goes {what}.")

    def open(self, request: Request) -> dict[str, OnnxEngine]:
        """Open an `.onnx` file.

        Raises:
            UsageError: it is another kind of file, remembers earlier samples, or an option is no number.
            MissingDependencyError: onnxruntime is not installed, or lacks the provider.
            ModelFileError: onnxruntime cannot read the file.
            DeviceError: the provider cannot be used, or does not take all of the network.
        """
        model = request.model
        if model.format != ONNX:
            raise UsageError(
                f"{request.name} runs .onnx files, and {model.label} is none",
                hint="Convert the Keras model again with --also onnx, which writes one beside the .tflite.",
            )
        if request.keeps_state:
            raise UsageError(f"{model.label} remembers earlier samples, which onnxruntime would forget")
        check_built_in(import_onnxruntime(), self._provider)
        options = self._settings(request, request.spec or "0") if self._settings else {}
        rest = _RESTS[request.options.get(REST, "none")]
        engine = OnnxEngine(model.path, self._provider, options=options, rest=rest, threads=request.threads)
        engine.run_zeros()
        return {request.name: engine}


def _cuda(request: Request, number: str) -> dict[str, str]:
    return {"device_id": number}


def _tensorrt(request: Request, number: str) -> dict[str, str]:
    """TensorRT's options: int8 where the file is quantized, float16 where it was converted for fewer bits."""
    quantized = any(operator.type == "QUANTIZE" for operator in request.model.main.operators)
    precision = metadata.read(request.model).provenance.get("precision")
    options = {
        "device_id": number,
        "trt_int8_enable": _flag(request.options, INT8, quantized),
        "trt_fp16_enable": _flag(request.options, FP16, precision in ("int8", "float16")),
        **_engine_cache(request.model),
    }
    if WORKSPACE in request.options:
        options["trt_max_workspace_size"] = str(_megabytes(request.options[WORKSPACE]) * MEGABYTE)
    return options


def _flag(options: Mapping[str, str], name: str, default: bool) -> str:
    return str(options[name] == "on" if name in options else default)


def _megabytes(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_MEGABYTES):
        raise UsageError(f"device option {WORKSPACE} cannot be '{text}'", hint="Give megabytes, such as 512.")
    return int(text)


def _engine_cache(model: ModelFile) -> dict[str, str]:
    """Where the engine is kept: TensorRT takes minutes to build one.

    The folder is the model's own, by its content: onnxruntime names an engine after the graph, so that a network that
    was trained again would run with the weights of before.
    """
    base = cache.folder()
    if base is None:
        return {}
    version = import_onnxruntime().__version__
    digest = hashlib.sha256(Path(model.path).read_bytes()).hexdigest()[:16]
    place = base / "tensorrt" / f"{digest}-{version}"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        warnings.warn(f"TensorRT's engine cannot be kept in {place}, and is built each time: {error}", stacklevel=6)
        return {}
    if not any(place.glob("*.engine")):
        warnings.warn(f"TensorRT builds an engine for {model.label}, which may take minutes this first time",
                      stacklevel=6)
    kept = str(place)
    return {
        "trt_engine_cache_enable": "True", "trt_engine_cache_path": kept,
        "trt_timing_cache_enable": "True", "trt_timing_cache_path": kept,
    }


ONNX_CPU: Any = OnnxDevice(CPU)
CUDA_GPU: Any = OnnxDevice(CUDA, settings=_cuda)
TENSORRT_GPU: Any = OnnxDevice(
    TENSORRT,
    (
        Option(FP16, SWITCH), Option(INT8, SWITCH), Option(WORKSPACE, (), "MEGABYTES"), Option(REST, tuple(_RESTS)),
    ),
    _tensorrt,
)
