"""What the converter knows of a model's inputs."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of the model. `shape` has the batch of 1 in front; `dtype` is a NumPy name."""

    name: str
    shape: tuple[int, ...]
    dtype: str


def tidy(name: str) -> str:
    """A name that TensorFlow takes for an argument; it would change other characters itself, in its own way."""
    return re.sub(r"\W", "_", name)
