"""Microphones, as ALSA lists them in /proc: no library is loaded for that."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgekit_devices.listing.types import Listed, State
from edgekit_devices.machine import Machine
from edgekit_devices.machine.holders import holders
from edgekit_devices.machine.libraries import find_library

PORTAUDIO = "libportaudio.so.2"
INSTALL = "sudo apt install libportaudio2 && pip install 'edgekit-sdk[audio]'   # or: sudo apt install alsa-utils"
_DEVICE = re.compile(r"^(\d+)-(\d+): ([^:]*) :.*\bcapture \d+", re.MULTILINE)
_CARD = re.compile(r"^\s*(\d+) \[[^\]]*\]: [^\n]* - ([^\n]*)", re.MULTILINE)


def list_audio(machine: Machine) -> Iterator[Listed]:
    """Devices that record."""
    cards = dict(_CARD.findall(machine.text("proc/asound/cards")))
    held = holders(machine)
    by_portaudio = has_portaudio(machine)
    for card, device, name in _DEVICE.findall(machine.text("proc/asound/pcm")):
        place = f"{int(card)},{int(device)}"
        node = f"/dev/snd/pcmC{int(card)}D{int(device)}c"
        state: State = "usable"
        detail, mend = node, ""
        if not machine.may_use(machine.path(node.lstrip("/"))):
            state, detail = "no permission", f"this user may not open {node}"
            mend = "sudo usermod -aG audio $USER   # then log in again"
        elif node in held:
            state, detail, mend = "busy", f"{held[node]} records from it", f"sudo fuser -v {node}"
        elif not by_portaudio and not machine.program("arecord"):
            state, detail, mend = "library missing", "it needs PortAudio or arecord", INSTALL
        # PortAudio finds devices by a part of their names, which holds hw; ALSA's plughw converts rates besides.
        use = f"mic:hw:{place}" if by_portaudio else f"mic:plughw:{place}"
        yield Listed("audio", use, cards.get(str(int(card))) or name.strip(), state, detail, mend)


def has_portaudio(machine: Machine) -> bool:
    """Whether sounddevice and the library that it needs are there."""
    return "sounddevice" in machine.python.packages and find_library(machine, PORTAUDIO) is not None
