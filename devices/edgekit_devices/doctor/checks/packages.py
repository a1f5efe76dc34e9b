"""What pip installed: which runtime, whether versions go together, and whether it can be imported."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit_devices.doctor.finding import Check, Finding, blocked, note, ok, warning
from edgekit_devices.listing.accelerators import RUNTIMES, runtime_command
from edgekit_devices.listing.graphics import ONNXRUNTIMES
from edgekit_devices.machine import Machine
from edgekit_devices.machine.python import SYSTEM_OPENCV

GROUP = "Packages"
LITERT, TFLITE = RUNTIMES
LITERT_OLDEST = (2, 3)
OPENCVS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
NEEDED = ("click", "flatbuffers", "numpy")
EXTRAS = {
    "camera": ("pictures and video", (*OPENCVS, SYSTEM_OPENCV)),
    "sensors": ("serial ports", ("pyserial",)),
    "mqtt": ("MQTT", ("paho-mqtt",)),
    "audio": ("microphones", ("sounddevice",)),
}
"""What an extra is for, and the packages of which one is enough."""


def runtime(machine: Machine) -> Iterator[Finding]:
    """One runtime, and the one that is maintained."""
    packages = machine.python.packages
    found = [name for name in RUNTIMES if name in packages]
    if not found:
        yield blocked("no TensorFlow Lite runtime is installed", "No model can be run.", runtime_command(machine))
        return
    shown = f"{found[0]} {packages[found[0]].version}"
    if found[0] == TFLITE and machine.python.bits == 64:
        yield warning(f"the runtime is {shown}", "It is of 2023, and 5 to 12 times slower on int8 models than LiteRT.",
                      "pip uninstall -y tflite-runtime && pip install ai-edge-litert")
    elif found[0] == LITERT and packages[LITERT].numbers < LITERT_OLDEST:
        yield warning(f"the runtime is {shown}", "EdgeKit is tested with 2.3 and later.",
                      "pip install -U ai-edge-litert")
    else:
        yield ok(f"the runtime is {shown}")
    if len(found) > 1:
        yield note(f"{TFLITE} is installed besides", f"{LITERT} is what EdgeKit uses.", f"pip uninstall -y {TFLITE}")


def numpy_and_runtime(machine: Machine) -> Iterator[Finding]:
    """tflite-runtime was built for NumPy 1."""
    packages = machine.python.packages
    numpy = packages.get("numpy")
    if numpy and numpy.numbers >= (2,) and TFLITE in packages and LITERT not in packages:
        yield blocked(
            f"tflite-runtime {packages[TFLITE].version} does not work with NumPy {numpy.version}",
            "It was built for NumPy 1, and fails or crashes when it is imported.", "pip install 'numpy<2'",
        )


def needed(machine: Machine) -> Iterator[Finding]:
    """What EdgeKit itself is made of."""
    wanted = NEEDED if machine.python.version >= (3, 11) else (*NEEDED, "tomli")
    missing = [name for name in wanted if name not in machine.python.packages]
    if missing:
        yield blocked(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
                      "EdgeKit needs it for every model.", f"pip install {' '.join(missing)}")


def opencv(machine: Machine) -> Iterator[Finding]:
    """All four packages of OpenCV write into the same folder."""
    found = [name for name in OPENCVS if name in machine.python.packages]
    if len(found) > 1:
        yield warning(
            f"{' and '.join(found)} are installed beside each other",
            "They hold the same module, cv2: what is imported is a mixture, and removing one breaks the other.",
            f"pip uninstall -y {' '.join(found)} && pip install opencv-python-headless",
        )
    elif found and "headless" not in found[0]:
        yield note(f"{found[0]} has windows, which EdgeKit does not open",
                   "It needs libraries of a desktop (libGL) that a device may not have; the headless one does not.",
                   f"pip uninstall -y {found[0]} && pip install opencv-python-headless")


def onnxruntime(machine: Machine) -> Iterator[Finding]:
    """Both packages write into the same folder."""
    if all(name in machine.python.packages for name in ONNXRUNTIMES):
        yield warning(
            f"{' and '.join(ONNXRUNTIMES)} are installed beside each other",
            "They hold the same module: which one is imported depends on the order in which they were installed.",
            f"pip uninstall -y {' '.join(ONNXRUNTIMES)} && pip install onnxruntime-gpu",
        )


def pycoral(machine: Machine) -> Iterator[Finding]:
    """The package of that name on PyPI is somebody else's."""
    package = machine.python.packages.get("pycoral")
    if package is None:
        return
    if (package.folder / "pycoral" / "utils" / "edgetpu.py").exists():
        yield note(f"pycoral {package.version} is installed", "EdgeKit uses libedgetpu itself, and needs none of it.")
    else:
        yield warning(
            f"pycoral {package.version} is not Google's",
            "The package of that name on PyPI is about coral reefs; Google's was never there. EdgeKit needs neither.",
            "pip uninstall -y pycoral",
        )


def extras(machine: Machine) -> Iterator[Finding]:
    """What is left out of a bare install on purpose."""
    packages = machine.python.packages
    missing = [name for name, (_, any_of) in EXTRAS.items() if not any(one in packages for one in any_of)]
    if missing:
        uses = ", ".join(EXTRAS[name][0] for name in missing)
        yield note(f"not installed: what {uses} {'needs' if len(missing) == 1 else 'need'}", "",
                   _installing(missing, machine.python.bits))


def _installing(missing: list[str], bits: int) -> str:
    """What installs extras; OpenCV has no wheel for 32-bit ARM."""
    from_system = ["camera"] if bits == 32 and "camera" in missing else []
    by_pip = [name for name in missing if name not in from_system]
    steps = [f"sudo apt install {SYSTEM_OPENCV}"] if from_system else []
    return " && ".join([*steps, *([f"pip install 'edgekit-sdk[{','.join(by_pip)}]'"] if by_pip else [])])


CHECKS = (
    Check("runtime", GROUP, runtime),
    Check("numpy-and-runtime", GROUP, numpy_and_runtime),
    Check("needed-packages", GROUP, needed),
    Check("opencv", GROUP, opencv),
    Check("onnxruntime", GROUP, onnxruntime),
    Check("pycoral", GROUP, pycoral),
    Check("extras", GROUP, extras),
)
