"""Entry points: the one door through which devices, sources, converters and commands come in."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

Group = Literal["edgekit.commands", "edgekit.converters", "edgekit.devices", "edgekit.sources"]


def registered(group: Group) -> dict[str, EntryPoint]:
    """The entry points of a group by name, none of them loaded."""
    return {point.name: point for point in entry_points(group=group)}


def load(group: Group, name: str) -> Any:
    """Import and return what is registered as `name`.

    Raises:
        KeyError: nothing of that name is registered.
    """
    return registered(group)[name].load()
