"""Commands that are told to the user, as they have to be typed on this machine."""

from __future__ import annotations

import re
from pathlib import Path

from edgekit_devices.machine.machine import Machine

_PIP = re.compile(r"(?<![\w/-])(?<!-m )pip (?=install|uninstall)")


def exact(machine: Machine, text: str) -> str:
    """Commands with the pip of the Python that EdgeKit runs in, where the shell's is another one's or is none."""
    own, shell = Path(machine.python.executable), machine.program("pip")
    if shell and Path(shell).parent == own.parent:
        return text
    return _PIP.sub(lambda _: f"{own} -m pip ", text)
