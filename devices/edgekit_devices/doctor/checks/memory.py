"""Memory, swap, and whether processes were killed for want of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgekit_devices.doctor.checks.storage import GROUP
from edgekit_devices.doctor.finding import Check, Finding, note, ok, warning
from edgekit_devices.machine import Machine

LEAST, SMALL = 100 * 2**20, 1000 * 2**20
MIB = 2**20
LARGEST = "ps -eo rss,comm --sort=-rss | head   # what takes it"
ADD_SWAP = (
    "sudo fallocate -l 1G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile"
)
_LIMITS = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory(machine: Machine) -> Iterator[Finding]:
    """What programs can still get."""
    told = dict(re.findall(r"^(\w+):\s+(\d+) kB", machine.text("proc/meminfo"), re.MULTILINE))
    total, free, swap = (int(told.get(key, 0)) * 1024 for key in ("MemTotal", "MemAvailable", "SwapTotal"))
    if not total:
        return
    shown = f"{free // MIB} of {total // MIB} MiB of memory are free"
    if free < LEAST:
        yield warning(shown, "The runtime and a small model take 60 to 150 MiB.", LARGEST)
    else:
        yield ok(shown)
    if total < SMALL and not swap:
        yield note(f"{total // MIB} MiB of memory and no swap", "One process too many, and the kernel kills one.",
                   ADD_SWAP)


def limit(machine: Machine) -> Iterator[Finding]:
    """What a container or service may take."""
    for name in _LIMITS:
        text = machine.text(name)
        if text.isdigit() and int(text) < 2**40:
            level = warning if int(text) < 2 * LEAST else note
            yield level(f"this process may take {int(text) // MIB} MiB of memory",
                        "A control group's limit holds it (a container, or MemoryMax= of a service).",
                        "docker run --memory 1g ...   # or MemoryMax= in the unit")


def killed(machine: Machine) -> Iterator[Finding]:
    """The kernel's own count since the start."""
    found = re.search(r"^oom_kill (\d+)", machine.text("proc/vmstat"), re.MULTILINE)
    if found and int(found[1]):
        times = "once" if found[1] == "1" else f"{found[1]} times"
        yield note(f"since the start the kernel killed a process for want of memory {times}",
                   "If that was EdgeKit, its service was started again and its results have a gap.",
                   "sudo dmesg | grep -i 'out of memory'")


CHECKS = (
    Check("memory", GROUP, memory),
    Check("memory-limit", GROUP, limit),
    Check("killed-processes", GROUP, killed),
)
