"""RISE: the mean score over random masks in which a place is seen (Petsiuk, Das, Saenko 2018).

Half of the sample is hidden at once, which also finds decisions that rest on several parts. It takes more runs than
occlusion for a map as smooth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.explaining.occlusion import Heat
from edgekit.explaining.planes import Mask, Plane
from edgekit.explaining.probing import Probe

GRID = 7
"""Coarse squares a side, as in the paper."""
SEEN = 0.5
"""Share of them that is seen."""


def rise(probe: Probe, masks: int, random: np.random.Generator) -> Heat:
    """Make the map.

    Args:
        probe: Runs the model.
        masks: How many.
        random: Where they come from.

    Returns:
        For each cell the mean score where it is seen, less the mean of all.
    """
    scores, seen_sum, total = np.zeros(probe.plane.cells), np.zeros(probe.plane.cells), 0.0
    probe.begin("hiding at random", masks)
    for _ in range(masks):
        seen = random_mask(probe.plane, random)
        score = probe.score(seen)
        scores += score * seen
        seen_sum += seen
        total += score
    heat: Heat = scores / np.maximum(seen_sum, 1e-9) - total / masks
    return heat


def random_mask(plane: Plane, random: np.random.Generator) -> Mask:
    """Coarse squares seen or hidden, made smooth and shifted along sides whose neighbours belong together."""
    sides = [_side(length, joined, random) for length, joined in zip(plane.cells, plane.joined, strict=True)]
    grid = (random.random((sides[0].shape[1], sides[1].shape[1])) < SEEN).astype(np.float32)
    return np.asarray(sides[0] @ grid @ sides[1].T, np.float32)


def _side(length: int, joined: bool, random: np.random.Generator) -> NDArray[np.float32]:
    """Weights of shape (cells, coarse squares) of a linear interpolation, with a random shift of up to one square."""
    squares = min(GRID, length)
    if not joined or length <= GRID:
        return np.eye(length, dtype=np.float32)
    at = (np.arange(length) + 0.5) / length * squares + random.random() - 0.5
    near = np.clip(1 - np.abs(np.subtract.outer(at, np.arange(squares + 1))), 0, 1)
    weights: NDArray[np.float32] = (near / near.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights
