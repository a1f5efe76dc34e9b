"""Where what has to outlast the process is kept."""

from __future__ import annotations

import os
from pathlib import Path

STATE_VARIABLE = "EDGEKIT_STATE"


def state_folder() -> Path:
    """The folder for spools and tokens, which need not exist yet.

    `$EDGEKIT_STATE`; else the `$STATE_DIRECTORY` that systemd gives a service; else `edgekit` in
    `$XDG_STATE_HOME`, by default `~/.local/state`.
    """
    if chosen := os.environ.get(STATE_VARIABLE):
        return Path(chosen)
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "edgekit"
