"""GPUs: through Vulkan as LiteRT uses them, and through onnxruntime where that is installed."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.errors import EdgeKitError, MissingDependencyError
from edgekit_devices import isolation
from edgekit_devices.gpu import requirements
from edgekit_devices.gpu.adapters import adapters
from edgekit_devices.listing.asked import FUNCTIONS
from edgekit_devices.listing.types import Listed, State
from edgekit_devices.machine import Machine
from edgekit_devices.machine.libraries import find_library

LOADER = "libvulkan.so.1"
NODES = ("dev/dri/renderD*", "dev/nvhost-gpu", "dev/nvgpu/igpu0/*", "dev/nvidia0")
"""Through one of these a GPU's driver is reached."""
INSTALL = "sudo apt install libvulkan1 mesa-vulkan-drivers   # on a Jetson the driver comes with JetPack"
ONNXRUNTIMES = ("onnxruntime", "onnxruntime-gpu")
ASK_SECONDS = 20.0


def list_gpus(machine: Machine) -> Iterator[Listed]:
    """What LiteRT's GPU accelerator could run on."""
    nodes = [node for pattern in NODES for node in machine.entries(pattern)]
    if find_library(machine, LOADER) is None:
        if nodes:
            yield Listed("accelerator", "gpu", machine.shown(nodes[0]), "library missing",
                         f"there is no Vulkan ({LOADER})", INSTALL)
    elif machine.real:
        yield from _adapters(machine)


def _adapters(machine: Machine) -> Iterator[Listed]:
    try:
        found = adapters()
    except EdgeKitError as error:
        yield Listed("accelerator", "gpu", "Vulkan", "not usable", error.message, error.hint)
        return
    state, why, mend = litert_state(machine)
    for adapter in found:
        detail = "computes on the processor, slower than cpu" if adapter.software else adapter.kind
        yield Listed("accelerator", "gpu", adapter.name, state, why or f"{detail}, Vulkan {adapter.api}", mend)


def litert_state(machine: Machine) -> tuple[State, str, str]:
    """Whether LiteRT's GPU library is here and the processor can run it; else why not, and what mends it."""
    try:
        requirements.check(machine.root)
    except MissingDependencyError as error:
        return "library missing", error.message, error.hint
    except EdgeKitError as error:
        return "not usable", error.message, error.hint
    return "usable", "", ""


def list_providers(machine: Machine) -> Iterator[Listed]:
    """What onnxruntime runs .onnx files on, where it is installed."""
    package = next((name for name in ONNXRUNTIMES if name in machine.python.packages), None)
    if package is None:
        return
    version = machine.python.packages[package].version
    try:
        found: dict[str, str] = isolation.call(f"{FUNCTIONS}ask_providers", {}, seconds=ASK_SECONDS)
    except EdgeKitError as error:
        yield Listed("accelerator", "onnx", f"{package} {version}", "not usable", error.message, error.hint)
        return
    for use, reason in found.items():
        yield Listed(
            "accelerator", use, f"{package} {version}, for .onnx files",
            "not usable" if reason else "usable", reason, "See docs/tensorrt.md for what it needs." if reason else "",
        )
