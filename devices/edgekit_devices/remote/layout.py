"""Where tensors lie in the memory that two processes share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64
"""Bytes: a line of the processor's cache."""

Form = tuple[str, tuple[int, ...]]
"""Type and shape of a tensor."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Tensors one behind the other.

    Attributes:
        forms: What each of them is.
        start: Where the first one begins, in bytes.
    """

    forms: tuple[Form, ...]
    start: int = 0

    @classmethod
    def of(cls, arrays: Sequence[NDArray[Any]], start: int = 0) -> Layout:
        """One that has room for these."""
        return cls(tuple((array.dtype.str, array.shape) for array in arrays), start)

    @classmethod
    def parse(cls, forms: Sequence[Any], start: int = 0) -> Layout:
        """From what JSON makes of `forms`."""
        return cls(tuple((str(dtype), tuple(map(int, shape))) for dtype, shape in forms), start)

    @property
    def end(self) -> int:
        """Behind the last one, in bytes."""
        return max((offset + size for offset, size in self._places()), default=self.start)

    def views(self, memory: mmap) -> list[NDArray[Any]]:
        """The tensors, in memory that is large enough."""
        return [
            np.frombuffer(memory, dtype, math.prod(shape), offset).reshape(shape) if math.prod(shape)
            else np.empty(shape, dtype)
            for (dtype, shape), (offset, _) in zip(self.forms, self._places(), strict=True)
        ]

    def _places(self) -> Iterator[tuple[int, int]]:
        """Where each begins, and how long it is."""
        at = self.start
        for dtype, shape in self.forms:
            at = -(-at // ALIGNMENT) * ALIGNMENT
            size = math.prod(shape) * np.dtype(dtype).itemsize
            yield at, size
            at += size
