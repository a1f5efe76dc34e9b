"""What the converter knows of a model's inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of the model. `shape` has the batch of 1 in front; `dtype` is a NumPy name."""

    name: str
    shape: tuple[int, ...]
    dtype: str
