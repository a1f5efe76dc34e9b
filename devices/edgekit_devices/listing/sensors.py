"""Sensors: serial ports, devices of the kernel's Industrial I/O, and I2C buses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from edgekit_devices import sysfs
from edgekit_devices.listing.types import Listed, State
from edgekit_devices.machine import Machine
from edgekit_devices.machine.holders import Holder, holders

SENSORS_EXTRA = "pip install 'edgekit-sdk[sensors]'"
JOIN = "sudo usermod -aG {} $USER   # then log in again"
NO_SENSORS = re.compile(r"hdmi|ddc|gmbus|dpdc|aux |amdgpu|radeon|nvkm|smbus|designware hdmi", re.IGNORECASE)
"""Names of I2C buses that lead to displays and mainboards, and to no sensor."""
_PORTS = ("ttyUSB*", "ttyACM*", "ttyAMA*", "ttyTHS*", "ttyS*", "rfcomm*")


def list_sensors(machine: Machine) -> Iterator[Listed]:
    """Serial ports, then IIO devices, then I2C buses."""
    held = holders(machine)
    for path in _ports(machine):
        yield _port(machine, path, held.get(f"/dev/{path.name}"))
    for folder in machine.entries("sys/bus/iio/devices/iio:device*"):
        yield _iio(machine, folder)
    for path in machine.entries("dev/i2c-[0-9]*"):
        name = machine.text(f"sys/class/i2c-dev/{path.name}/name")
        if not NO_SENSORS.search(name):
            yield _bus(machine, path, name)


def _ports(machine: Machine) -> list[Path]:
    """Ports behind which there is hardware: of ttyS the kernel makes more than there are."""
    found = [path for pattern in _PORTS for path in machine.entries(f"dev/{pattern}")]
    return [path for path in found if not path.name.startswith("ttyS") or _is_there(machine, path.name)]


def _is_there(machine: Machine, name: str) -> bool:
    return machine.text(f"sys/class/tty/{name}/type") not in ("", "0") or not name[4:].isdigit()


def _port(machine: Machine, path: Path, holder: Holder | None) -> Listed:
    lasting = _lasting_name(machine, path.name)
    shown = f"/dev/{path.name}"
    state, detail, mend = _port_state(machine, path, shown, holder)
    return Listed("sensor", f"serial:{lasting or shown}", _maker(machine, path.name) or "serial port", state, detail,
                  mend)


def _port_state(machine: Machine, path: Path, shown: str, holder: Holder | None) -> tuple[State, str, str]:
    if not machine.may_use(path):
        return "no permission", f"this user may not open {shown}", JOIN.format("dialout")
    if holder:
        return "busy", f"{holder} has {shown} open", f"sudo fuser -v {shown}"
    if "pyserial" not in machine.python.packages:
        return "library missing", "it needs pyserial", SENSORS_EXTRA
    return "usable", shown, ""


def _lasting_name(machine: Machine, name: str) -> str:
    """A port's name that holds whichever of several is plugged in first."""
    for link in machine.entries("dev/serial/by-id/*"):
        if Path(os.path.realpath(link)).name == name:
            return machine.shown(link)
    return ""


def _maker(machine: Machine, name: str) -> str:
    """What a USB adapter says of itself: its product's name, some folders above the port's."""
    place = machine.path(f"sys/class/tty/{name}/device")
    folder = place.resolve() if place.exists() else place
    parents = (folder, *folder.parents[:3])
    return next((text for parent in parents if (text := sysfs.text(parent / "product"))), "")


def _iio(machine: Machine, folder: Path) -> Listed:
    number = folder.name.removeprefix("iio:")
    channels = sorted(path.name[3 : -len("_raw")] for path in folder.glob("in_*_raw"))
    node = machine.path(f"dev/{folder.name}")
    barred = node.exists() and (folder / "scan_elements").is_dir() and not machine.may_use(node)
    return Listed(
        "sensor", f"iio:{number}", sysfs.text(folder / "name") or folder.name,
        "no permission" if barred else "usable",
        f"this user may not open /dev/{folder.name}" if barred else ", ".join(channels[:8]),
        f"sudo chmod a+rw /dev/{folder.name}   # or a udev rule: SUBSYSTEM==\"iio\", MODE=\"0666\"" if barred else "",
    )


def _bus(machine: Machine, path: Path, name: str) -> Listed:
    number = path.name.removeprefix("i2c-")
    chips = [
        f"0x{int(chip.name.partition('-')[2], 16):02x} {sysfs.text(chip / 'name')}".strip()
        for chip in machine.entries(f"sys/bus/i2c/devices/{number}-[0-9a-f]*")
    ]
    state: State = "usable"
    detail, mend = (f"drivers of the kernel have {', '.join(chips)}" if chips else ""), ""
    if not machine.may_use(path):
        state, detail, mend = "no permission", f"this user may not open /dev/{path.name}", JOIN.format("i2c")
    elif "smbus2" not in machine.python.packages:
        state, detail, mend = "library missing", "it needs smbus2", SENSORS_EXTRA
    return Listed("sensor", f"i2c:{number}?address=ADDRESS&registers=NAME:REGISTER:FORM", name or "I2C bus", state,
                  detail, mend)
