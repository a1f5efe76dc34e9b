"""Occlusion: how far the score falls where a patch is hidden (Zeiler & Fergus 2014, section 4.2), from coarse to fine.

Patches of half, a quarter, an eighth and a sixteenth of a side slide by half their length. The coarse ones see to
decisions that rest on several parts at once, where no small patch alone moves the score. Fine ones are only tried
where the coarser found something, since a device runs one sample at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.explaining.planes import Plane
from edgekit.explaining.probing import Probe

PARTS = (2, 4, 8, 16)

Heat = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Patch:
    """A rectangle of cells; the last row and column are excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """For indexing."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def occlude(probe: Probe, whole: float, masks: int) -> tuple[Heat, int]:
    """Make the map.

    Args:
        probe: Runs the model.
        whole: The score of the whole sample.
        masks: How many patches to try at most.

    Returns:
        Importance of each cell, in units of the score, and how many patches were tried.
    """
    levels = list(_levels(probe.plane, masks))
    total, weights, tried = np.zeros(probe.plane.cells), 0.0, 0
    probe.begin("hiding patches", masks)
    for number, level in enumerate(levels):
        left = masks - tried
        last = number == len(levels) - 1
        chosen = level if len(level) <= left / 2 or last else _best(level, total, left // 2)
        chosen = chosen if len(chosen) <= left else _best(chosen, total, left)
        tried += len(chosen)
        drops = _drops(probe, whole, chosen)
        largest = float(np.abs(drops).max())
        if largest:
            # Small patches move the score less: by the root of its largest fall no level drowns the others.
            total, weights = total + drops / largest**0.5, weights + largest**-0.5
    return total / (weights or 1.0), tried


def _levels(plane: Plane, masks: int) -> Iterator[list[Patch]]:
    """Patches from coarse to fine; one level of single cells where neighbours have nothing to do with each other."""
    rows, columns = plane.cells
    if not any(plane.joined) and rows * columns <= masks:
        yield [patch for row in _intervals(rows, 1) for patch in _row(row, _intervals(columns, 1))]
        return
    joined = plane.joined if any(plane.joined) else (True, True)
    before: list[Patch] = []
    for parts in PARTS:
        sides = (
            _intervals(length, -(-length // parts) if together else 1)
            for length, together in zip(plane.cells, joined, strict=True)
        )
        vertical, horizontal = sides
        level = [patch for row in vertical for patch in _row(row, horizontal)]
        if level != before:
            yield level
        before = level


def _row(row: tuple[int, int], columns: Sequence[tuple[int, int]]) -> Iterator[Patch]:
    return (Patch(row[0], left, row[1], right) for left, right in columns)


def _intervals(length: int, size: int) -> list[tuple[int, int]]:
    """Stretches of that size that slide by half of it; the last one ends at the end."""
    size = min(size, length)
    starts = range(0, length - size + 1, max(1, size // 2))
    ends = [(start, start + size) for start in starts]
    return ends if ends[-1][1] == length else [*ends, (length - size, length)]


def _best(patches: Sequence[Patch], heat: Heat, count: int) -> list[Patch]:
    """Those of which the coarser levels expect most."""
    expected = [-float(heat[patch.slices].mean()) for patch in patches]
    return [patches[at] for at in np.argsort(expected, kind="stable")[:count]]


def _drops(probe: Probe, whole: float, patches: Sequence[Patch]) -> Heat:
    """For each cell the mean fall of the score over the patches that hide it; 0 where none does.

    A patch counts most in its middle, which makes the map smooth.
    """
    falls, weights = np.zeros(probe.plane.cells), np.zeros(probe.plane.cells)
    for patch in patches:
        seen = np.ones(probe.plane.cells, np.float32)
        seen[patch.slices] = 0
        weight = np.outer(_tent(patch.bottom - patch.top), _tent(patch.right - patch.left))
        falls[patch.slices] += (whole - probe.score(seen)) * weight
        weights[patch.slices] += weight
    mean: Heat = falls / np.where(weights > 0, weights, 1)
    return mean


def _tent(length: int) -> NDArray[np.float64]:
    """Weights that rise to the middle and fall again."""
    rising = np.arange(length) + 0.5
    weights: NDArray[np.float64] = np.minimum(rising, rising[::-1])
    return weights
