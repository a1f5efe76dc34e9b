"""What is attached to this machine, and what to write for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from edgekit_devices import isolation
from edgekit_devices.listing.accelerators import list_accelerators
from edgekit_devices.listing.audio import list_audio
from edgekit_devices.listing.cameras import list_cameras
from edgekit_devices.listing.sensors import list_sensors
from edgekit_devices.listing.types import Kind, Listed, State
from edgekit_devices.machine import Machine

__all__ = ["Kind", "Listed", "State", "list_all"]

LISTERS: tuple[Callable[[Machine], Iterator[Listed]], ...] = (
    list_accelerators, list_cameras, list_sensors, list_audio,
)


def list_all(machine: Machine) -> tuple[Listed, ...]:
    """Accelerators, cameras, sensors and audio, in this order. They are asked side by side, and none of them used."""
    with ThreadPoolExecutor(len(LISTERS)) as pool:
        found = pool.map(lambda lister: tuple(lister(machine)), LISTERS)
        try:
            return tuple(one for several in found for one in several)
        except BaseException:  # Ctrl-C: threads cannot be ended, but what they wait for can
            isolation.end_all()
            raise
