"""Which board this is, as the device tree, or on a PC its firmware, tells."""

from __future__ import annotations

import os
import platform
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from edgekit.processor import features
from edgekit_devices import sysfs
from edgekit_devices.boards.profile import Profile, profiles

KIB = 1024
LSE = "atomics"
"""How the kernel calls LSE atomics on 64-bit ARM."""
JETPACKS = {32: "4", 34: "5", 35: "5", 36: "6", 38: "7"}
"""JetPack by the major version of Jetson Linux: https://developer.nvidia.com/embedded/jetpack-archive"""
_DEVICE_TREE = ("proc/device-tree", "sys/firmware/devicetree/base")
_DMI = "sys/class/dmi/id"
_NOTHING = ("", "None", "Default string", "To Be Filled By O.E.M.", "System Product Name", "System manufacturer")
_NARROW = {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}
"""What 32-bit programs are made for on a 64-bit kernel."""


@dataclass(frozen=True, slots=True)
class Board:
    """A machine, and the profile that it fits.

    Attributes:
        profile: What is known of boards of its kind.
        model: What it calls itself, such as `Raspberry Pi 5 Model B Rev 1.0`; empty where it says nothing.
        machine: What programs are made for: `x86_64`, `aarch64` or `armv7l`. On a 64-bit kernel with a 32-bit system
            that is the system's.
        cores: Processors that the kernel sees.
        memory: In bytes; None where the kernel does not say.
        lse: Whether the processor has LSE atomics; False on other processors than 64-bit ARM.
        system: The operating system, such as `Debian GNU/Linux 12 (bookworm)`.
        release: The board's own software, such as `JetPack 6 (Jetson Linux 36.4.3)`; mostly empty.
    """

    profile: Profile
    model: str
    machine: str
    cores: int
    memory: int | None
    lse: bool
    system: str
    release: str

    @property
    def name(self) -> str:
        """What to call it: its own words, else those of the profile."""
        return self.model or self.profile.name


def board(root: Path | None = None) -> Board:
    """Tell which board this is; one that nobody knows gets the profile of its kind of processor.

    Args:
        root: The folder that holds proc, sys and etc; by default `/`, or what EDGEKIT_ROOT says.
    """
    base = root or sysfs.root()
    model, machine = _model(base), _machine(base)
    return Board(
        profile=_profile(_tree(base, "compatible").split("\0"), model, machine),
        model=model,
        machine=machine,
        cores=_cores(base),
        memory=_memory(base),
        lse=machine == "aarch64" and LSE in features(base),
        system=_system(base),
        release=_release(base),
    )


def _profile(compatible: Iterable[str], model: str, machine: str) -> Profile:
    """The first profile that knows one of the names, the names being told from the narrowest to the widest."""
    known = profiles()
    for name in filter(None, compatible):
        for profile in known:
            if _any(name, profile.compatible):
                return profile
    return next(
        profile for profile in known
        if _any(model, profile.model) or (profile.machine and fnmatchcase(machine, profile.machine))
    )


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _tree(base: Path, name: str) -> str:
    return next(filter(None, (sysfs.text(base / folder / name) for folder in _DEVICE_TREE)), "")


def _model(base: Path) -> str:
    vendor, product = (sysfs.text(base / _DMI / name) for name in ("sys_vendor", "product_name"))
    firmware = " ".join(word for word in (vendor, product) if word not in _NOTHING)
    return _tree(base, "model") or firmware


def _machine(base: Path) -> str:
    """What programs are made for: of another machine's tree, what its kernel says of the processor."""
    said = features(base)
    if base != Path("/") and said:
        if "asimd" in said:
            return "aarch64"
        return "armv7l" if said & {"neon", "vfp", "thumb"} else "x86_64"
    machine = platform.machine()
    return _NARROW.get(machine, machine) if struct.calcsize("P") == 4 else machine


def _cores(base: Path) -> int:
    found = len(sysfs.entries(base / "sys/devices/system/cpu", "cpu[0-9]*"))
    return found or sysfs.text(base / "proc/cpuinfo").count("processor\t") or os.cpu_count() or 1


def _memory(base: Path) -> int | None:
    found = re.search(r"^MemTotal:\s+(\d+) kB", sysfs.text(base / "proc/meminfo"), re.MULTILINE)
    return int(found[1]) * KIB if found else None


def _system(base: Path) -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', sysfs.text(base / "etc/os-release"), re.MULTILINE)
    return found[1] if found else ""


def _release(base: Path) -> str:
    """From a line such as `# R36 (release), REVISION: 4.3, GCID: ...`."""
    found = re.match(r"# R(\d+) \(release\), REVISION: ([\d.]+)", sysfs.text(base / "etc/nv_tegra_release"))
    if not found:
        return ""
    linux = f"Jetson Linux {found[1]}.{found[2]}"
    jetpack = JETPACKS.get(int(found[1]))
    return f"JetPack {jetpack} ({linux})" if jetpack else linux
