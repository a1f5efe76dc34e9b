"""Power that a device takes, by rail, and a Jetson's power mode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgekit_devices import sysfs

MICRO, MILLI = 1e-6, 1e-3
UNMEASURED = "NC"
"""Label of a channel that is connected to nothing."""
CHANNELS = (1, 2, 3)
_MODE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>")
_STATUS = re.compile(r"pmode:(\d+)")


def power(root: Path) -> dict[str, float]:
    """Watts by rail, of sensors that measure power, or voltage and current: INA3221 and its like.

    https://docs.kernel.org/hwmon/ina3221.html; on JetPack 4, NVIDIA's own driver.
    """
    rails: dict[str, float] = {}
    for folder in sysfs.entries(root / "sys/class/hwmon"):
        rails.update(_measured(folder))
        if sysfs.text(folder / "name").startswith("ina3221"):
            rails.update(_channels(folder))
    for folder in sysfs.entries(root / "sys/bus/i2c/drivers/ina3221x", "*/iio:device[0-9]*"):
        rails.update(_old_channels(folder))
    return rails


def _measured(folder: Path) -> Iterator[tuple[str, float]]:
    """Sensors that tell power itself, in microwatts, such as INA226 and INA238."""
    for path in sysfs.entries(folder, "power*_input"):
        microwatts = sysfs.number(path)
        label = sysfs.text(path.with_name(path.name.replace("_input", "_label"))) or sysfs.text(folder / "name")
        if microwatts is not None:
            yield label, microwatts * MICRO


def _channels(folder: Path) -> Iterator[tuple[str, float]]:
    for channel in CHANNELS:
        label = sysfs.text(folder / f"in{channel}_label")
        millivolts = sysfs.number(folder / f"in{channel}_input")
        milliamperes = sysfs.number(folder / f"curr{channel}_input")
        if label and label != UNMEASURED and millivolts is not None and milliamperes is not None:
            yield label, millivolts * milliamperes * MICRO


def _old_channels(folder: Path) -> Iterator[tuple[str, float]]:
    for channel in range(len(CHANNELS)):
        label = sysfs.text(folder / f"rail_name_{channel}")
        milliwatts = sysfs.number(folder / f"in_power{channel}_input")
        if label and label != UNMEASURED and milliwatts is not None:
            yield label, milliwatts * MILLI


def power_mode(root: Path) -> str:
    """A Jetson's power mode by name, such as `15W` or `MAXN`, from nvpmodel's own files; else empty.

    Those are what `nvpmodel -q` reads, which needs no start of a program here.
    """
    status = _STATUS.search(sysfs.text(root / "var/lib/nvpmodel/status"))
    if not status:
        return ""
    number = int(status[1])
    return power_modes(root).get(number, f"mode {number}")


def power_modes(root: Path) -> dict[int, str]:
    """A Jetson's power modes: names by number, as `nvpmodel -m` takes it."""
    return {int(found[1]): found[2] for found in _MODE.finditer(sysfs.text(root / "etc/nvpmodel.conf"))}
