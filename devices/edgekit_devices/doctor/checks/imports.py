"""Whether what is installed can be imported: each in a child process, since native code may crash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from edgekit_devices import isolation
from edgekit_devices.doctor.finding import Check, Finding, blocked, ok, warning
from edgekit_devices.listing.asked import FUNCTIONS
from edgekit_devices.listing.graphics import ONNXRUNTIMES
from edgekit_devices.machine import Machine
from edgekit_devices.machine.python import SYSTEM_OPENCV

GROUP = "Packages"
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Module:
    """A module with native code.

    Attributes:
        name: As it is imported.
        packages: Distributions that bring it.
        vital: Whether nothing can be run without it.
    """

    name: str
    packages: tuple[str, ...]
    vital: bool = False


MODULES = (
    Module("numpy", ("numpy",), True),
    Module("ai_edge_litert.interpreter", ("ai-edge-litert",), True),
    Module("tflite_runtime.interpreter", ("tflite-runtime",), True),
    Module("cv2", ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless",
                   "opencv-contrib-python", SYSTEM_OPENCV)),
    Module("simplejpeg", ("simplejpeg",)),
    Module("onnxruntime", ONNXRUNTIMES),
    Module("sounddevice", ("sounddevice",)),
    Module("pymicro_features", ("pymicro-features",)),
)

CURES: Mapping[str, tuple[str, str]] = {
    "libGL.so": ("The build of OpenCV with windows needs a desktop's libraries.",
                 "pip uninstall -y opencv-python opencv-contrib-python && pip install opencv-python-headless"),
    "libgthread": ("The build of OpenCV with windows needs a desktop's libraries.",
                   "pip uninstall -y opencv-python opencv-contrib-python && pip install opencv-python-headless"),
    "PortAudio library not found": ("sounddevice needs PortAudio from the system.", "sudo apt install libportaudio2"),
    "compiled using NumPy 1": ("It was built for NumPy 1.", "pip install 'numpy<2'"),
    "_ARRAY_API not found": ("It was built for NumPy 1.", "pip install 'numpy<2'"),
    "No module named 'numpy'": ("It needs NumPy.", "pip install numpy"),
    "libatomic.so": ("A library of the system is missing.", "sudo apt install libatomic1"),
    "libopenblas": ("A library of the system is missing.", "sudo apt install libopenblas0"),
    "GLIBC_": ("The wheel is for a newer system.", "Install Debian 12 (bookworm), Ubuntu 22.04 or later."),
    "GLIBCXX_": ("Its C++ library is newer than the system's.", "sudo apt install --only-upgrade libstdc++6"),
    "wrong ELF class": ("It is built for another processor or word length.", ""),
    "static TLS": ("Libraries that are loaded first took the room that it needs.",
                   "export LD_PRELOAD=/usr/lib/aarch64-linux-gnu/libgomp.so.1"),
}
"""By what the error says: what that means, and what mends it; nothing means installing it again."""


def imports(module: Module, machine: Machine) -> Iterator[Finding]:
    """Import one, where it is installed."""
    package = next((name for name in module.packages if name in machine.python.packages), None)
    if package is None:
        return
    version = machine.python.packages[package].version
    again = f"pip install --force-reinstall --no-deps {package}=={version}"
    if package == SYSTEM_OPENCV:
        again = f"sudo apt install --reinstall {package}"
    fails = blocked if module.vital else warning
    try:
        answer = isolation.call(f"{FUNCTIONS}ask_module", {"name": module.name}, seconds=SECONDS)
    except isolation.CrashedError as error:
        yield fails(f"{package} {error.how} when it was imported", _of_crash(error), again)
        return
    except isolation.HungError as error:
        yield fails(f"{package} {error.how} when it was imported", "A disk that does not answer may be the cause.",
                    again)
        return
    if not answer["error"]:
        yield ok(f"{package} {version} can be imported" if version else f"{package} can be imported")
        return
    why, mend = next((cure for words, cure in CURES.items() if words in answer["error"]), ("", ""))
    yield fails(f"{package} is installed and cannot be imported: {answer['error']}", why, mend or again)


def _of_crash(error: isolation.CrashedError) -> str:
    if "SIGILL" in error.how:
        return "It was built for a newer processor than this one."
    if "SIGBUS" in error.how:
        return "A file of it is damaged, or there is no room in /dev/shm."
    return error.log or "It may be damaged, or of a build that does not go with the others."


CHECKS = tuple(
    Check(f"import-{module.name.partition('.')[0]}", GROUP, partial(imports, module)) for module in MODULES
)
