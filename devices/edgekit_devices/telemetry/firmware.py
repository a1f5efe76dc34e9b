"""What the firmware of a Raspberry Pi says: whether it slows the processor down; of a Pi 5 also the power it takes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from edgekit_devices import sysfs

PROGRAMS = ("usr/bin/vcgencmd", "opt/vc/bin/vcgencmd")
PROGRAM_SECONDS = 2.0
PI_5 = "brcm,bcm2712"
_FLAGS = ("soc*/soc*:firmware/get_throttled", "scb/soc:firmware/get_throttled", "soc*:firmware/get_throttled")
_READING = re.compile(r"^\s*(\w+)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)[AV]$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Firmware:
    """One answer.

    Attributes:
        flags: What slows the processor down, bit by bit; None on other machines, or where it may not be asked.
        power: Watts by rail of a Pi 5's power management, what hangs on USB not included; else empty.
    """

    flags: int | None = None
    power: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


def ask_firmware(root: Path) -> Firmware:
    """Read the flags from sysfs where the kernel gives them there, and by `vcgencmd` all else, where that is there."""
    program = next((root / name for name in PROGRAMS if (root / name).is_file()), None)
    folder = root / "sys/devices/platform"
    file = next((path for pattern in _FLAGS for path in sysfs.entries(folder, pattern)), None)
    said = sysfs.text(file) if file else _ask(program, "get_throttled").removeprefix("throttled=")
    is_pi_5 = PI_5 in sysfs.text(root / "proc/device-tree/compatible")
    return Firmware(_hexadecimal(said), _power(_ask(program, "pmic_read_adc")) if is_pi_5 else {})


def _ask(program: Path | None, question: str) -> str:
    if program is None:
        return ""
    try:
        said = subprocess.run([program, question], capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False)
    except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip()


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:  # as where the user may not ask the firmware
        return None


def _power(readings: str) -> dict[str, float]:
    """Volts times amperes of each rail that both are told of, from lines such as `VDD_CORE_A current(7)=2.953A`."""
    found = {(rail, unit): float(value) for rail, unit, value in _READING.findall(readings)}
    return {rail: found[rail, "A"] * found[rail, "V"] for rail, unit in found if unit == "V" and (rail, "A") in found}
