"""What the converter knows of a model's inputs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of the model. `shape` has the batch of 1 in front; `dtype` is a NumPy name."""

    name: str
    shape: tuple[int, ...]
    dtype: str


def tidy(name: str) -> str:
    """A name that TensorFlow takes for an argument; it would change other characters itself, in its own way."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII).lstrip("_")
    return plain if plain[:1].isalpha() else f"arg_{plain}"


def distinct(names: Iterable[str]) -> list[str]:
    """The same names, with a number behind those that came before."""
    given: list[str] = []
    for name in names:
        number, free = 2, name
        while free in given:
            number, free = number + 1, f"{name}_{number}"
        given.append(free)
    return given
