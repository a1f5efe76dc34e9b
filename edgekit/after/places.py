"""Zones and lines in the frame: who is where, and who went over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

from edgekit.after.types import BySource, moment, objects_of
from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.results import Crossings, DetectedObject, Detection, Pose, Result

Point = tuple[float, float]
ANCHORS = ("bottom", "center")
FORGOTTEN = 10.0
"""Seconds after which the last place of an object that is not seen any more is forgotten."""


class Places:
    """Counts the objects in zones, and those that go over lines.

    An object is where the middle of its box's lower edge is: where a person or a car stands on the ground.

    Args:
        zones: Corners of each zone, three or more, by its name. A zone's edge belongs to it or not, as it falls.
        lines: Two points of each line, by its name. Only objects with an `id` are counted, so that a `Tracker` has to
            come first; each time that one goes over the line between its two ends counts.
        anchor: `bottom`, or `center` for the middle of the box.

    Coordinates are pixels of the frame, or fractions of it where all of a zone or line are from 0 to 1.

    Raises:
        UsageError: a zone or line of other numbers of points, or the two share a name.
    """

    def __init__(
        self, zones: Mapping[str, Sequence[Point]] | None = None, lines: Mapping[str, Sequence[Point]] | None = None,
        *, anchor: str = "bottom",
    ) -> None:
        self._zones = {name: _shape("zone", name, corners, 3) for name, corners in (zones or {}).items()}
        self._lines = {name: _shape("line", name, ends, 2) for name, ends in (lines or {}).items()}
        self._anchor = one_of("anchor", anchor, ANCHORS)
        self._memories = BySource(_Memory)

    def __call__(self, result: Result, /) -> Result:
        """The result with the zones of each object, and with the counts of zones and lines.

        Raises:
            UsageError: the task finds no objects.
        """
        found, objects = objects_of(result, "a zone or line")
        zones = {name: _in_pixels(corners, found) for name, corners in self._zones.items()}
        placed = tuple(self._placed(item, zones) for item in objects)
        counts = {name: sum(name in item.zones for item in placed) for name in zones}
        memory = self._memories.of(result)
        self._count_crossings(memory, found, placed)
        return replace(
            found, objects=placed, zones=counts if self._zones else found.zones,
            lines={name: memory.crossed.get(name, Crossings()) for name in self._lines} if self._lines else found.lines,
        )

    def _placed(self, item: DetectedObject, zones: Mapping[str, Sequence[Point]]) -> DetectedObject:
        inside = tuple(name for name, corners in zones.items() if is_inside(self._place(item), corners))
        return replace(item, zones=inside) if inside else item

    def _place(self, item: DetectedObject) -> Point:
        x, y = item.center
        return (x, item.box[3]) if self._anchor == "bottom" else (x, y)

    def _count_crossings(
        self, memory: _Memory, found: Detection | Pose, objects: Sequence[DetectedObject]
    ) -> None:
        if not self._lines:
            return
        now = moment(found)
        lines = {name: _in_pixels(ends, found) for name, ends in self._lines.items()}
        for item in objects:
            if item.id is not None:
                place = self._place(item)
                before = memory.places.pop(item.id, None)
                if before is not None:
                    memory.count(lines, before[0], place)
                memory.places[item.id] = (place, now)
        gone = [number for number, (_, seen) in memory.places.items() if not 0 <= now - seen <= FORGOTTEN]
        for number in gone:
            del memory.places[number]


@dataclass(slots=True)
class _Memory:
    """Where each object was last, and when; and the crossings so far."""

    places: dict[int, tuple[Point, float]] = field(default_factory=dict)
    crossed: dict[str, Crossings] = field(default_factory=dict)

    def count(self, lines: Mapping[str, Sequence[Point]], before: Point, place: Point) -> None:
        for name, (start, end) in lines.items():
            way = crossing(before, place, start, end)
            if way:
                old = self.crossed.get(name, Crossings())
                self.crossed[name] = Crossings(old.to_right + (way > 0), old.to_left + (way < 0))


def _shape(kind: str, name: str, points: Sequence[Point], count: int) -> tuple[Point, ...]:
    pairs = tuple((float(x), float(y)) for x, y in points)
    enough = len(pairs) == count if kind == "line" else len(pairs) >= count
    if not enough or not all(isfinite(value) for pair in pairs for value in pair):
        wanted = "two points" if kind == "line" else "three points or more"
        raise UsageError(f"{kind} {name} has {len(pairs)} points", hint=f"A {kind} needs {wanted}: x0,y0,x1,y1,...")
    if kind == "line" and pairs[0] == pairs[1]:
        raise UsageError(f"line {name} has no length", hint="Give two different points.")
    return pairs


def _in_pixels(points: Sequence[Point], frame: Detection | Pose) -> tuple[Point, ...]:
    if all(0 <= value <= 1 for point in points for value in point):
        return tuple((x * frame.width, y * frame.height) for x, y in points)
    return tuple(points)


def is_inside(point: Point, corners: Sequence[Point]) -> bool:
    """Whether a point lies in a polygon: a ray from it to the right meets its edges an odd number of times."""
    x, y = point
    return sum(x < meets for meets in _meets(y, corners)) % 2 == 1


def _meets(y: float, corners: Sequence[Point]) -> Iterator[float]:
    """Where a horizontal line meets the edges of a polygon; a corner counts for one of its two edges."""
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if (y0 > y) != (y1 > y):
            yield x0 + (y - y0) / (y1 - y0) * (x1 - x0)


def crossing(before: Point, after: Point, start: Point, end: Point) -> int:
    """Whether a step goes over the line between two points: 1 to its right, seen from `start`, -1 to its left, else 0.

    A place on the line itself counts as on its right.
    """
    was, now = _is_right(before, start, end), _is_right(after, start, end)
    way = sorted((before, after))  # so that the way back meets the line where the way there does
    if was == now or _is_right(start, *way) == _is_right(end, *way):
        return 0
    return 1 if now else -1


def _is_right(point: Point, start: Point, end: Point) -> bool:
    """Whether a point is on the right of a line, as seen in the picture, whose y goes down, by who looks along it."""
    across = (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])
    return across >= 0
