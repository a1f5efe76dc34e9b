"""The Python that EdgeKit runs in."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit_devices.doctor.finding import Check, Finding, blocked, note, ok, warning
from edgekit_devices.machine import Machine

OLDEST, NEWEST = (3, 10), (3, 14)
"""For which ai-edge-litert 2.3 has wheels."""
NEWEST_32_BIT = (3, 11)
"""For which tflite-runtime 2.14 has wheels."""
GLIBC = {"ai-edge-litert": (2, 27), "tflite-runtime": (2, 34)}
"""Oldest C library that the wheels for ARM run with: their tags are manylinux_2_27 and manylinux_2_34."""
GROUP = "Python"
_64_BIT = ("aarch64", "x86_64")


def version(machine: Machine) -> Iterator[Finding]:
    """A runtime has to be there for this Python."""
    found, newest = machine.python.version[:2], NEWEST if machine.python.bits == 64 else NEWEST_32_BIT
    shown = f"Python {machine.python.shown}"
    newest_shown = ".".join(map(str, newest))
    if found < OLDEST:
        yield blocked(f"{shown} is too old", "EdgeKit needs 3.10 or later.",
                      "sudo apt install python3.11-venv && python3.11 -m venv .venv   # and install EdgeKit there")
    elif found > newest:
        runtime = "TensorFlow Lite runtime for 32-bit systems" if newest == NEWEST_32_BIT else "ai-edge-litert"
        yield warning(
            f"{shown} is newer than what {runtime} has wheels for ({newest_shown})",
            "pip finds no runtime, or an old one, for it.",
            f"python{newest_shown} -m venv .venv   # and install EdgeKit there",
        )
    else:
        yield ok(f"{shown}, {machine.python.bits} bits, {machine.python.executable}")
    if machine.python.free_threaded:
        yield warning(
            f"{shown} is the build without the global lock", "Neither runtime has wheels for it.",
            f"python{'.'.join(map(str, found))} -m venv .venv   # the ordinary build",
        )


def architecture(machine: Machine) -> Iterator[Finding]:
    """What the system is built for decides which runtime there is."""
    kernel, bits = machine.kernel[0], machine.python.bits
    if bits == 64:
        yield ok(f"a 64-bit system on {kernel}")
    elif kernel in _64_BIT:
        yield _mixed(kernel)
    elif kernel.startswith("armv6"):
        yield blocked(
            f"the processor is {kernel}", "No TensorFlow Lite runtime is built for ARMv6 (Raspberry Pi 1 and Zero).",
            "Take a Raspberry Pi Zero 2 W or later.",
        )
    else:
        yield note(
            f"a 32-bit system on {kernel}",
            "It runs tflite-runtime 2.14 of 2023 with NumPy 1, which is 5 to 12 times slower on int8 models than "
            "ai-edge-litert, and has no GPU.",
            "Install a 64-bit system (Raspberry Pi OS 64-bit), where the processor has 64 bits.",
        )


def _mixed(kernel: str) -> Finding:
    """pip goes by the kernel, and chooses what has no wheel for this system."""
    return warning(
        f"a 32-bit system on a 64-bit kernel ({kernel})",
        "pip takes the machine for a 64-bit one, and finds no ai-edge-litert for it. Programs are 32-bit, so that "
        "tflite-runtime is what runs.",
        "Install Raspberry Pi OS 64-bit; or boot the 32-bit kernel:\n"
        "echo arm_64bit=0 | sudo tee -a /boot/firmware/config.txt && sudo reboot   # not on a Raspberry Pi 5",
    )


def c_library(machine: Machine) -> Iterator[Finding]:
    """Wheels are built for glibc from a version on."""
    name, text = machine.python.libc
    if name != "glibc":
        yield blocked(
            f"the C library is {name or 'not glibc'} {text}".strip(),
            "The runtimes have no wheels for it (Alpine and others with musl).",
            "Take a system or container image with glibc, such as debian:bookworm-slim.",
        )
        return
    version = tuple(int(part) for part in text.split(".") if part.isdigit())
    runtime = "ai-edge-litert" if machine.python.bits == 64 else "tflite-runtime"
    if version and version < GLIBC[runtime]:
        needed = ".".join(map(str, GLIBC[runtime]))
        yield blocked(f"glibc {text} is too old for {runtime}, which needs {needed}", "Its wheel cannot be loaded.",
                      "Install Debian 12 (bookworm), Ubuntu 22.04 or later.")
    else:
        yield ok(f"glibc {text}")


def environment(machine: Machine) -> Iterator[Finding]:
    """Packages of pip and of the system in one place get in each other's way."""
    python = machine.python
    if not python.is_venv and not machine.is_container:
        yield note(
            "EdgeKit runs in the system's Python, not in a virtual environment",
            "Updates of the system and of pip change each other's packages.",
            "python3 -m venv ~/edgekit && ~/edgekit/bin/pip install edgekit-sdk",
        )


CHECKS = (
    Check("python-version", GROUP, version),
    Check("python-architecture", GROUP, architecture),
    Check("c-library", GROUP, c_library),
    Check("python-environment", GROUP, environment),
)
