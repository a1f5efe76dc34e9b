"""Samples with what is known of them: labels, and the groups that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.images import read_image
from edgekit.metadata.types import ColourOrder

Task = Literal["classification", "regression", "anomaly", "detection", "agreement"]
"""What is scored. `agreement` is of data without labels: how like another model's the answers are."""


class Samples(Protocol):
    """Samples that are read when they are asked for. They can be pickled: worker processes get parts of them."""

    @property
    def channels(self) -> ColourOrder:
        """Order of colours of pictures among them."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, index: int) -> Any:
        """One sample as a model takes it: uint8 pixels, numbers, or such by input name.

        Raises:
            DataError: it cannot be read.
        """
        ...

    def part(self, indices: Sequence[int]) -> Samples:
        """Those samples, and no memory of the others."""
        ...


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures in files."""

    files: tuple[Path, ...]
    channels: ColourOrder = "bgr"

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return read_image(self.files[index])

    def part(self, indices: Sequence[int]) -> Pictures:
        """The pictures at these places."""
        return Pictures(tuple(self.files[index] for index in indices), self.channels)


@dataclass(frozen=True, slots=True)
class Arrays:
    """Samples in memory, an array for each input by name; along the first dimension go the samples."""

    arrays: Mapping[str, NDArray[Any]]
    channels: ColourOrder = "rgb"

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, index: int) -> Any:
        sample = {name: array[index] for name, array in self.arrays.items()}
        return sample if len(sample) > 1 else next(iter(sample.values()))  # models may call a single input otherwise

    def part(self, indices: Sequence[int]) -> Arrays:
        """The samples at these places."""
        return Arrays({name: array[list(indices)] for name, array in self.arrays.items()}, self.channels)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a model is evaluated on. `open_dataset` reads one from files.

    Attributes:
        name: What it is called in messages.
        samples: What the model is fed.
        task: What its labels are for.
        targets: What is right: for a classification class numbers, int64 of shape (samples,); for an anomaly 0 or 1
            (anomalous), alike; for a regression float64 of shape (samples, values); for a detection the objects,
            sample by sample, float64 of shape (objects, 6): left, top, right, bottom in pixels, class, and whether it
            is a crowd (1) that is not counted; None without labels.
        groups: For each property that is grouped by the group of each sample, texts of shape (samples,).
        warnings: What is doubtful about it, a sentence each.
    """

    name: str
    samples: Samples
    task: Task
    targets: NDArray[Any] | Sequence[NDArray[np.float64]] | None = None
    groups: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)
