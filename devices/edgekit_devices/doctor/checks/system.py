"""Programs and libraries of the system that sources and sinks use, and the rights of the user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit_devices.doctor.finding import Check, Finding, note, ok, warning
from edgekit_devices.listing.audio import PORTAUDIO
from edgekit_devices.machine import Machine
from edgekit_devices.machine.libraries import find_library, version_of

PROGRAMS_GROUP, RIGHTS_GROUP = "Programs and libraries", "Rights"
PROGRAMS = (
    (("ffmpeg",), "-version", "FFmpeg", "annotated video with sound, and streams that OpenCV does not open", "ffmpeg"),
    (("gst-launch-1.0",), "--version", "GStreamer", "gst: sources, and csi: on a Jetson", "gstreamer1.0-tools"),
    (("rpicam-vid", "libcamera-vid"), "--version", "rpicam-apps", "csi: on a Raspberry Pi", "rpicam-apps-lite"),
    (("arecord",), "--version", "arecord", "mic: without PortAudio", "alsa-utils"),
)
LIBRARIES = ("libedgetpu.so.1", "libusb-1.0.so.0", "libvulkan.so.1", PORTAUDIO, "libcamera.so.0")
_NUMBER = re.compile(r"\d+(?:\.\d+)+")
_RPI = "raspberrypi"


@dataclass(frozen=True, slots=True)
class Membership:
    """A group that opens devices.

    Attributes:
        group: Its name.
        nodes: Patterns for the devices.
        use: What they are for.
    """

    group: str
    nodes: tuple[str, ...]
    use: str


MEMBERSHIPS = (
    Membership("video", ("dev/video[0-9]*", "dev/media[0-9]*", "dev/nvhost-*"), "cameras"),
    Membership("render", ("dev/dri/renderD*",), "the GPU"),
    Membership("apex", ("dev/apex_[0-9]*",), "Edge TPUs on PCIe"),
    Membership("dialout", ("dev/ttyUSB*", "dev/ttyACM*", "dev/ttyAMA*", "dev/ttyTHS*"), "serial ports"),
    Membership("i2c", ("dev/i2c-[0-9]*",), "I2C sensors"),
    Membership("gpio", ("dev/gpiochip[0-9]*",), "pins"),
    Membership("spi", ("dev/spidev*",), "SPI sensors"),
    Membership("audio", ("dev/snd/pcm*c",), "microphones"),
)


def programs(machine: Machine) -> Iterator[Finding]:
    """Those that are there, with their versions; one that is missing only where the machine is made for it."""
    for names, option, title, use, package in PROGRAMS:
        path = machine.program(*names)
        if path:
            name = Path(path).name
            found = _NUMBER.search(machine.ask(name, option).replace(name, ""))  # whose own name may hold a number
            yield ok(f"{title} {found[0] if found else ''}".rstrip())
        elif names[0].startswith("rpicam") and _RPI in machine.text("proc/device-tree/compatible"):
            yield note(f"there is no {names[0]}", f"{use} needs it. It is a program of its own, so that no binding of "
                       "libcamera has to fit this Python.", f"sudo apt install {package}")


def libraries(machine: Machine) -> Iterator[Finding]:
    """Those that are there; what needs one tells where it is missing."""
    found = [(name, find_library(machine, name)) for name in LIBRARIES]
    there = [f"{name.partition('.so')[0]} {version_of(path)}".rstrip() for name, path in found if path]
    if there:
        yield ok(", ".join(there))


def groups(machine: Machine) -> Iterator[Finding]:
    """Devices that are there and that this user may not open, by the group that may."""
    if machine.user.is_root:
        yield ok("the user is root, who may open all devices")
        return
    barred_any = False
    for membership in MEMBERSHIPS:
        nodes = [node for pattern in membership.nodes for node in machine.entries(pattern)]
        barred = [machine.shown(node) for node in nodes if not machine.may_use(node)]
        if barred:
            barred_any = True
            yield _barred(machine, membership, barred)
    if not barred_any:
        yield ok(f"{machine.user.name} may open all devices that are there")


def _barred(machine: Machine, membership: Membership, nodes: list[str]) -> Finding:
    user, group = machine.user, membership.group
    what = f"{user.name} may not open {', '.join(nodes[:3])}{' ...' if len(nodes) > 3 else ''}: {membership.use}"
    if group in user.session:
        return warning(
            what, f"{user.name} is in the group {group}; the device belongs to another, or a container holds it back.",
            f"ls -l {nodes[0]}   # in a container: docker run --device {nodes[0]} --group-add {group}",
        )
    if group in user.enrolled:
        return warning(
            what, f"{user.name} is in the group {group}, but this login session began before that.",
            f"newgrp {group}   # for this terminal; or log out and in again; a service: restart it",
        )
    adding = "" if group in user.known else f"sudo groupadd {group} && "
    return warning(what, f"They belong to the group {group}.",
                   f"{adding}sudo usermod -aG {group} {user.name}   # then log out and in again")


def container(machine: Machine) -> Iterator[Finding]:
    """A container sees the devices that it is given."""
    if machine.is_container:
        yield note(
            "this is a container", "It sees only the devices that it is given.",
            "docker run --device /dev/video0 --device /dev/bus/usb --group-add video --group-add plugdev "
            "--shm-size=256m ...",
        )


CHECKS = (
    Check("programs", PROGRAMS_GROUP, programs),
    Check("libraries", PROGRAMS_GROUP, libraries),
    Check("groups", RIGHTS_GROUP, groups),
    Check("container", RIGHTS_GROUP, container),
)
