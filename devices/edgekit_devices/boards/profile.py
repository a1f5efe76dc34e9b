"""What is known of a kind of board, as the data files in `profiles/` tell it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

FAMILIES = ("raspberry_pi", "jetson", "coral", "generic")
"""Data files, in the order in which a board is looked for in them."""


@dataclass(frozen=True, slots=True)
class Latency:
    """What somebody published, not what was measured here.

    Attributes:
        model: Which network, with the side of its pictures in pixels.
        precision: `int8`, `float16` or `float32`.
        device: What ran it, as `--device` names it.
        milliseconds: One inference.
        runtime: With what it ran, and how it was measured.
        source: Where it was published.
    """

    model: str
    precision: str
    device: str
    milliseconds: float
    runtime: str
    source: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of board.

    Attributes:
        id: Short name, such as `raspberry-pi-5`.
        name: As its makers call it.
        processor: Cores and architecture.
        system: Operating systems on which EdgeKit runs there.
        python: Versions of Python that these have.
        chip: The system on a chip, with its GPU where that matters.
        cores: Of the processor; None where they differ from machine to machine.
        lse: Whether the processor has LSE atomics (ARMv8.1), without which LiteRT's GPU library cannot be loaded; None
            where that differs or means nothing.
        memory: Sizes in which the board is sold.
        runs: Devices that it can have, by the name for `--device`, and how they are attached or what they need.
        lacks: Devices that people look for and that do not work there, and why.
        pitfalls: What goes wrong most often, each with what to do.
        latencies: Published figures.
        supported: Whether EdgeKit runs there at all.
        compatible: Patterns for names in /proc/device-tree/compatible.
        model: Patterns for /proc/device-tree/model.
        machine: Kind of processor, in the words of `uname -m`, of a profile for any board with it.
    """

    id: str
    name: str
    processor: str
    system: str
    python: str
    chip: str = ""
    cores: int | None = None
    lse: bool | None = None
    memory: str = ""
    runs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    lacks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    pitfalls: tuple[str, ...] = ()
    latencies: tuple[Latency, ...] = ()
    supported: bool = True
    compatible: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    machine: str = ""


@cache
def profiles() -> tuple[Profile, ...]:
    """All kinds of boards that are known, those for any board with a processor last."""
    return tuple(profile for family in FAMILIES for profile in _read(family))


def _read(family: str) -> Iterator[Profile]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    text = resources.files(__package__).joinpath("profiles", f"{family}.toml").read_text(encoding="utf-8")
    return map(_profile, tomllib.loads(text)["board"])


def _profile(table: dict[str, Any]) -> Profile:
    latencies = tuple(Latency(**entry) for entry in table.pop("latency", ()))
    lists = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
    tables = {key: MappingProxyType(value) for key, value in table.items() if isinstance(value, dict)}
    return Profile(**{**table, **lists, **tables, "latencies": latencies})
