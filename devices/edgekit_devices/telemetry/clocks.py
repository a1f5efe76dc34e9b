"""Clocks of the processor's cores, the GPU and the memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgekit.telemetry import Clock
from edgekit_devices import sysfs

KILO, MEGA = 1e3, 1e6
_KINDS = ((re.compile(r"gpu|\.g[vpa]\d+b|v3d|mali", re.IGNORECASE), "gpu"), (re.compile(r"emc|ddr|dmc"), "memory"))
"""What the names of devices with a clock of their own stand for: `17000000.gpu`, `17000000.ga10b`, `gpu-gpc-0`."""


def clocks(root: Path) -> tuple[Clock, ...]:
    """All clocks that the kernel tells.

    https://docs.kernel.org/admin-guide/pm/cpufreq.html, https://docs.kernel.org/driver-api/devfreq.html
    """
    return (*_processor(root), *_devices(root))


def _processor(root: Path) -> Iterator[Clock]:
    """One for each group of cores that share a clock."""
    for policy in sysfs.entries(root / "sys/devices/system/cpu/cpufreq", "policy[0-9]*"):
        now = sysfs.number(policy / "scaling_cur_freq")
        if now is not None:
            yield Clock(
                f"cpu{_range(sysfs.text(policy / 'related_cpus')) or policy.name.removeprefix('policy')}", now / KILO,
                _scaled(policy / "cpuinfo_min_freq", KILO), _scaled(policy / "cpuinfo_max_freq", KILO),
                _scaled(policy / "scaling_max_freq", KILO), sysfs.text(policy / "scaling_governor"),
            )


def _devices(root: Path) -> Iterator[Clock]:
    """Those of the GPU and the memory among the devices with a clock; of several parts of one the first."""
    seen = set()
    for device in sysfs.entries(root / "sys/class/devfreq"):
        name = next((kind for pattern, kind in _KINDS if pattern.search(device.name)), "")
        now = sysfs.number(device / "cur_freq")
        if name and now is not None and name not in seen:
            seen.add(name)
            told = sysfs.text(device / "available_frequencies").split()
            steps = [int(step) / MEGA for step in told if step.isdigit()]
            yield Clock(
                name, now / MEGA, min(steps, default=None), max(steps, default=None),
                _scaled(device / "max_freq", MEGA), sysfs.text(device / "governor"),
            )


def _scaled(path: Path, unit: float) -> float | None:
    value = sysfs.number(path)
    return None if value is None else value / unit


def _range(cores: str) -> str:
    """`0-3` for the kernel's `0 1 2 3`."""
    numbers = cores.split()
    return f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else cores
