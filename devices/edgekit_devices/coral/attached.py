"""Edge TPUs that the kernel sees, read from /sys and /dev: also those that the runtime cannot open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit_devices import sysfs

if TYPE_CHECKING:  # what lists devices works where the runtime cannot be imported
    from edgekit_devices.coral.runtime import Kind

USB_IDS = ("1a6e:089a", "18d1:9302")
"""Vendor and product before the firmware is loaded, which the first use does, and afterwards."""
PCI_ID = "1ac1:089a"


@dataclass(frozen=True, slots=True)
class Attached:
    """An Edge TPU on a bus.

    Attributes:
        kind: `usb` or `pci`.
        name: The kernel's name: `1-1.4` or `apex_0`; the address on PCIe where there is no driver.
        identity: Vendor and product, such as `18d1:9302`.
        node: What has to be opened, such as `/dev/bus/usb/001/004` or `/dev/apex_0`; None without a driver.
        present: Whether that is there.
        allowed: Whether this user may read and write it.
    """

    kind: Kind
    name: str
    identity: str
    node: Path | None = None
    present: bool = False
    allowed: bool = False


def look(root: Path | None = None) -> tuple[Attached, ...]:
    """What is on the buses, whether or not it can be used.

    Args:
        root: The folder that holds sys and dev; by default `sysfs.root()`.
    """
    base = root or sysfs.root()
    return (*_usb(base), *_pci(base))


def _usb(root: Path) -> Iterator[Attached]:
    for folder in _entries(root / "sys/bus/usb/devices"):
        identity = f"{_text(folder / 'idVendor')}:{_text(folder / 'idProduct')}"
        if identity in USB_IDS:
            place = _number(folder / "busnum"), _number(folder / "devnum")
            yield _with_node(root, "usb", folder.name, identity, "bus/usb/{:03d}/{:03d}".format(*place))


def _pci(root: Path) -> Iterator[Attached]:
    named = {_address(entry): entry.name for entry in _entries(root / "sys/class/apex")}
    for folder in _entries(root / "sys/bus/pci/devices"):
        identity = f"{_text(folder / 'vendor')}:{_text(folder / 'device')}".replace("0x", "")
        if identity != PCI_ID:
            continue
        name = named.pop(folder.name, "")
        yield _with_node(root, "pci", name, identity, name) if name else Attached("pci", folder.name, identity)
    for name in named.values():  # a board whose Edge TPU hangs on a bus of its own
        yield _with_node(root, "pci", name, PCI_ID, name)


def _address(entry: Path) -> str:
    """A PCIe device's address, from the link of its driver's entry; the entry's own name without one."""
    link = entry / "device"
    return link.resolve().name if link.exists() else entry.name


def _with_node(root: Path, kind: Kind, name: str, identity: str, node: str) -> Attached:
    path = root / "dev" / node
    # The rights of the user as whom the process acts, without an attempt: opening wakes the device.
    allowed = os.access(path, os.R_OK | os.W_OK, effective_ids=True)
    return Attached(kind, name, identity, Path("/dev") / node, path.exists(), allowed)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isdecimal() else 0
