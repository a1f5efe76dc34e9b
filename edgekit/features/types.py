"""What features are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Features(Protocol):
    """Computes something of a window. `str` of it is its declaration."""

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the features.

        Args:
            values: Shape (size, channels).
        """
        ...


@dataclass(frozen=True, slots=True)
class Raw:
    """The values themselves."""

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same array."""
        return values

    def __str__(self) -> str:
        return ""
