"""What slows the device down, or did since it was started."""

from __future__ import annotations

import re
from pathlib import Path

from edgekit.telemetry import Throttle
from edgekit_devices import sysfs

FLAGS = ("under-voltage", "frequency-capped", "throttled", "soft-temperature-limit")
"""What the firmware of a Raspberry Pi tells by bits 0 to 3: the supply gave less than 4.63 V; the clock is held down
for it, or for heat; it is lowered further; the 3B+ is above 60 °C. The same 16 bits higher: that was so once.
https://www.raspberrypi.com/documentation/computers/os.html#get_throttled"""
ONCE = 16
_COOLING = re.compile(r"cpufreq|devfreq|throttle|^Processor$")
"""Kinds of cooling that slow something down, rather than turn a fan."""


def throttling(root: Path, flags: int | None, before: dict[str, int]) -> dict[str, Throttle]:
    """What is known, by cause.

    Args:
        root: The folder that holds sys.
        flags: What the firmware of a Raspberry Pi says, `Firmware.flags`.
        before: Counters of the reading before, which are replaced by those of now: what counted on meanwhile happens
            now.
    """
    found: dict[str, Throttle] = {}
    if flags is not None:
        found |= {
            cause: Throttle(bool(flags >> bit & 1), bool(flags >> bit + ONCE & 1)) for bit, cause in enumerate(FLAGS)
        }
    else:
        found |= _alarm(root)
    for cause, count in _counters(root).items():
        found[cause] = Throttle(count > before[cause] if cause in before else None, count > 0)
        before[cause] = count
    cooling = _cooling(root)
    if cooling is not None:
        counted = found.get("temperature", Throttle())
        found["temperature"] = Throttle(cooling or bool(counted.now), counted.since_boot)
    return found


def _alarm(root: Path) -> dict[str, Throttle]:
    """Under-voltage, as the kernel's own driver tells it where there is no file with all flags: in the last seconds."""
    for folder in sysfs.entries(root / "sys/class/hwmon"):
        alarm = sysfs.number(folder / "in0_lcrit_alarm")
        if sysfs.text(folder / "name") == "rpi_volt" and alarm is not None:
            return {FLAGS[0]: Throttle(bool(alarm))}
    return {}


def _counters(root: Path) -> dict[str, int]:
    """How often something was slowed down since the start: for heat (Intel), for current (Jetson)."""
    heat = _sum(root / "sys/devices/system/cpu", "cpu[0-9]*/thermal_throttle/*_throttle_count")
    current = [
        _sum(folder, "oc*_event_cnt") for folder in sysfs.entries(root / "sys/class/hwmon")
        if sysfs.text(folder / "name") == "soctherm_oc"
    ]
    counts = {"temperature": heat, "over-current": current[0] if current else None}
    return {cause: count for cause, count in counts.items() if count is not None}


def _sum(folder: Path, pattern: str) -> int | None:
    counts = [count for path in sysfs.entries(folder, pattern) if (count := sysfs.number(path)) is not None]
    return sum(counts) if counts else None


def _cooling(root: Path) -> bool | None:
    """Whether the kernel slows something down for heat; None where it has no means to."""
    states = [
        sysfs.number(device / "cur_state") or 0
        for device in sysfs.entries(root / "sys/class/thermal", "cooling_device[0-9]*")
        if _COOLING.search(sysfs.text(device / "type"))
    ]
    return any(state > 0 for state in states) if states else None
