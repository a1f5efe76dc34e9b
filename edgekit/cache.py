"""What is kept from one run to the next, in the user's cache folder. All of it can be deleted at any time."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgekit.atomic import write_atomically
from edgekit.errors import OutputError

VARIABLE = "XDG_CACHE_HOME"
MOST_FILES = 500
"""Files of a folder, above which the oldest are deleted."""


def folder() -> Path | None:
    """The folder of EdgeKit's own: `$XDG_CACHE_HOME/edgekit`, or `~/.cache/edgekit`; None for a user without a home."""
    given = os.environ.get(VARIABLE, "")
    if Path(given).is_absolute():  # what the XDG specification says of others: ignore them
        return Path(given, "edgekit")
    with suppress(RuntimeError):
        return Path.home() / ".cache" / "edgekit"
    return None


def read_json(kind: str, name: str) -> Any:
    """What was written under that name; None where nothing was, or it cannot be read.

    Args:
        kind: Name of a folder within the cache.
        name: Name of a file, without its ending.
    """
    where = folder()
    if where is None:
        return None
    try:
        return json.loads((where / kind / f"{name}.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def write_json(kind: str, name: str, content: Any) -> None:
    """Keep something for the next time; where the folder cannot be written it is found out again.

    Args:
        kind: Name of a folder within the cache.
        name: Name of a file, without its ending.
        content: What JSON can hold.
    """
    where = folder()
    if where is None:
        return
    with suppress(OSError, OutputError):
        (where / kind).mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(where / kind / f"{name}.json", json.dumps(content, indent=1).encode())
        _thin_out(where / kind)


def _thin_out(place: Path) -> None:
    files = sorted(place.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in files[:-MOST_FILES]:
        path.unlink(missing_ok=True)
