"""What LiteRT's GPU library needs before it may be touched: looked up in files, with nothing loaded."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import sys
from pathlib import Path

from edgekit.errors import DeviceError, MissingDependencyError
from edgekit.processor import features
from edgekit_devices import sysfs

PACKAGE, OTHER_PACKAGE = "ai_edge_litert", "tflite_runtime"
LIBRARY = "libLiteRtWebGpuAccelerator.so"
MANY_BITS = 2**32

_ARM64, _LSE = "asimd", "atomics"
"""What the kernel calls instructions of every 64-bit ARM processor, and those that came with ARMv8.1."""
_AT_HWCAP, _HWCAP_ATOMICS = 16, 1 << 8

_INSTALL = "Install it: pip install 'ai-edge-litert>=2.3'."
_CPU = "Use --device cpu."


def check(root: Path | None = None) -> Path:
    """See that the GPU library is here, and that this processor can run it.

    A processor without LSE atomics dies of the library's first instruction of that kind, while it is loaded.

    Args:
        root: What is `/`, for a tree kept from another machine; by default `sysfs.root()`.

    Returns:
        Path of the library.

    Raises:
        DeviceError: the processor lacks what it needs.
        MissingDependencyError: the library is not installed.
    """
    if sys.maxsize < MANY_BITS:
        raise DeviceError(
            "the GPU needs a 64-bit system, and this Python is a 32-bit one, for which LiteRT has no GPU library",
            hint=f"Install the 64-bit image of the system. {_CPU}",
        )
    if not has_lse(root or sysfs.root()):
        raise DeviceError(
            "this processor has no LSE atomics, without which LiteRT's GPU library dies (SIGILL)",
            hint="They came with ARMv8.1: Jetson Xavier, Orin and Thor and Raspberry Pi 5 have them, Jetson Nano and "
            f"TX2 and Raspberry Pi 3 and 4 do not. {_CPU}",
        )
    return _library()


def has_lse(root: Path) -> bool:
    """Whether the processor has LSE atomics, or is none of those that may lack them.

    Args:
        root: What is `/`.
    """
    found = features(root)
    if _ARM64 in found:
        return _LSE in found
    if platform.machine() != "aarch64":
        return True
    # An emulator shows the files of the machine that it runs on; what it tells its programs is true.
    ask = ctypes.CDLL(None).getauxval
    ask.restype, ask.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    return bool(ask(_AT_HWCAP) & _HWCAP_ATOMICS)


def _library() -> Path:
    package = importlib.util.find_spec(PACKAGE)
    folders = [Path(folder) for folder in (package.submodule_search_locations or ())] if package else []
    if not folders:
        instead = ", and tflite-runtime, which is, has no GPU" if importlib.util.find_spec(OTHER_PACKAGE) else ""
        raise MissingDependencyError(f"the GPU needs ai-edge-litert, which is not installed{instead}", hint=_INSTALL)
    library = next((folder / LIBRARY for folder in folders if (folder / LIBRARY).is_file()), None)
    if library is None:
        raise MissingDependencyError(
            f"ai-edge-litert is installed without its GPU library ({LIBRARY} is not in {folders[0]})",
            hint="Install it anew: pip install --force-reinstall 'ai-edge-litert>=2.3'.",
        )
    return library
