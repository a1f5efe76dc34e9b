"""Which process holds a device open, as /proc tells: other users' processes only to an administrator."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edgekit_devices import sysfs
from edgekit_devices.machine.machine import Machine


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a file open.

    Attributes:
        number: Of the process.
        name: Of its program.
    """

    number: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.number})"


def holders(machine: Machine) -> dict[str, Holder]:
    """Processes by the device that they have open, such as `/dev/video0`; our own is left out."""
    found: dict[str, Holder] = {}
    for folder in machine.entries("proc/[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        for link in sysfs.entries(folder / "fd"):
            if (path := _target(link)).startswith("/dev/"):
                found.setdefault(path, Holder(int(folder.name), sysfs.text(folder / "comm") or "a program"))
    return found


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # it is closed by now
        return ""
