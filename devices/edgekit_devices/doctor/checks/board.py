"""Which board this is, and what goes wrong on it most often."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit_devices.boards import board
from edgekit_devices.doctor.finding import Check, Finding, blocked, note, ok
from edgekit_devices.machine import Machine

GROUP = "Board"


def which(machine: Machine) -> Iterator[Finding]:
    """Its name, its system, and what to know of it."""
    about = board(machine.root)
    parts = [about.name, about.profile.chip, about.system, about.release]
    yield (ok if about.profile.supported else blocked)(", ".join(filter(None, parts)))
    for pitfall in about.profile.pitfalls:
        yield note(pitfall)


CHECKS = (Check("board", GROUP, which),)
