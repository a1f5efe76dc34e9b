"""Cameras, sensors and microphones that are there and cannot be used, for another reason than rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from edgekit_devices.doctor.finding import Check, Finding, note, ok, warning
from edgekit_devices.listing.audio import list_audio
from edgekit_devices.listing.cameras import list_cameras
from edgekit_devices.listing.sensors import list_sensors
from edgekit_devices.listing.types import Listed
from edgekit_devices.machine import Machine

GROUP = "Cameras and sensors"
List = Callable[[Machine], Iterator[Listed]]


def attached(list_them: List, kind: str, machine: Machine) -> Iterator[Finding]:
    """What is there, and why one cannot be used; rights are told by group."""
    usable, found = [], tuple(list_them(machine))
    for one in found:
        if one.state == "usable":
            usable.append(f"{one.use} ({one.name})")
        elif one.state != "no permission":
            level = note if one.state == "library missing" else warning
            yield level(f"{one.use} ({one.name}) is not usable: {one.detail}", "", one.mend)
    if usable:
        yield ok(", ".join(usable))
    elif kind == "camera" and not found:
        yield note("no camera is seen")


CHECKS = (
    Check("cameras", GROUP, partial(attached, list_cameras, "camera")),
    Check("sensors", GROUP, partial(attached, list_sensors, "sensor")),
    Check("microphones", GROUP, partial(attached, list_audio, "microphone")),
)
