"""The temperature of Edge TPUs on PCIe, and whether they run slower for it. Those on USB have no sensor to read.

::

    from edgekit_devices.coral import temperature

    for chip in temperature.read():
        print(chip.name, chip.celsius, "°C", "throttled" if chip.throttled else "")
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit_devices import sysfs

FOLDER = "sys/class/apex"
TRIP_POINTS = 3
MILLIDEGREES = 1000.0
DEAD_BELOW = -50.0
"""Degrees Celsius: a chip that does not answer reads as about -88."""


@dataclass(frozen=True, slots=True)
class Temperature:
    """One chip's.

    Attributes:
        name: The kernel's name, such as `apex_0`.
        celsius: Degrees Celsius.
        trip_points: Degrees Celsius, ascending. At each of them the driver lowers the clock by a step; it ships with
            85, 90 and 95.
    """

    name: str
    celsius: float
    trip_points: tuple[float, ...]

    @property
    def dead(self) -> bool:
        """Whether this is no temperature, but a chip that does not answer."""
        return self.celsius < DEAD_BELOW

    @property
    def steps(self) -> int:
        """By how many steps the driver has lowered the clock: 0 where the chip runs at its full speed."""
        return sum(self.celsius >= point for point in self.trip_points)

    @property
    def throttled(self) -> bool:
        """Whether the chip runs slower than it could."""
        return self.steps > 0

    @property
    def warning(self) -> str:
        """What the user should know of it, in a sentence; empty where all is well."""
        if self.dead:
            return f"{self.name} does not answer (its sensor reads {self.celsius:.1f} °C): power the board off and on"
        if self.throttled:
            points = ", ".join(f"{point:g}" for point in self.trip_points)
            return (
                f"{self.name} is at {self.celsius:.1f} °C and runs slower for it (a step at {points} °C): cool it"
            )
        return ""


def read(root: Path | None = None) -> tuple[Temperature, ...]:
    """Read the sensors of all Edge TPUs on PCIe.

    The driver of Google's package gives them, and the one that was once part of the kernel does not: its chips are
    left out.

    Args:
        root: The folder that holds sys; by default `/`.
    """
    folder = (root or sysfs.root()) / FOLDER
    try:
        chips = sorted(folder.iterdir())
    except OSError:
        return ()
    found = ((chip, _degrees(chip / "temp")) for chip in chips)
    return tuple(Temperature(chip.name, celsius, _points(chip)) for chip, celsius in found if celsius is not None)


def _points(chip: Path) -> tuple[float, ...]:
    found = (_degrees(chip / f"trip_point{number}_temp") for number in range(TRIP_POINTS))
    return tuple(sorted(point for point in found if point is not None))


def _degrees(path: Path) -> float | None:
    try:
        return int(path.read_text()) / MILLIDEGREES
    except (OSError, ValueError):  # ValueError: no number, or no text
        return None
