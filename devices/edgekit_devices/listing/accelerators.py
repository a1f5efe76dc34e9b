"""What a model can run on: the processor, Edge TPUs, graphics processors, and what other packages registered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit import plugins, processor
from edgekit.errors import EdgeKitError
from edgekit_devices import isolation
from edgekit_devices.coral import attached, diagnosis
from edgekit_devices.listing.asked import FUNCTIONS
from edgekit_devices.listing.delegates import list_delegates
from edgekit_devices.listing.graphics import list_gpus, list_providers
from edgekit_devices.listing.types import Listed, State
from edgekit_devices.machine import Machine
from edgekit_devices.machine.holders import holders
from edgekit_devices.machine.libraries import find_library

RUNTIMES = ("ai-edge-litert", "tflite-runtime")
EDGE_TPU_LIBRARY = "libedgetpu.so.1"
EDGE_TPU_COMMAND = (
    "sudo apt install ./libedgetpu1-std_*.deb   # for this system, from "
    "https://github.com/feranick/libedgetpu/releases"
)
EDGE_TPU_VARIABLE = "EDGEKIT_LIBEDGETPU"
ASK_SECONDS = 20.0
SHOWN_FEATURES = ("avx2", "avx512_vnni", "amx_int8", "avx_vnni", "neon", "asimd", "atomics", "asimddp", "i8mm", "sve")
"""Instructions that make a difference to inference, in the kernel's words."""
OWN = ("coral", "coral-fake", "gpu", "delegate", "tensorrt", "cuda", "onnx")
"""Devices that are listed in a way of their own, or are none: the delegate is any library's."""


def list_accelerators(machine: Machine) -> Iterator[Listed]:
    """The processor first, which is always there."""
    yield _processor(machine)
    yield from _corals(machine)
    yield from list_gpus(machine)
    yield from list_providers(machine)
    yield from list_delegates(machine)
    for name in sorted(plugins.registered("edgekit.devices")):
        if name not in OWN:
            yield Listed("accelerator", name, "registered by an installed package")


def installed_runtime(machine: Machine) -> str:
    """The TensorFlow Lite runtime that is used; empty where there is none."""
    return next((name for name in RUNTIMES if name in machine.python.packages), "")


def _processor(machine: Machine) -> Listed:
    known = processor.features(machine.root)
    cores = processor.physical_cores(machine.root)
    shown = [feature for feature in SHOWN_FEATURES if feature in known]
    detail = f"{cores} {'core' if cores == 1 else 'cores'} for a network{', ' if shown else ''}{' '.join(shown)}"
    if not installed_runtime(machine):
        return Listed("accelerator", "cpu", processor_name(machine), "library missing",
                      "no TensorFlow Lite runtime is installed", runtime_command(machine))
    return Listed("accelerator", "cpu", processor_name(machine), "usable", detail)


def runtime_command(machine: Machine) -> str:
    """What installs a runtime here."""
    if machine.python.bits == 32:
        return "pip install tflite-runtime==2.14.0 'numpy<2'"
    return "pip install ai-edge-litert"


def processor_name(machine: Machine) -> str:
    """What the kernel calls the processor, or on ARM the board."""
    lines = (line.partition(":") for line in machine.text("proc/cpuinfo").splitlines())
    told = {key.strip(): value.strip() for key, _, value in lines}
    named = told.get("model name") or told.get("Model") or machine.text("proc/device-tree/model")
    return " ".join(named.split()) or machine.kernel[0]


def _corals(machine: Machine) -> Iterator[Listed]:
    seen = attached.look(machine.root)
    if not seen:
        return
    numbers = _numbers(machine, seen)
    held = holders(machine)
    for device in seen:
        state, detail, mend = _coral_state(machine, device, numbers)
        holder = held.get(str(device.node))
        if state == "usable" and holder:
            state, detail, mend = "busy", f"{holder} has it open", f"sudo fuser -v {device.node}"
        use = f"coral:{numbers[device.name]}" if device.name in numbers else "coral"
        yield Listed("accelerator", use, f"Coral Edge TPU, {device.kind.upper()} {device.name}", state, detail, mend)


def _numbers(machine: Machine, seen: tuple[attached.Attached, ...]) -> dict[str, str]:
    """By the kernel's name how libedgetpu numbers a device, such as `usb:0`: as it lists them, or as the bus does."""
    listed: list[Any] = [[device.kind, device.name] for device in seen if device.node]
    if can_ask_edge_tpus(machine):
        try:
            answer = isolation.call(
                f"{FUNCTIONS}ask_edgetpus", {"library": edge_tpu_library(machine)}, seconds=ASK_SECONDS
            )
            listed = answer["devices"] or listed
        except EdgeKitError:  # the state tells it
            pass
    counts: dict[str, int] = {}
    numbers = {}
    for kind, path in listed:
        numbers[Path(path).name] = f"{kind}:{counts.setdefault(kind, 0)}"
        counts[kind] += 1
    return numbers


def edge_tpu_library(machine: Machine) -> str:
    """Name or path of libedgetpu, as the environment says."""
    return machine.environment.get(EDGE_TPU_VARIABLE) or EDGE_TPU_LIBRARY


def can_ask_edge_tpus(machine: Machine) -> bool:
    """Whether libedgetpu can be asked: of a tree of files only one that the environment names, as tests do."""
    return machine.real or EDGE_TPU_VARIABLE in machine.environment


def has_edge_tpu_library(machine: Machine) -> bool:
    """Whether libedgetpu is there."""
    named = machine.environment.get(EDGE_TPU_VARIABLE)
    return Path(named).exists() if named else find_library(machine, EDGE_TPU_LIBRARY) is not None


def _coral_state(machine: Machine, device: attached.Attached, numbers: dict[str, str]) -> tuple[State, str, str]:
    if device.node is None or not device.present or not (device.allowed and machine.may_use(_inside(machine, device))):
        barred = device.node is not None and device.present
        error = diagnosis.not_permitted(device) if device.node else diagnosis.not_listed([device], EDGE_TPU_LIBRARY)
        return ("no permission" if barred else "not usable"), error.message, error.hint
    if not has_edge_tpu_library(machine):
        return "library missing", f"there is no {edge_tpu_library(machine)}", EDGE_TPU_COMMAND
    return "usable", device.identity, ""


def _inside(machine: Machine, device: attached.Attached) -> Path:
    return machine.path(str(device.node).lstrip("/"))
