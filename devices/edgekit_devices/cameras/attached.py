"""Which cameras are attached, as Linux lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit_devices import sysfs


@dataclass(frozen=True, slots=True)
class Attached:
    """A device that may be a camera.

    Attributes:
        path: Such as `/dev/video0`.
        name: What its driver calls it.
    """

    path: str
    name: str


def attached_cameras(root: Path | None = None) -> list[Attached]:
    """Devices that Linux calls video, in the order of their numbers.

    Args:
        root: The folder that holds sys and dev; by default `sysfs.root()`.
    """
    base = root or sysfs.root()
    paths = sysfs.entries(base / "dev", "video[0-9]*")
    return [
        Attached(f"/dev/{path.name}", sysfs.text(base / "sys/class/video4linux" / path.name / "name"))
        for path in sorted(paths, key=lambda path: (len(path.name), path.name))
    ]


def describe_cameras() -> str:
    """What there is, in one sentence, for the hint of an error."""
    found = attached_cameras()
    if not found:
        return "No camera is attached: there is no /dev/video. A camera on a Raspberry Pi's own connector is csi:0."
    return "There is " + ", ".join(f"{one.path}{f' ({one.name})' if one.name else ''}" for one in found) + "."
