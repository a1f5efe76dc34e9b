"""Deletion and insertion: whether the score follows the map (Petsiuk, Das, Saenko 2018, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.explaining.occlusion import PARTS, Heat
from edgekit.explaining.planes import Mask, Plane
from edgekit.explaining.probing import Probe
from edgekit.explaining.types import Curve, Faithfulness, places

STEPS = 16
RANDOM_ORDERS = 3
RUNS = 2 * (STEPS - 1) * (1 + RANDOM_ORDERS)
"""How often it runs the model; the two ends of each curve are known."""

Ranks = NDArray[np.float64]
"""For each cell its place in an order, 0 (first) to just under 1."""


def measure(
    probe: Probe, heat: Heat, ends: tuple[float, float], bounded: bool, random: np.random.Generator
) -> Faithfulness:
    """Hide and show the sample step by step, in the map's order and in random order.

    Args:
        probe: Runs the model.
        heat: The map.
        ends: Scores of the whole sample and of the hidden one.
        bounded: Whether scores are probabilities; others are scaled by `ends` for the areas.
        random: For the random orders, which take patches of a sixteenth of a side, and for places of equal importance.
    """
    probe.begin("deletion and insertion", RUNS)
    ranks = _ranks(-heat, _patchwork(probe.plane, random))
    deletion, insertion = (_curve(probe, ranks, ends, inserting, bounded) for inserting in (False, True))
    orders = [_ranks(_patchwork(probe.plane, random)) for _ in range(RANDOM_ORDERS)]
    areas = [
        [_curve(probe, order, ends, inserting, bounded).area for order in orders] for inserting in (False, True)
    ]
    return Faithfulness(deletion, insertion, float(np.mean(areas[0])), float(np.mean(areas[1])), RANDOM_ORDERS)


def _patchwork(plane: Plane, random: np.random.Generator) -> Heat:
    """Random numbers, the same for all cells of a patch."""
    sides = [min(length, PARTS[-1]) if joined else length
             for length, joined in zip(plane.cells, plane.joined, strict=True)]
    rows, columns = (places(length, count) for length, count in zip(plane.cells, sides, strict=True))
    patches: Heat = random.random(sides)[np.ix_(rows, columns)]
    return patches


def _ranks(*keys: Heat) -> Ranks:
    """Cells in ascending order of the first key, then of the next."""
    order = np.lexsort([key.reshape(-1) for key in reversed(keys)])
    ranks = np.empty(order.size)
    ranks[order] = np.arange(order.size) / order.size
    return ranks.reshape(keys[0].shape)


def _curve(probe: Probe, ranks: Ranks, ends: tuple[float, float], inserting: bool, bounded: bool) -> Curve:
    shares = np.linspace(0, 1, STEPS + 1)
    first, last = ends[::-1] if inserting else ends
    between = [probe.score(_seen(ranks, share, inserting)) for share in shares[1:-1]]
    scores = (first, *between, last)
    return Curve(tuple(shares.tolist()), scores, _area(shares, scores, ends, bounded))


def _seen(ranks: Ranks, share: float, inserting: bool) -> Mask:
    chosen = ranks < share - 1e-9
    return (chosen if inserting else ~chosen).astype(np.float32)


def _area(shares: NDArray[np.float64], scores: Sequence[float], ends: tuple[float, float], bounded: bool) -> float:
    heights = np.asarray(scores)
    whole, hidden = ends
    if not bounded and whole != hidden:
        heights = (heights - hidden) / (whole - hidden)
    return float(np.sum((heights[1:] + heights[:-1]) / 2 * np.diff(shares)))
