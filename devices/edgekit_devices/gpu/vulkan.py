"""Asks the Vulkan loader which adapters there are. Called in a child process only: drivers crash and hang.

The few structures used are those of version 1.0 of the specification (https://registry.khronos.org/vulkan/), which
every loader and driver knows.
"""

from __future__ import annotations

import ctypes
from typing import Any

from edgekit.errors import DeviceError
from edgekit_devices.isolation import Say

LOADER = "libvulkan.so.1"
INSTALL = "Install the Vulkan loader: sudo apt install libvulkan1. The GPU's driver has to bring Vulkan too."

KINDS = ("other", "integrated", "discrete", "virtual", "software")
"""VkPhysicalDeviceType, by number; `software` is a program that computes on the processor."""

_SUCCESS, _INCOMPATIBLE_DRIVER = 0, -9
_INSTANCE_CREATE_INFO = 1
_PROPERTIES_BYTES = 4096
"""Room for VkPhysicalDeviceProperties, which takes 824."""


class _CreateInfo(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("next", ctypes.c_void_p), ("flags", ctypes.c_uint32),
        ("application", ctypes.c_void_p), ("layer_count", ctypes.c_uint32), ("layers", ctypes.c_void_p),
        ("extension_count", ctypes.c_uint32), ("extensions", ctypes.c_void_p),
    )


class _Properties(ctypes.Structure):
    """The beginning of VkPhysicalDeviceProperties, and room for the rest of it."""

    _fields_ = (
        ("api_version", ctypes.c_uint32), ("driver_version", ctypes.c_uint32), ("vendor", ctypes.c_uint32),
        ("device", ctypes.c_uint32), ("type", ctypes.c_int), ("name", ctypes.c_char * 256),
        ("rest", ctypes.c_char * _PROPERTIES_BYTES),
    )


def enumerate_adapters(say: Say) -> list[dict[str, str]]:
    """Every adapter's name, kind and version of Vulkan; none where no driver answers.

    Args:
        say: Told what is done next.

    Raises:
        DeviceError: there is no loader, or it fails.
    """
    say("it loaded the Vulkan loader")
    try:
        vulkan = ctypes.CDLL(LOADER)
    except OSError as error:
        raise DeviceError(f"there is no Vulkan: {error}", hint=INSTALL) from error
    say("it asked the Vulkan drivers for their adapters")
    instance = _create_instance(vulkan)
    if instance is None:
        return []
    try:
        return [_describe(vulkan, adapter) for adapter in _enumerate(vulkan, instance)]
    finally:
        vulkan.vkDestroyInstance(instance, None)


def _create_instance(vulkan: ctypes.CDLL) -> ctypes.c_void_p | None:
    """A Vulkan instance; None where the loader finds no driver that works."""
    instance = ctypes.c_void_p()
    code = vulkan.vkCreateInstance(
        ctypes.byref(_CreateInfo(type=_INSTANCE_CREATE_INFO)), None, ctypes.byref(instance)
    )
    if code == _INCOMPATIBLE_DRIVER:
        return None
    if code != _SUCCESS:
        raise DeviceError(f"Vulkan cannot be started (vkCreateInstance gives {code})", hint=INSTALL)
    return instance


def _enumerate(vulkan: ctypes.CDLL, instance: ctypes.c_void_p) -> list[Any]:
    count = ctypes.c_uint32()
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
    found = (ctypes.c_void_p * count.value)()
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), found)
    return list(found[: count.value])


def _describe(vulkan: ctypes.CDLL, adapter: Any) -> dict[str, str]:
    about = _Properties()
    vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(adapter), ctypes.byref(about))
    version = about.api_version
    return {
        "name": about.name.decode("utf-8", "replace"),
        "kind": KINDS[about.type] if 0 <= about.type < len(KINDS) else KINDS[0],
        "api": f"{version >> 22 & 0x7F}.{version >> 12 & 0x3FF}.{version & 0xFFF}",
    }
