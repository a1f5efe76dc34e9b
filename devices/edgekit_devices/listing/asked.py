"""Questions to drivers and native libraries, asked in a child process, which they may crash or hang."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from fcntl import ioctl
from typing import Any

from edgekit_devices.isolation import Say

FUNCTIONS = f"{__name__}:"


def ask_edgetpus(say: Say, *, library: str) -> dict[str, Any]:
    """What libedgetpu sees.

    Returns:
        `version` in its own words, and `devices`, each as its kind and path, in the order of their numbers.

    Raises:
        DeviceError: the library cannot be loaded, or is another.
    """
    from edgekit_devices.coral.runtime import Runtime

    say("it was loaded")
    runtime = Runtime(library)
    say("it listed its devices")
    return {"version": runtime.version(), "devices": [[one.kind, one.path] for one in runtime.devices()]}


def ask_cameras(say: Say, *, paths: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the drivers of video devices say. Nothing is changed, and no picture is taken.

    Returns:
        By path `error`, the number of a system error, where the device could not be opened; else `captures`, whether
        it gives pictures, and `busy`, whether another process takes them.
    """
    found = {}
    for path in paths:
        say(f"{path} was asked")
        try:
            file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            found[path] = {"error": error.errno}
            continue
        try:
            found[path] = _ask_camera(file)
        except OSError as error:
            found[path] = {"error": error.errno}
        finally:
            os.close(file)
    return found


def _ask_camera(file: int) -> dict[str, Any]:
    from edgekit_devices.cameras import v4l2_api as api

    able = api.Capability()
    ioctl(file, api.QUERYCAP, able)
    caps = able.device_caps if able.capabilities & api.CAP_DEVICE_CAPS else able.capabilities
    captures = bool(caps & api.CAP_VIDEO_CAPTURE and caps & api.CAP_STREAMING)
    return {"captures": captures, "busy": captures and _is_busy(file)}


def _is_busy(file: int) -> bool:
    """Whether another has the driver's buffers: giving up ours, of which there are none, is refused then."""
    from edgekit_devices.cameras import v4l2_api as api

    try:
        ioctl(file, api.REQBUFS, api.RequestBuffers(count=0, type=api.BUF_TYPE_VIDEO_CAPTURE, memory=api.MEMORY_MMAP))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def ask_providers(say: Say) -> dict[str, str]:
    """The devices that run .onnx files with the onnxruntime that is installed.

    Returns:
        By the name for `--device` why it cannot be used; empty where nothing is known against it.

    Raises:
        MissingDependencyError: onnxruntime cannot be imported.
    """
    from edgekit_devices.onnx.devices import CUDA, TENSORRT
    from edgekit_devices.onnx.session import import_onnxruntime, why_not_loaded

    say("onnxruntime was imported")
    runtime = import_onnxruntime()
    built_in = runtime.get_available_providers()
    say("onnxruntime's providers were loaded")
    return {
        **{
            name: why_not_loaded(runtime, provider.library)
            for name, provider in (("tensorrt", TENSORRT), ("cuda", CUDA)) if provider.name in built_in
        },
        "onnx": "",
    }


def ask_module(say: Say, *, name: str) -> dict[str, str]:
    """Import a module, as one whose native part may crash.

    Returns:
        `error`, empty where it could be imported; `version`, where it says one.
    """
    import importlib

    say(f"{name} was imported")
    try:
        module = importlib.import_module(name)
    except Exception as error:  # what a broken install raises is of any type
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", "version": ""}
    return {"error": "", "version": str(getattr(module, "__version__", ""))}

