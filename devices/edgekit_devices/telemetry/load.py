"""How much of the processor, the GPU, the memory and the disk is in use."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from edgekit_devices import sysfs

KIB = 1024
PER_MILLE, PER_CENT = 1000, 100
_GPU_LOADS = (
    ("sys/class/devfreq/*gpu*/device/load", PER_MILLE),  # JetPack 6
    ("sys/class/devfreq/*.g[vpa]*b/device/load", PER_MILLE),  # JetPack 4 and 5
    ("sys/devices/gpu.0/load", PER_MILLE),
    ("sys/class/drm/card*/device/gpu_busy_percent", PER_CENT),
)


@dataclass(frozen=True, slots=True)
class Times:
    """What the processor's cores spent since the start, in the kernel's ticks.

    Attributes:
        busy: On programs and the kernel's own work.
        total: Altogether.
    """

    busy: int
    total: int

    def load_since(self, before: Times) -> float | None:
        """Share of the time between two readings that was used; None where no time passed."""
        total = self.total - before.total
        return min(1.0, max(0.0, (self.busy - before.busy) / total)) if total > 0 else None


def processor_times(root: Path) -> Times | None:
    """What the cores did so far: https://docs.kernel.org/filesystems/proc.html, /proc/stat."""
    words = sysfs.text(root / "proc/stat").partition("\n")[0].split()
    if words[:1] != ["cpu"] or len(words) < 6:
        return None
    # user, nice, system, idle, iowait, irq, softirq, steal; what guests use is in user already
    spent = [int(word) for word in words[1:9]]
    return Times(sum(spent) - spent[3] - spent[4], sum(spent))


def gpu_load(root: Path) -> float | None:
    """Share of the GPU's time that is in use, from 0 to 1."""
    for pattern, whole in _GPU_LOADS:
        for path in sysfs.entries(root, pattern):
            load = sysfs.number(path)
            if load is not None:
                return min(1.0, load / whole)
    return None


def memory(root: Path) -> tuple[int | None, int | None]:
    """Bytes in all, and those that programs can still get."""
    text = sysfs.text(root / "proc/meminfo")
    found = [re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for name in ("MemTotal", "MemAvailable")]
    total, available = (int(match[1]) * KIB if match else None for match in found)
    return total, available


def disk(root: Path) -> tuple[int | None, int | None]:
    """Bytes of the file system that holds a folder, and those that a user can still write."""
    try:
        state = os.statvfs(root)
    except OSError:
        return None, None
    return state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize
