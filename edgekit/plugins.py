"""Entry points: the one door through which devices, sources, converters and commands come in."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from importlib import import_module
from typing import Any, Literal

Group = Literal[
    "edgekit.attached", "edgekit.commands", "edgekit.converters", "edgekit.devices", "edgekit.placements",
    "edgekit.sinks", "edgekit.sources", "edgekit.telemetry",
]
INSTALLED = (".dist-info", ".egg-info")
"""Ends of the folders in which installers leave what a package says of itself."""

_SECTION = re.compile(r"^\[(.+)\]$")
_OURS = "edgekit."


@dataclass(frozen=True, slots=True)
class Point:
    """One entry point.

    Attributes:
        name: As registered.
        value: Where it is: `module:attribute`, or a module.
    """

    name: str
    value: str

    def load(self) -> Any:
        """Import what was registered."""
        module, _, path = self.value.partition(":")
        return reduce(getattr, filter(None, path.split(".")), import_module(module))


def registered(group: Group) -> dict[str, Point]:
    """The entry points of a group by name, none of them loaded."""
    # Read here rather than by importlib.metadata, whose import alone takes 30 ms on a PC and 200 on a small board.
    folders = tuple(entry or "." for entry in sys.path)
    return {point.name: point for owner, point in _all(folders, tuple(map(_changed, folders))) if owner == group}


def load(group: Group, name: str) -> Any:
    """Import and return what is registered as `name`.

    Raises:
        KeyError: nothing of that name is registered.
    """
    return registered(group)[name].load()


def _changed(folder: str) -> int:
    """When something was last installed in a folder, or removed from it."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - called for each load of a model
    except OSError:
        return 0


@lru_cache(maxsize=4)
def _all(folders: tuple[str, ...], changed: tuple[int, ...]) -> tuple[tuple[str, Point], ...]:
    """Every entry point of a group of ours with its group; of a package found twice the first counts."""
    found: dict[str, str] = {}
    for folder in folders:
        for name in _names(folder):
            if name.endswith(INSTALLED):
                package = name.partition("-")[0].replace("_", "-").replace(".", "-").lower()
                found.setdefault(package, f"{folder}/{name}/entry_points.txt")
    return tuple(entry for path in found.values() for entry in _points(path))


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - thousands of names
    except OSError:
        return []


def _points(path: str) -> Iterator[tuple[str, Point]]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - of every package that is installed
            content = file.read()
    except OSError:
        return
    group, lines = "", content.decode(errors="replace").splitlines() if _OURS.encode() in content else []
    for line in map(str.strip, lines):
        section = _SECTION.match(line)
        if section:
            group = section[1].strip()
        elif group.startswith(_OURS) and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield group, Point(name.strip(), value.partition("[")[0].strip())  # extras come in brackets
