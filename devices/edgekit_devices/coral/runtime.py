"""The Edge TPU's runtime library, libedgetpu: found, looked through, and asked what it sees. It opens no device."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.errors import DeviceError
from edgekit.interpreter import DELEGATE_FUNCTIONS

LIBRARY = "libedgetpu.so.1"
LIBRARY_VARIABLE = "EDGEKIT_LIBEDGETPU"
"""Environment variable with the path of another library."""
LIBRARY_OPTION = "library"

Kind = Literal["pci", "usb"]
_KINDS: Mapping[int, Kind] = {0: "pci", 1: "usb"}
_LISTING = ("edgetpu_list_devices", "edgetpu_free_devices")

INSTALL = (
    "Install the Debian package libedgetpu1-std (builds for today's systems: "
    "https://github.com/feranick/libedgetpu/releases), or run the uncompiled model with --device cpu."
)
_USB_LIBRARY = (
    "The Edge TPU's runtime needs it also where the device is on PCIe. Install it: sudo apt install libusb-1.0-0."
)
_OTHER_BUILD = (
    "Take a build for this system and processor: dpkg --print-architecture says which, and "
    "https://github.com/feranick/libedgetpu/releases has them."
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A device that the runtime sees; it may still not be allowed to open it.

    Attributes:
        kind: `usb` or `pci`.
        path: In the runtime's words: `/sys/bus/usb/devices/1-1.4` or `/dev/apex_0`.
    """

    kind: Kind
    path: str


class _Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("path", ctypes.c_char_p)]


def library_path(options: Mapping[str, str] | None = None) -> str:
    """Name or path of the library: the option `library`, else the environment's, else the system's."""
    return (options or {}).get(LIBRARY_OPTION) or os.environ.get(LIBRARY_VARIABLE) or LIBRARY


class Runtime:
    """libedgetpu, loaded.

    Args:
        library: Its name or path.

    Raises:
        DeviceError: it cannot be loaded, or is something else.
    """

    def __init__(self, library: str = LIBRARY) -> None:
        self.library = library
        try:
            self._native = ctypes.CDLL(library)
        except OSError as error:
            raise explain_load(library, str(error)) from error
        for name in (*DELEGATE_FUNCTIONS, *_LISTING):
            if not hasattr(self._native, name):
                kind = "a TensorFlow Lite delegate" if name in DELEGATE_FUNCTIONS else "an Edge TPU runtime"
                raise DeviceError(f"{library} is not {kind}: it has no {name}", hint=INSTALL)

    def devices(self) -> tuple[Listed, ...]:
        """What is attached, in the order by which devices are numbered."""
        list_devices, free_devices = self._native.edgetpu_list_devices, self._native.edgetpu_free_devices
        list_devices.argtypes, list_devices.restype = [ctypes.POINTER(ctypes.c_size_t)], ctypes.POINTER(_Device)
        free_devices.argtypes, free_devices.restype = [ctypes.POINTER(_Device)], None
        count = ctypes.c_size_t()
        found = list_devices(ctypes.byref(count))
        if not found:
            return ()
        try:
            return tuple(
                Listed(_KINDS[found[at].type], (found[at].path or b"").decode("utf-8", "replace"))
                for at in range(count.value) if found[at].type in _KINDS
            )
        finally:
            free_devices(found)

    def version(self) -> str:
        """Such as `BuildLabel(...), RuntimeVersion(14)`; empty where the library does not tell."""
        ask: Any = getattr(self._native, "edgetpu_version", None)
        if ask is None:
            return ""
        ask.argtypes, ask.restype = [], ctypes.c_char_p
        return (ask() or b"").decode("utf-8", "replace")

    def runtime_version(self) -> int | None:
        """The number that a compiled model's need is held against, such as 14; None where it is not told."""
        found = re.search(r"RuntimeVersion\((\d+)\)", self.version())
        return int(found[1]) if found else None


def explain_load(library: str, reason: str) -> DeviceError:
    """Why the library cannot be loaded, from what the system's loader says.

    Args:
        library: Its name or path.
        reason: The text of the OSError.
    """
    if "libusb" in reason:
        return DeviceError(f"{library} cannot be loaded, for want of libusb ({reason})", hint=_USB_LIBRARY)
    if reason.startswith(f"{library}: cannot open shared object file"):
        return DeviceError(f"no Edge TPU runtime ({reason})", hint=INSTALL)
    return DeviceError(f"{library} cannot be loaded ({reason})", hint=_OTHER_BUILD)


def count_devices(library: str = LIBRARY) -> int:
    """How many Edge TPUs the runtime sees; none of them is opened.

    Args:
        library: Name or path of libedgetpu.

    Raises:
        DeviceError: the library cannot be loaded, or is no Edge TPU runtime.
    """
    return len(Runtime(library).devices())
