"""Which cameras are attached, as Linux lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEVICES = Path("/dev")
LISTED = Path("/sys/class/video4linux")


@dataclass(frozen=True, slots=True)
class Attached:
    """A device that may be a camera.

    Attributes:
        path: Such as `/dev/video0`.
        name: What its driver calls it.
    """

    path: str
    name: str


def attached_cameras() -> list[Attached]:
    """Devices that Linux calls video, in the order of their numbers."""
    paths = sorted(DEVICES.glob("video[0-9]*"), key=lambda path: (len(path.name), path.name))
    return [Attached(str(path), _name(path)) for path in paths]


def _name(path: Path) -> str:
    try:
        return (LISTED / path.name / "name").read_text().strip()
    except OSError:
        return ""


def describe_cameras() -> str:
    """What there is, in one sentence, for the hint of an error."""
    found = attached_cameras()
    if not found:
        return "No camera is attached: there is no /dev/video. A camera on a Raspberry Pi's own connector is csi:0."
    return "There is " + ", ".join(f"{one.path}{f' ({one.name})' if one.name else ''}" for one in found) + "."
