"""Which devices run ONNX files: those that say so, under `formats`; `cpu` stands for onnxruntime's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from edgekit import plugins
from edgekit.errors import UsageError
from edgekit.onnx.reader import ONNX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgekit.device import Device, Option, Request, Runner
    from edgekit.tflite import ModelFile

CPU, ON_CPU = "cpu", "onnx"


class _Unsuited:
    """A device that runs other files, as far as the user's words for it can be looked at."""

    def __init__(self, device: Device) -> None:
        self._device = device

    @property
    def options(self) -> tuple[Option, ...] | None:
        return self._device.options

    def check(self, spec: str) -> None:
        self._device.check(spec)

    def open(self, request: Request) -> Mapping[str, Runner]:
        raise UsageError(
            f"{request.name} runs .tflite files, and {request.model.label} is an ONNX model",
            hint="Choose cpu, cuda or tensorrt, or run the .tflite file that it was made with.",
        )


def built_in() -> tuple[str, ...]:
    """Devices that the onnxruntime which is installed was built for, the fastest first; the processor at least."""
    device = plugins.registered("edgekit.devices").get(ON_CPU)
    return tuple(cast(Any, device.load()).built_in()) if device else (CPU,)


def for_format(model: ModelFile, name: str, device: Device) -> Device:
    """The device that a name means for a file of that format.

    Args:
        model: The file.
        name: The device in the user's words.
        device: What is registered by that name.

    Returns:
        The device; for an ONNX file one that says why it cannot be opened, where it is made for others.
    """
    if model.format != ONNX or ONNX in getattr(device, "formats", ()):
        return device
    on_cpu = plugins.registered("edgekit.devices").get(ON_CPU) if name == CPU else None
    return cast("Device", on_cpu.load()) if on_cpu else cast("Device", cast(Any, _Unsuited(device)))
