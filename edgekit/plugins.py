"""Entry points: the one door through which devices, sources, converters and commands come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group = Literal[
    "edgekit.commands", "edgekit.converters", "edgekit.devices", "edgekit.placements", "edgekit.sinks",
    "edgekit.sources",
]


def registered(group: Group) -> dict[str, EntryPoint]:
    """The entry points of a group by name, none of them loaded."""
    from importlib.metadata import entry_points  # 25 ms, and a device may run for months without

    return {point.name: point for point in entry_points(group=group)}


def load(group: Group, name: str) -> Any:
    """Import and return what is registered as `name`.

    Raises:
        KeyError: nothing of that name is registered.
    """
    return registered(group)[name].load()
