"""What `--device auto` makes of a GPU: whether a driver for Vulkan and a device are there, looked up in files.

That an adapter answers is seen when the model is opened on it, which takes seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import DeviceError
from edgekit.tflite import ModelFile
from edgekit_devices import sysfs

CHOSEN = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
"""Environment variables of the Vulkan loader that name the drivers to use, in the place of those installed."""
ADDED = "VK_ADD_DRIVER_FILES"
DRIVERS = "vulkan/icd.d"
FOLDERS = ("etc", "usr/local/etc", "usr/local/share", "usr/share", "etc/xdg")
NODES = ("dri/renderD*", "nvidia[0-9]*", "nvhost-gpu", "nvhost-ctrl-gpu", "nvgpu/*/channel")
"""What drivers of GPUs put into /dev: those of the kernel, of NVIDIA's cards, and of Jetsons by their generation."""
SOFTWARE = ("lvp_icd", "vk_swiftshader_icd")
"""Drivers that compute on the processor. They count where the environment names them, and else never win."""


def attached(model: ModelFile) -> str:
    """The drivers with the times when they were installed, and the devices; nothing where one of both is missing.

    Raises:
        DeviceError: the processor lacks what the GPU library needs, this user may not open the device, or the
            environment names drivers that are missing.
        MissingDependencyError: the GPU library is not installed.
    """
    root = sysfs.root()
    named = [path for variable in CHOSEN for path in _listed(variable)]
    nodes = sorted(path for pattern in NODES for path in (root / "dev").glob(pattern))
    drivers = named or [path for path in (*_installed(root), *_listed(ADDED)) if not path.stem.startswith(SOFTWARE)]
    present = [path for path in drivers if path.exists()]
    if model.format == "tflite" and named and not present:
        raise DeviceError(f"{chosen_drivers()} names drivers that are not there", hint="Correct it, or unset it.")
    if model.format != "tflite" or not present or not (named or nodes):
        return ""
    from edgekit_devices.gpu import requirements  # which machines without a GPU do without

    requirements.check(root)
    if not named and not any(os.access(node, os.R_OK | os.W_OK, effective_ids=True) for node in nodes):
        raise DeviceError(
            f"this user may not open {nodes[0]}",
            hint="sudo usermod -aG render,video $USER, and log in again",
        )
    return " ".join((*(f"{path}@{path.stat().st_mtime_ns}" for path in present), *map(str, nodes)))


def chosen_drivers() -> str:
    """The variable by which the environment names the drivers to use, with its value; empty where it names none."""
    return next((f"{name}={os.environ[name]}" for name in CHOSEN if os.environ.get(name)), "")


def _listed(variable: str) -> list[Path]:
    return [Path(path) for path in os.environ.get(variable, "").split(os.pathsep) if path]


def _installed(root: Path) -> Iterator[Path]:
    """Manifests of the drivers, where the loader's documentation has it look."""
    for folder in (root / name for name in FOLDERS):
        yield from sysfs.entries(folder / DRIVERS, "*.json")
