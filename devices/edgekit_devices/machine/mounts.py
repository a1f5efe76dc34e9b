"""File systems, as /proc/mounts lists them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from edgekit_devices.machine.machine import Machine


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system in its place.

    Attributes:
        place: Such as `/tmp`.
        device: What is mounted, such as `/dev/mmcblk0p2`.
        kind: Such as `ext4` or `tmpfs`.
        options: Such as `ro` and `noexec`.
    """

    place: str
    device: str
    kind: str
    options: frozenset[str]


def mounts(machine: Machine) -> list[Mount]:
    """All of them; of several in one place the last holds."""
    rows = [line.split() for line in machine.text("proc/mounts").splitlines()]
    return [Mount(_plain(row[1]), row[0], row[2], frozenset(row[3].split(","))) for row in rows if len(row) > 3]


def mount_of(machine: Machine, path: Path) -> Mount | None:
    """The file system that a path is on."""
    text = os.path.realpath(path) if machine.real else str(path)
    holding = [mount for mount in mounts(machine) if f"{text}/".startswith(f"{mount.place.rstrip('/')}/")]
    return max(reversed(holding), key=lambda mount: len(mount.place), default=None)


def _plain(place: str) -> str:
    """A place whose spaces are written as numbers."""
    return re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), place)
