"""Where objects are in a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from edgekit.results.base import PIXEL_DIGITS, SCORE_DIGITS, Result, ScoredClass

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge, in pixels of the frame from its upper left corner."""


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A named place in a frame, such as `nose`.

    Attributes:
        name: Empty where the points of a model have no names.
        x: Pixels from the left edge of the frame; a point of a body that is cut off may lie outside.
        y: Pixels from its upper edge.
        score: How sure the model is of it, from 0 to 1.
    """

    name: str
    x: float
    y: float
    score: float

    def payload(self) -> dict[str, Any]:
        """`name`, `x`, `y` and `score`, ready for JSON."""
        return {"name": self.name, "x": _pixels(self.x), "y": _pixels(self.y), "score": _score(self.score)}


@dataclass(frozen=True, slots=True)
class DetectedObject(ScoredClass):
    """An object with its class, its score and its box.

    Attributes:
        box: Left, top, right, bottom in pixels of the frame, within it.
        keypoints: Places on the object, where the model gives them.
        id: Number of the object's track, from 1; None where nothing tracks objects, or it was seen once only.
        zones: Names of the zones that it is in.
        inner: What the second model of a `Cascade` says of it; None where there is none, or it did not look.
    """

    box: Box
    keypoints: tuple[Keypoint, ...] = ()
    id: int | None = None
    zones: tuple[str, ...] = ()
    inner: Result | None = field(default=None, compare=False)

    @property
    def width(self) -> float:
        """Pixels from the left to the right edge."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Pixels from the top to the bottom."""
        return self.box[3] - self.box[1]

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """The middle of the box, x and y in pixels."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    def iou(self, other: DetectedObject) -> float:
        """Intersection over union of the two boxes, from 0 to 1."""
        width = min(self.box[2], other.box[2]) - max(self.box[0], other.box[0])
        height = min(self.box[3], other.box[3]) - max(self.box[1], other.box[1])
        shared = max(0.0, width) * max(0.0, height)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def payload(self) -> dict[str, Any]:
        """`index`, `label`, `score`, `box`, and where there are any `keypoints`, `id`, `zones`, `inner`."""
        found: dict[str, Any] = {
            "index": self.index, "label": self.label, "score": _score(self.score), "box": list(map(_pixels, self.box)),
        }
        if self.keypoints:
            found["keypoints"] = [point.payload() for point in self.keypoints]
        if self.id is not None:
            found["id"] = self.id
        if self.zones:
            found["zones"] = list(self.zones)
        if self.inner is not None:
            found["inner"] = self.inner.inner_dict()
        return found


@dataclass(frozen=True, slots=True)
class Crossings:
    """How many tracked objects went over a line, seen from its first point towards its second.

    Attributes:
        to_right: From its left to its right.
        to_left: From its right to its left.
    """

    to_right: int = 0
    to_left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Result):
    """What results with places in a frame share.

    Attributes:
        width: Columns of the frame that the places are in.
        height: Its rows.
        zones: How many objects are in each zone, by its name; None where no zones are watched.
        lines: How many objects went over each line so far, by its name; None where no lines are watched.
    """

    width: int
    height: int
    zones: Mapping[str, int] | None = None
    lines: Mapping[str, Crossings] | None = None

    def payload(self) -> dict[str, Any]:
        """`zones` and `lines`, where any are watched."""
        found: dict[str, Any] = {}
        if self.zones is not None:
            found["zones"] = dict(self.zones)
        if self.lines is not None:
            found["lines"] = {
                name: {"to_right": line.to_right, "to_left": line.to_left} for name, line in self.lines.items()
            }
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection(Located):
    """The objects found in a picture, best first.

    Attributes:
        objects: None twice: boxes of a class that overlap too much are one object.
    """

    objects: tuple[DetectedObject, ...]

    def best(self, label: str | None = None, minimum: float = 0.0) -> DetectedObject | None:
        """As in `Result`: the object of the highest score, or the one of that label, where it reaches `minimum`."""
        return _best(self.objects, label, minimum)

    def payload(self) -> dict[str, Any]:
        """`objects`: a list of index, label, score and box; with `keypoints` and `id` where there are any."""
        return {"objects": [found.payload() for found in self.objects], **Located.payload(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose(Located):
    """The bodies found in a picture.

    Attributes:
        keypoints: Those of the best body, in the model's order; empty where there is none.
        objects: All bodies with box and keypoints, best first; None for a model that knows of one body only,
            which it sees in every picture.
    """

    keypoints: tuple[Keypoint, ...]
    objects: tuple[DetectedObject, ...] | None = None

    def best(self, label: str | None = None, minimum: float = 0.0) -> DetectedObject | None:
        """As in `Result`, for a model that finds several bodies."""
        return _best(self.objects or (), label, minimum)

    def keypoint(self, name: str, minimum: float = 0.0) -> Keypoint | None:
        """The best body's point of that name, where its score reaches `minimum`."""
        return next((point for point in self.keypoints if point.name == name and point.score >= minimum), None)

    def payload(self) -> dict[str, Any]:
        """`keypoints` of the best body; `objects`, each with its own, from a model that finds several."""
        points: dict[str, Any] = {"keypoints": [point.payload() for point in self.keypoints]}
        if self.objects is not None:
            points["objects"] = [found.payload() for found in self.objects]
        return {**points, **Located.payload(self)}


def _best(objects: Sequence[DetectedObject], label: str | None, minimum: float) -> DetectedObject | None:
    wanted = next((found for found in objects if label is None or found.label == label), None)
    return wanted if wanted and wanted.score >= minimum else None


def _pixels(value: float) -> float | None:
    return round(value, PIXEL_DIGITS) if isfinite(value) else None


def _score(value: float) -> float | None:
    return round(value, SCORE_DIGITS) if isfinite(value) else None
