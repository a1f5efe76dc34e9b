"""The GPU as LiteRT uses it: Vulkan's loader, a driver, and an adapter that answers. And what a Jetson brings."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.errors import EdgeKitError
from edgekit_devices import isolation
from edgekit_devices.boards import board
from edgekit_devices.doctor.finding import Check, Finding, note, ok, warning
from edgekit_devices.gpu.adapters import adapters
from edgekit_devices.gpu.automatic import chosen_drivers
from edgekit_devices.listing.graphics import INSTALL, LOADER, NODES, list_providers, litert_state
from edgekit_devices.machine import Machine
from edgekit_devices.machine.libraries import find_library, version_of

GROUP = "GPU"
SOFTWARE = "it computes on the processor, slower than the processor's own kernels do"


def vulkan(machine: Machine) -> Iterator[Finding]:
    """Asked only where there is a graphics processor, or Vulkan: others do without."""
    nodes = [node for pattern in NODES for node in machine.entries(pattern)]
    loader = find_library(machine, LOADER)
    if not nodes and loader is None and board(machine.root).release:
        yield warning("this is a Jetson, and its GPU is not seen", "--device gpu cannot be used here.",
                      "docker run --runtime nvidia ...   # for a container; on the board JetPack brings the driver")
        return
    if not nodes and loader is None:
        yield note("no GPU is seen, and no Vulkan is installed", "--device gpu cannot be used here.")
        return
    barred = [node for node in nodes if not machine.may_use(node)]
    if barred:
        group = "render" if "dri" in barred[0].parts else "video"
        yield warning(f"this user may not open {machine.shown(barred[0])}", "The GPU's driver is reached through it.",
                      f"sudo usermod -aG {group} $USER   # then log in again")
    if loader is None:
        yield note("there is a GPU, and no Vulkan loader", "LiteRT's GPU accelerator runs over Vulkan.",
                   INSTALL)
        return
    yield ok(f"Vulkan loader {version_of(loader)}".rstrip())
    state, why, mend = litert_state(machine)
    if state != "usable":
        yield note(f"--device gpu cannot be used: {why}", "", mend)
    elif machine.real:
        yield from _adapters()


def _adapters() -> Iterator[Finding]:
    try:
        found = adapters()
    except isolation.ChildError as error:
        yield warning(f"Vulkan {error.how} while {error.step or 'it was asked'}",
                      error.log or "A driver of Vulkan is broken; --device gpu cannot be used.",
                      "ls /usr/share/vulkan/icd.d /etc/vulkan/icd.d   # the drivers; update or remove the broken one")
        return
    except EdgeKitError as error:
        yield warning(error.message, "", error.hint)
        return
    for adapter in found:
        if adapter.software:
            yield note(f"Vulkan offers {adapter.name}", f"It is no GPU: {SOFTWARE}.")
        else:
            yield ok(f"Vulkan offers {adapter.name}, {adapter.kind}, Vulkan {adapter.api}")
    if found:
        return
    why = "--device gpu cannot be used: no driver of a GPU answers."
    chosen = chosen_drivers()
    if chosen:
        yield warning("Vulkan has no adapter", f"{why} The environment names the only ones that count: {chosen}.",
                      f"unset {chosen.partition('=')[0]}   # or correct it")
    else:
        yield note("Vulkan has no adapter", why,
                   "sudo apt install mesa-vulkan-drivers vulkan-tools && vulkaninfo --summary   "
                   "# on a Jetson the driver comes with JetPack")


def providers(machine: Machine) -> Iterator[Finding]:
    """What onnxruntime was built with need not work."""
    for one in list_providers(machine):
        if one.state != "usable":
            yield note(f"--device {one.use} cannot be used: {one.detail}", f"{one.name} was built with it.", one.mend)


def jetson(machine: Machine) -> Iterator[Finding]:
    """Which JetPack it has decides what runs."""
    about = board(machine.root)
    if not about.release:
        return
    major = about.release.partition("JetPack ")[2][:1]
    if major in ("4", "5"):
        yield warning(
            f"{about.release}", "EdgeKit's GPU path needs the Vulkan driver and Python of JetPack 6; the processor and "
            "a Coral can be used.", "Flash JetPack 6 or 7 where NVIDIA has it for this module (SDK Manager).")
    else:
        yield ok(about.release)


def jetson_camera(machine: Machine) -> Iterator[Finding]:
    """A CSI camera of a Jetson comes through NVIDIA's elements of GStreamer, which no wheel has."""
    if not machine.path("etc/nv_tegra_release").exists():
        return
    if not machine.program("gst-launch-1.0"):
        yield warning("there is no gst-launch-1.0", "csi: and gst: sources need it; OpenCV's wheels have no GStreamer.",
                      "sudo apt install gstreamer1.0-tools")
    if not machine.entries("usr/lib/aarch64-linux-gnu/gstreamer-1.0/libgstnvarguscamerasrc.so"):
        yield warning("GStreamer has no nvarguscamerasrc", "A camera on the board's connector comes through it.",
                      "sudo apt install nvidia-l4t-gstreamer nvidia-l4t-camera   # in a container: pass them on")


CHECKS = (
    Check("vulkan", GROUP, vulkan),
    Check("onnx-providers", GROUP, providers),
    Check("jetpack", GROUP, jetson),
    Check("jetson-camera", GROUP, jetson_camera),
)
