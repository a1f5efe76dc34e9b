"""The Coral Edge TPU: its runtime found, its devices counted, and only then its delegate loaded.

The delegate itself gives no reason when it fails (measured with Google's libraries of 2020 and 2021), so that
each step on the way is tried and named here.
"""

from __future__ import annotations

import ctypes
import os

from edgekit.errors import DeviceError
from edgekit.interpreter import Delegate, load_delegate

LIBRARY = "libedgetpu.so.1"
LIBRARY_VARIABLE = "EDGEKIT_LIBEDGETPU"
"""Environment variable with the path of another library."""

_FUNCTIONS = ("edgetpu_list_devices", "edgetpu_free_devices", "tflite_plugin_create_delegate")
_INSTALL = (
    "Install the Debian package libedgetpu1-std (builds for today's systems: "
    "https://github.com/feranick/libedgetpu/releases), or run the uncompiled model with --device cpu."
)
_ATTACH = (
    "USB: lsusb has to show 18d1:9302, or 1a6e:089a before the first use; plug it in again, and see that "
    "your user may open it (group plugdev). PCIe: /dev/apex_0 has to be there (driver gasket, group apex)."
)


def open_delegate(spec: str) -> Delegate:
    """Open an Edge TPU for the interpreter.

    Args:
        spec: Which one. ========== ===============================
              (empty)    any
              `usb`      any on USB
              `usb:N`    the N-th on USB, from 0
              `pci`      any on PCIe
              `pci:N`    the N-th on PCIe
              `:N`       the N-th of all
              ========== ===============================

    Raises:
        DeviceError: the Edge TPU runtime is not installed, no device is attached, or it refuses to open.
    """
    library = os.environ.get(LIBRARY_VARIABLE, LIBRARY)
    if count_devices(library) == 0:
        raise DeviceError("no Edge TPU attached", hint=_ATTACH)
    try:
        return load_delegate(library, {"device": spec} if spec else {})
    except (ValueError, OSError) as error:
        wanted = f"Edge TPU '{spec}'" if spec else "the Edge TPU"
        raise DeviceError(
            f"{wanted} cannot be opened by {library}",
            hint=f"See that it is the one meant, and that no other program uses it. {_ATTACH}",
        ) from error


def count_devices(library: str = LIBRARY) -> int:
    """How many Edge TPUs the runtime sees; none of them is opened.

    Args:
        library: Name or path of libedgetpu.

    Raises:
        DeviceError: the library cannot be loaded, or is no Edge TPU runtime.
    """
    runtime = _load_runtime(library)
    list_devices, free_devices = runtime.edgetpu_list_devices, runtime.edgetpu_free_devices
    list_devices.argtypes, list_devices.restype = [ctypes.POINTER(ctypes.c_size_t)], ctypes.c_void_p
    free_devices.argtypes, free_devices.restype = [ctypes.c_void_p], None
    count = ctypes.c_size_t()
    devices = list_devices(ctypes.byref(count))
    if devices:
        free_devices(devices)
    return count.value


def _load_runtime(library: str) -> ctypes.CDLL:
    try:
        runtime = ctypes.CDLL(library)
    except OSError as error:
        raise DeviceError(f"no Edge TPU runtime ({error})", hint=_INSTALL) from error
    missing = [name for name in _FUNCTIONS if not hasattr(runtime, name)]
    if missing:
        raise DeviceError(f"{library} is not an Edge TPU runtime: it has no {missing[0]}", hint=_INSTALL)
    return runtime
