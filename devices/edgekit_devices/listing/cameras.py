"""Cameras: what Linux calls video and gives pictures, and those on the board's own connector."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.errors import EdgeKitError
from edgekit_devices import isolation
from edgekit_devices.cameras.attached import attached_cameras
from edgekit_devices.listing.asked import FUNCTIONS
from edgekit_devices.listing.types import Listed, State
from edgekit_devices.machine import Machine
from edgekit_devices.machine.holders import Holder, holders

ASK_SECONDS = 5.0
NOT_A_CAMERA = re.compile(r"bcm2835-(?:codec|isp)|rpivid|hevc|pispbe|-m2m\b|\bcodec|\bencoder|\bdecoder", re.IGNORECASE)
"""Names of drivers that use the same interface for coding and scaling."""
RAW_SENSOR = re.compile(r"unicam|rp1-cfe|vi-output", re.IGNORECASE)
"""Names of drivers whose pictures are the bare sensor's, which libcamera or NVIDIA's daemon develops."""
_CSI_LINE = re.compile(r"^\s*(\d+)\s*:\s*(\S+)", re.MULTILINE)
JOIN_VIDEO = "sudo usermod -aG video $USER   # then log in again"


def list_cameras(machine: Machine) -> Iterator[Listed]:
    """Cameras of Linux in the order of their numbers, then those on the connector."""
    found = [one for one in attached_cameras(machine.root) if not NOT_A_CAMERA.search(one.name)]
    plain = [one for one in found if not RAW_SENSOR.search(one.name)]
    asked = _ask(machine, [one.path for one in plain])
    held = holders(machine)
    for one in plain:
        answer = asked.get(one.path, {})
        if answer.get("captures") is False:
            continue  # such as the second device of a USB camera, which tells of its pictures
        state, detail, mend = _state(machine, one.path, answer, held)
        yield Listed("camera", f"camera:{one.path.removeprefix('/dev/video')}", one.name or one.path, state, detail,
                     mend)
    yield from _connector(machine, [one.name for one in found if RAW_SENSOR.search(one.name)])


def _ask(machine: Machine, paths: list[str]) -> Mapping[str, Any]:
    """What the drivers say; nothing of a tree of files, and of a driver that does not answer."""
    if not machine.real or not paths:
        return {}
    try:
        answer: dict[str, Any] = isolation.call(f"{FUNCTIONS}ask_cameras", {"paths": paths}, seconds=ASK_SECONDS)
    except EdgeKitError:
        return {path: {"hangs": True} for path in paths} if len(paths) == 1 else _ask_each(machine, paths)
    return answer


def _ask_each(machine: Machine, paths: list[str]) -> dict[str, Any]:
    """One by one, so that the driver that does not answer takes no other camera from the list."""
    return {path: answer for one in paths for path, answer in _ask(machine, [one]).items()}


def _state(
    machine: Machine, path: str, answer: Mapping[str, Any], held: Mapping[str, Holder]
) -> tuple[State, str, str]:
    if answer.get("error") == errno.EACCES or not machine.may_use(machine.path(path.lstrip("/"))):
        return "no permission", f"this user may not open {path}", JOIN_VIDEO
    if answer.get("hangs"):
        return "not usable", f"the driver of {path} did not answer within {ASK_SECONDS:g} s", \
            "Unplug it and plug it in again."
    if answer.get("busy", False) or (not answer and path in held) or answer.get("error") == errno.EBUSY:
        return "busy", f"{held.get(path) or 'another process'} uses {path}", f"sudo fuser -v {path}"
    if "error" in answer:
        return "not usable", f"{path}: {errno.errorcode.get(answer['error'], answer['error'])}", \
            "Unplug it and plug it in again."
    return "usable", path, ""


def _connector(machine: Machine, raw: list[str]) -> Iterator[Listed]:
    program = machine.program("rpicam-hello", "libcamera-hello")
    if program:
        said = machine.run([program, "--list-cameras"], ASK_SECONDS)
        for number, name in _CSI_LINE.findall(said.output):
            yield Listed("camera", f"csi:{number}", name, detail="on the board's connector")
    elif any("vi-output" in name for name in raw):
        yield from _jetson(machine, raw)
    elif raw:
        yield Listed("camera", "csi:0", raw[0], "library missing", "it needs rpicam-vid",
                     "sudo apt install rpicam-apps-lite")


def _jetson(machine: Machine, raw: list[str]) -> Iterator[Listed]:
    missing = not machine.program("gst-launch-1.0")
    for number, name in enumerate(raw):
        yield Listed(
            "camera", f"csi:{number}", name.removeprefix("vi-output, "), "library missing" if missing else "usable",
            "it needs gst-launch-1.0" if missing else "on the board's connector",
            "sudo apt install gstreamer1.0-tools" if missing else "",
        )
