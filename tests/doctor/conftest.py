"""Machines that are made up: trees of files, users, packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgekit_devices.doctor.finding import Finding
from edgekit_devices.doctor.register import machine_checks
from edgekit_devices.machine import Machine, Package, Python, Said, User

GIB = 2**30
PACKAGES = {
    "ai-edge-litert": "2.3.0", "numpy": "2.3.5", "click": "8.3.1", "flatbuffers": "25.9.23", "tomli": "2.3.0",
    "opencv-python-headless": "4.12.0.88", "pyserial": "3.5", "smbus2": "0.5.0", "paho-mqtt": "2.1.0",
    "sounddevice": "0.5.3",
}
PI_5 = {
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd atomics asimddp\nModel\t: Raspberry Pi 5\n",
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0",
    "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712",
    "proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 7000000 kB\nSwapTotal: 200000 kB\n",
    "proc/mounts": "/dev/mmcblk0p2 / ext4 rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n",
    "sys/devices/system/cpu/possible": "0-3",
    "sys/devices/system/cpu/present": "0-3",
    "sys/devices/system/cpu/cpu0/topology/core_cpus_list": "0",
    "sys/devices/system/cpu/cpu1/topology/core_cpus_list": "1",
    "sys/class/rtc/rtc0/name": "rpi-rtc",
    "dev/shm/.keep": "",
}
"""A Raspberry Pi 5 on which nothing is wrong."""


def packages(**versions: str) -> dict[str, Package]:
    """Installed distributions by name, with underscores for dashes."""
    return {name.replace("_", "-"): Package(version, Path("/site")) for name, version in versions.items()}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Mapping[str, str | None]], Path]:
    """Makes files of a tree; None for a folder. Gives its root."""

    def make(files: Mapping[str, str | None]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            (path if text is None else path.parent).mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text)
        return tmp_path

    return make


@pytest.fixture
def pi(write: Callable[[Mapping[str, str | None]], Path]) -> Callable[..., Machine]:
    """Makes a Raspberry Pi 5 on which nothing is wrong, but for what is said.

    `files` are added to its tree, `barred` is a part of the names that the user may not open, `programs` is what
    programs print, and `installed`, `python` and all else replaces what it has.
    """

    def make(
        files: Mapping[str, str | None] | None = None, *, barred: str = "", programs: Mapping[str, str] | None = None,
        installed: Mapping[str, Package] | None = None, python: Mapping[str, Any] | None = None,
        free: int = 20 * GIB, **changes: Any,
    ) -> Machine:
        root = write({**PI_5, **(files or {})})
        for name in programs or {}:
            write({f"bin/{name}": ""})
            (root / "bin" / name).chmod(0o755)
        said = dict(programs or {})

        def run(command: Sequence[str], seconds: float) -> Said:
            return Said(0, said[Path(command[0]).name]) if Path(command[0]).name in said else Said(None)

        if installed is None:
            installed = {name: Package(version, Path("/site")) for name, version in PACKAGES.items()}
        there = Python((3, 11, 2), 64, "/home/pi/edgekit/bin/python", packages=installed or {})
        base = Machine(
            root, {"PATH": str(root / "bin")}, User("pi", 1000), replace(there, **(python or {})),
            ("aarch64", "6.12.47+rpt-rpi-2712"), run=run, may_use=lambda path: not barred or barred not in str(path),
            space=lambda path: space(free), now=lambda: 1_800_000_000.0, synchronized=lambda: True,
        )
        return replace(base, **changes)

    return make


def space(free: int, files: int = 1000) -> Any:
    """What `os.statvfs` says of a file system of 32 GiB."""
    return SimpleNamespace(f_bavail=free, f_frsize=1, f_blocks=32 * GIB, f_files=10_000, f_favail=files)


@pytest.fixture
def findings() -> Callable[[Machine, str], list[Finding]]:
    """Runs one check by its name."""

    def run(machine: Machine, name: str) -> list[Finding]:
        check = next(check for check in machine_checks() if check.name == name)
        return list(check.look(machine))

    return run


@pytest.fixture
def worst(findings: Callable[[Machine, str], list[Finding]]) -> Callable[[Machine, str], Finding]:
    """Runs one check by its name, and gives the gravest of what it finds."""

    def run(machine: Machine, name: str) -> Finding:
        order = ("ok", "note", "warning", "blocked")
        return max(findings(machine, name), key=lambda finding: order.index(finding.level))

    return run


@pytest.fixture
def installed() -> Callable[..., dict[str, Package]]:
    """Makes installed distributions of names and versions."""
    return packages


@pytest.fixture
def space_of() -> Callable[..., Any]:
    """Makes what `os.statvfs` says."""
    return space
