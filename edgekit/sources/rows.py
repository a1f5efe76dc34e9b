"""Tables of numbers as a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgekit.sources.types import Problem, Sample
from edgekit.tables import Row, iterate_rows


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a `.csv`, `.npy` or `.npz` file.

    Attributes:
        uri: Path of the file.
        shape: What a row of numbers is brought to; None leaves it as it is. A row of two dimensions of
            uint8 is a picture, and never touched.
    """

    uri: str
    shape: tuple[int, ...] | None = None

    @property
    def reads_ahead(self) -> bool:
        """A row is read in microseconds."""
        return False

    @property
    def live(self) -> bool:
        """A file waits."""
        return False

    def __iter__(self) -> Iterator[Sample | Problem]:
        width = None if self.shape is None else int(np.prod(self.shape))
        for sequence, row in enumerate(iterate_rows(self.uri, width)):
            yield self._sample(row, sequence)

    def _sample(self, row: Row, sequence: int) -> Sample | Problem:
        if row.values is None:
            return Problem(f"{self.uri}, {row.where}", sequence, row.problem)
        untouched = self.shape is None or row.is_picture
        return Sample(row.values if untouched else row.values.reshape(self.shape), self.uri, sequence)
