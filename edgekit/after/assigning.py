"""Who is who: pairs of boxes such that all together overlap most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each box of the one with each of the other: (n, m) from (n, 4) and (m, 4)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.where(union > 0, union, 1.0), np.float64)


def assign(gains: NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    """Pairs of rows and columns of the largest sum of gains, none of them below `least`.

    The Hungarian method by shortest augmenting paths (Jonker and Volgenant, 1987).

    Args:
        gains: (n, m), 0 or more.
        least: Smallest gain of a pair, above 0.
    """
    if not gains.size:
        return []
    if gains.shape[0] > gains.shape[1]:
        return sorted((row, column) for column, row in assign(gains.T, least))
    costs = -np.where(gains >= least, gains, 0.0)
    taken = _columns(costs)
    pairs = ((int(taken[column]), column) for column in range(len(taken)) if taken[column] >= 0)
    return sorted((row, column) for row, column in pairs if gains[row, column] >= least)


def _columns(costs: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each column the row that takes it, or -1; there are no more rows than columns, and each row takes one."""
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    taken = np.full(columns, -1, np.intp)
    for row in range(rows):
        reached = np.full(columns, np.inf)
        before, closed = np.full(columns, -1, np.intp), np.zeros(columns, bool)
        at, column = row, -1
        while True:
            lower = costs[at] - row_price[at] - column_price + (0.0 if column < 0 else reached[column])
            better = ~closed & (lower < reached)
            reached[better], before[better] = lower[better], column
            column = int(np.where(closed, np.inf, reached).argmin())
            closed[column] = True
            if taken[column] < 0:
                break
            at = int(taken[column])
        length = reached[column]
        others = closed.copy()
        others[column] = False
        row_price[row] += length
        row_price[taken[others]] += length - reached[others]
        column_price[others] -= length - reached[others]
        while column >= 0:
            previous = int(before[column])
            taken[column] = taken[previous] if previous >= 0 else row
            column = previous
    return taken
