"""Output tensors as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.results import Latency, Values
from edgekit.tasks.options import refuse_options
from edgekit.tasks.types import Head, Settings, Tensors
from edgekit.tasks.view import View


@dataclass(frozen=True, slots=True)
class ValuesTask:
    """Every output as real numbers, by name, without the batch dimension."""

    names: tuple[str, ...]

    def __call__(self, outputs: Sequence[NDArray[np.float32]], device: str, _view: View) -> Values:
        """A `Values` of float32 arrays."""
        values = {
            name: array[0] if array.ndim and array.shape[0] == 1 else array
            for name, array in zip(self.names, outputs, strict=True)
        }
        return Values(task="values", device=device, latency=Latency(), values=values)


def _fits(_tensors: Tensors) -> bool:
    return True


def _build(tensors: Tensors, settings: Settings) -> ValuesTask:
    """A `ValuesTask`. Outputs that share a name are told apart by their position."""
    refuse_options("tensors", settings)
    names = [output.name for output in tensors.outputs]
    unique = [name if names.count(name) == 1 else f"{name}:{at}" for at, name in enumerate(names)]
    return ValuesTask(tuple(unique))


HEADS = (Head(name="tensors", expects="any outputs", fits=_fits, build=_build),)
