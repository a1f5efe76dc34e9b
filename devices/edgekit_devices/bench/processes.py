"""What processes used, from /proc: our own and their children's, and by difference everybody else's."""

from __future__ import annotations

import os
from pathlib import Path

from edgekit_devices import sysfs
from edgekit_devices.telemetry import load

PROC = Path("/proc")
KIB = 1024
_PARENT, _TIMES = 1, slice(11, 15)
"""Fields of /proc/PID/stat behind the name: the parent; user and system time, and those of children that ended."""


def family(process: int) -> dict[int, float]:
    """Processor seconds of a process and all that descend from it, by number."""
    rows = {int(folder.name): fields for folder in sysfs.entries(PROC, "[0-9]*") if (fields := _fields(folder))}
    members = {process} & rows.keys()
    grown = members
    while grown:
        grown = {number for number, fields in rows.items() if int(fields[_PARENT]) in grown} - members
        members |= grown
    tick = os.sysconf("SC_CLK_TCK")
    return {number: sum(map(int, rows[number][_TIMES])) / tick for number in members}


def peak_memory(process: int) -> int:
    """Bytes that a process and those that descend from it took at most, each at its own worst."""
    return sum(_peak(PROC / str(number)) for number in family(process))


def _fields(folder: Path) -> list[str]:
    return sysfs.text(folder / "stat").rpartition(")")[2].split()


def _peak(folder: Path) -> int:
    for line in sysfs.text(folder / "status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * KIB
    return 0


class Others:
    """Tells how many processors everybody else kept busy, from one look to the next."""

    def __init__(self) -> None:
        self._busy, self._own, self._total = self._look()

    def since(self) -> float | None:
        """Processors that others kept busy since the last look; None where the kernel does not tell."""
        before = self._busy, self._own, self._total
        self._busy, self._own, self._total = self._look()
        elapsed = (self._total - before[2]) / (os.cpu_count() or 1)
        if elapsed <= 0:
            return None
        return max(0.0, (self._busy - before[0]) - (self._own - before[1])) / elapsed

    @staticmethod
    def _look() -> tuple[float, float, float]:
        """Seconds that all processors were busy, those of ours, and those of all processors' time."""
        times, tick = load.processor_times(Path("/")), os.sysconf("SC_CLK_TCK")
        own = sum(family(os.getpid()).values())
        return (times.busy / tick, own, times.total / tick) if times else (0.0, own, 0.0)
