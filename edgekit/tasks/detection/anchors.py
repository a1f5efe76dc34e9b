"""Boxes that a detector starts from, laid over the picture in grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

LOWEST = ((0.1, 1.0), (None, 2.0), (None, 0.5))
"""Scales and proportions of the first grid where it is reduced; None stands for the grid's own scale."""


@dataclass(frozen=True, slots=True)
class SsdAnchors:
    """How an SSD's anchors were made, after Liu et al., SSD (2016), section 2.2, and `create_ssd_anchors` of the
    TensorFlow Object Detection API, whose defaults these are.

    Attributes:
        strides: Pixels between the places of each grid.
        smallest: Scale of the first grid's boxes, as a part of the picture's shorter side.
        largest: Scale of the last grid's.
        proportions: Width by height of the boxes at each place.
        between: Proportion of one more box, of a scale between the grid's and the next one's; 0 for none.
        reduced: Whether the first grid has three boxes at each place only.
    """

    strides: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    smallest: float = 0.2
    largest: float = 0.95
    proportions: tuple[float, ...] = (1.0, 2.0, 0.5, 3.0, 1 / 3)
    between: float = 1.0
    reduced: bool = True

    def make(self, width: int, height: int) -> NDArray[np.float64]:
        """The anchors of a picture: (n, 4), the middle's x and y, width and height, as fractions."""
        shorter = min(width, height)
        grids = []
        for level, stride in enumerate(self.strides):
            sizes = np.array([(scale * sqrt(ratio), scale / sqrt(ratio)) for scale, ratio in self._boxes(level)])
            sizes *= (shorter / width, shorter / height)
            middles = grid(ceil(width / stride), ceil(height / stride))
            places = np.repeat(middles, len(sizes), axis=0)
            grids.append(np.concatenate((places, np.tile(sizes, (len(middles), 1))), axis=1))
        return np.concatenate(grids)

    def _boxes(self, level: int) -> list[tuple[float, float]]:
        """Scale and proportion of each box at a place."""
        scale, following = self._scale(level), self._scale(level + 1)
        if level == 0 and self.reduced:
            return [(own or scale, ratio) for own, ratio in LOWEST]
        boxes = [(scale, ratio) for ratio in self.proportions]
        return [*boxes, (sqrt(scale * following), self.between)] if self.between else boxes

    def _scale(self, level: int) -> float:
        if level >= len(self.strides):
            return 1.0
        steps = max(1, len(self.strides) - 1)
        return self.smallest + (self.largest - self.smallest) * level / steps


def grid(across: int, down: int) -> NDArray[np.float64]:
    """The middles of the places of a grid, row by row: (across * down, 2), x and y as fractions."""
    columns, rows = np.meshgrid((np.arange(across) + 0.5) / across, (np.arange(down) + 0.5) / down)
    return np.stack((columns.ravel(), rows.ravel()), axis=1)


def fixed_anchors(width: int, height: int, strides: Sequence[int], per_grid: int) -> NDArray[np.float64]:
    """Anchors of one size, as MediaPipe's detectors have them: (n, 2), x and y as fractions.

    Neighbouring grids of one stride share their places (`SsdAnchorsCalculator`).

    Args:
        width: Columns of the network's picture.
        height: Its rows.
        strides: Pixels between the places of each grid.
        per_grid: Anchors of a grid at each place.
    """
    grids = [
        np.repeat(grid(ceil(width / stride), ceil(height / stride)), per_grid * len(list(same)), axis=0)
        for stride, same in groupby(strides)
    ]
    return np.concatenate(grids)
