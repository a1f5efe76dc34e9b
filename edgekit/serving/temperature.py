"""Temperatures of the device, from the thermal zones of Linux."""

from __future__ import annotations

from pathlib import Path

THERMAL = Path("/sys/class/thermal")


def temperatures(folder: Path = THERMAL) -> dict[str, float]:
    """Degrees Celsius by zone, such as `cpu-thermal`; empty where there are none to read.

    https://docs.kernel.org/driver-api/thermal/sysfs-api.html
    """
    found: dict[str, float] = {}
    for zone in sorted(folder.glob("thermal_zone*")):
        try:
            name, degrees = (zone / "type").read_text().strip(), int((zone / "temp").read_text()) / 1000
        except (OSError, ValueError):  # a zone that is switched off
            continue
        found[name if name not in found else f"{name} {zone.name.removeprefix('thermal_zone')}"] = degrees
    return found
