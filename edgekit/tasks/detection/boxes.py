"""From boxes and scores, as any head gives them, to objects in the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError
from edgekit.images import import_cv2
from edgekit.results import DetectedObject, Detection, Keypoint, Latency
from edgekit.tasks.keypoints import keypoints
from edgekit.tasks.types import TOP_OBJECTS, Settings, Tensors
from edgekit.tasks.view import View

MOST_CANDIDATES = 1000
"""Boxes above the least score that are compared with one another, the best; more would cost more than the network."""
DEFAULT_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """What a head makes of its tensors: boxes that may still be too many, too weak, or the same object twice.

    Attributes:
        boxes: float, (n, 4): left, top, right, bottom as fractions of the network's picture.
        scores: float, (n,).
        classes: Class numbers, (n,).
        points: (n, k, 3): x and y as fractions, and a score; k is 0 where a head has no keypoints.
    """

    boxes: NDArray[np.floating]
    scores: NDArray[np.floating]
    classes: NDArray[np.intp]
    points: NDArray[np.floating] | None = None

    def take(self, chosen: NDArray[np.intp]) -> Found:
        """Those of these numbers, in that order."""
        points = None if self.points is None else self.points[chosen]
        return Found(self.boxes[chosen], self.scores[chosen], self.classes[chosen], points)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the boxes found are objects, and what they are called.

    Attributes:
        score: The least score that counts.
        iou: Boxes of a class that overlap by more are one object.
        top: How many objects to name.
        labels: Class names, or none.
        suppress: Whether the head gives an object several times, so that the weaker boxes are to be dropped.
        points: Names of the keypoints, or none.
    """

    score: float
    iou: float
    top: int
    labels: tuple[str, ...] = ()
    suppress: bool = True
    points: tuple[str, ...] = ()

    def objects(self, found: Found, view: View) -> tuple[DetectedObject, ...]:
        """The objects, best first; of equal scores the one that came first."""
        kept = self._kept(found)
        boxes = view.boxes(kept.boxes)
        visible = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
        kept, boxes = kept.take(visible), boxes[visible]
        points = self._points(kept, view)
        rows = zip(kept.classes.tolist(), kept.scores.tolist(), boxes.tolist(), points, strict=True)
        return tuple(
            DetectedObject(index, self._label(index), score, (box[0], box[1], box[2], box[3]), found_points)
            for index, score, box, found_points in rows
        )

    def detection(self, found: Found, view: View, device: str) -> Detection:
        """A `Detection` of them."""
        objects = self.objects(found, view)
        return Detection(
            task="detection", device=device, latency=Latency(), objects=objects, width=view.width, height=view.height
        )

    def _kept(self, found: Found) -> Found:
        with np.errstate(invalid="ignore"):
            strong = np.flatnonzero((found.scores >= self.score) & np.isfinite(found.boxes).all(axis=1))
        ranked = strong[np.argsort(-found.scores[strong], kind="stable")]
        if not self.suppress or ranked.size < 2:
            return found.take(ranked[: self.top])
        candidates = found.take(ranked[:MOST_CANDIDATES])
        return candidates.take(suppressed(candidates, self.iou)[: self.top])

    def _label(self, index: int) -> str:
        return self.labels[index] if 0 <= index < len(self.labels) else ""

    def _points(self, found: Found, view: View) -> list[tuple[Keypoint, ...]]:
        if found.points is None:
            return [()] * len(found.scores)
        return [keypoints(body, self.points, view) for body in found.points]


def suppressed(found: Found, iou: float) -> NDArray[np.intp]:
    """Numbers of the boxes that remain where the weaker of two of a class goes, if they overlap by more than `iou`.

    `found` has the best box first, and so has the answer. OpenCV's own non-maximum suppression.
    """
    cv2 = import_cv2()
    sizes = found.boxes[:, 2:] - found.boxes[:, :2]
    corners_and_sizes = np.concatenate((found.boxes[:, :2], sizes), axis=1).astype(np.float64)
    kept = cv2.dnn.NMSBoxesBatched(
        corners_and_sizes, found.scores.astype(np.float32), found.classes.astype(np.int32), 0.0, iou
    )
    return np.sort(np.asarray(kept, np.intp).reshape(-1))


def select(
    tensors: Tensors, settings: Settings, *, classes: int | None = None, score: float = DEFAULT_SCORE,
    suppress: bool = True, points: tuple[str, ...] = (), labels: tuple[str, ...] | None = None,
) -> Selection:
    """The selection for a head, from what the user says.

    Args:
        tensors: Their labels are used, unless others are given.
        settings: What the user says.
        classes: How many there are; None where the tensors do not tell.
        score: The least that counts where the user says nothing.
        suppress: As in `Selection`.
        points: Names of the keypoints.
        labels: Class names that the head has of itself.

    Raises:
        DataError: there are labels, but not one for each class.
    """
    names = tensors.labels or labels or ()
    if classes is not None and tensors.labels and len(names) != classes:
        raise DataError(
            f"{len(names)} labels for {classes} classes ({tensors.describe()})",
            hint=f"Give a labels file of {classes} lines, one a class.",
        )
    least = score if settings.score is None else settings.score
    return Selection(least, settings.iou, settings.top or TOP_OBJECTS, names, suppress, points)


def corners(centers: NDArray[np.floating], sizes: NDArray[np.floating]) -> NDArray[np.floating]:
    """Boxes as left, top, right, bottom from their middles (n, 2) and their widths and heights (n, 2)."""
    return np.concatenate((centers - sizes / 2, centers + sizes / 2), axis=1)
