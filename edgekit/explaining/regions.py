"""Where the importance lies: connected regions, channels, features."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgekit.explaining.occlusion import Heat
from edgekit.explaining.planes import Plane
from edgekit.explaining.probing import Probe
from edgekit.explaining.types import Importance, Region, span

MOST_REGIONS = 5
THRESHOLD = 0.5
"""Of the highest importance: what has less belongs to no region."""
LEAST_SHARE = 0.02
"""Of all importance: what has less is a speck."""
MOST_CHANNELS = 128

Place = tuple[int, int]


def regions(probe: Probe, heat: Heat) -> tuple[Region, ...]:
    """The most important regions; each is then hidden alone, to see what the model says without it."""
    positive = np.maximum(heat, 0)
    highest = positive.max()
    if highest == 0:
        return ()
    found = list(_connected(positive >= THRESHOLD * highest, probe.plane.joined))
    shares = [float(positive[cells].sum() / positive.sum()) for cells in found]
    order = np.argsort(-np.array(shares), kind="stable")[:MOST_REGIONS]
    chosen = [at for at in order if shares[at] >= LEAST_SHARE]
    probe.begin("hiding regions", len(chosen))
    return tuple(_region(probe, found[at], shares[at]) for at in chosen)


def _region(probe: Probe, cells: NDArray[np.bool_], share: float) -> Region:
    seen = np.where(cells, 0, 1).astype(np.float32)
    return Region(_box(cells, probe.plane), share, probe.score(seen))


def _box(cells: NDArray[np.bool_], plane: Plane) -> tuple[int, int, int, int]:
    """In pixels, or steps and channels."""
    rows, columns = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    spans = []
    for found, length, count in zip((rows, columns), plane.size, cells.shape, strict=True):
        spans.append(span(int(found[0]), int(found[-1]) + 1, length, count))
    (top, bottom), (left, right) = spans
    return top, left, bottom, right


def _connected(chosen: NDArray[np.bool_], joined: tuple[bool, bool]) -> Iterator[NDArray[np.bool_]]:
    """Cells that hang together along sides whose neighbours belong together."""
    left = {(int(row), int(column)) for row, column in np.argwhere(chosen)}
    while left:
        start = min(left)
        left.remove(start)
        waiting, members = [start], [start]
        while waiting:
            for near in _neighbours(waiting.pop(), joined):
                if near in left:
                    left.remove(near)
                    waiting.append(near)
                    members.append(near)
        region = np.zeros_like(chosen)
        region[tuple(np.array(members).T)] = True
        yield region


def _neighbours(place: Place, joined: tuple[bool, bool]) -> Iterator[Place]:
    row, column = place
    if joined[0]:
        yield from ((row - 1, column), (row + 1, column))
    if joined[1]:
        yield from ((row, column - 1), (row, column + 1))


def columns(probe: Probe, heat: Heat, whole: float) -> tuple[Importance, ...]:
    """Channels of a window, each hidden as a whole, or features as the map has them; the most important first."""
    plane = probe.plane
    count = plane.size[1]
    if plane.kind == "picture" or (plane.kind == "window" and count > MOST_CHANNELS):
        return ()
    if plane.kind == "features":
        cells = np.arange(count) * heat.shape[1] // count
        drops = [float(heat[0, cell]) for cell in cells]
    else:
        probe.begin("hiding channels", count)
        drops = [_without_channel(probe, number, whole) for number in range(count)]
    ranked = [Importance(number, plane.names[number], drop) for number, drop in enumerate(drops)]
    return tuple(sorted(ranked, key=lambda column: -column.drop))


def _without_channel(probe: Probe, number: int, whole: float) -> float:
    # As many cells as channels: more than the plane has cells a side are not measured.
    seen = np.ones(probe.plane.cells, np.float32)
    seen[:, number] = 0
    return whole - probe.score(seen)
