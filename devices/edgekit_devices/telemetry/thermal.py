"""Temperatures: the thermal zones of Linux, and Edge TPUs on PCIe."""

from __future__ import annotations

from pathlib import Path

from edgekit_devices import sysfs
from edgekit_devices.coral import temperature

MILLIDEGREES = 1000


def temperatures(root: Path) -> dict[str, float]:
    """Degrees Celsius by zone, such as `cpu-thermal`, or chip, such as `apex_0`.

    https://docs.kernel.org/driver-api/thermal/sysfs-api.html
    """
    found: dict[str, float] = {}
    for zone in sysfs.entries(root / "sys/class/thermal", "thermal_zone[0-9]*"):
        name, millidegrees = sysfs.text(zone / "type"), sysfs.number(zone / "temp")
        if name and millidegrees is not None:  # a zone that is switched off has none
            taken = name in found
            found[f"{name} {zone.name.removeprefix('thermal_zone')}" if taken else name] = millidegrees / MILLIDEGREES
    return found | {chip.name: chip.celsius for chip in temperature.read(root) if not chip.dead}
