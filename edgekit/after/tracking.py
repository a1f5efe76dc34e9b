"""Which object is which, from frame to frame.

SORT (Bewley et al., 2016): a Kalman filter for each object says where it should be, and boxes are given to tracks so
that all together overlap most. ByteTrack (Zhang et al., 2022): weak detections are tried on the tracks that no strong
one fits. C-BIoU (Yang et al., 2023): what still fits nowhere is tried with larger boxes, so that small and fast objects
are not lost before their velocity is known. Other than in these, time is counted in seconds, not in frames: the filters
step by the true time between the frames that were processed, and a track is given up after a time, so that numbers
survive dropped frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgekit.after.assigning import assign, overlaps
from edgekit.after.kalman import Motion
from edgekit.after.types import BySource, moment, objects_of
from edgekit.errors import UsageError
from edgekit.results import DetectedObject, Result

BUFFER = 0.5
"""By how much boxes grow, in parts of their size, for those that overlap with no track."""
LONGEST_PAUSE = 10.0
"""Seconds without a frame after which all tracks are given up, whatever `keep` says of objects that are not seen."""


@dataclass(slots=True)
class _Track:
    motion: Motion
    index: int
    seen: float
    id: int | None = None


@dataclass(slots=True)
class _Scene:
    """The tracks of one source."""

    tracks: list[_Track] = field(default_factory=list)
    moment: float | None = None
    given: int = 0


class Tracker:
    """Gives each object a number, `id`, that it keeps while it is seen, and for a while when it is not.

    An object gets its number when it is seen for the second time; those of a source's first frame get it at once.

    Args:
        keep: Seconds for which an object that is not seen keeps its number.
        strong: Least score of an object that starts a track; weaker ones can only continue one.
        iou: Least intersection over union of a box with where its track should be.

    Raises:
        UsageError: a number that cannot be.
    """

    def __init__(self, *, keep: float = 1.0, strong: float = 0.5, iou: float = 0.2) -> None:
        if not keep >= 0:
            raise UsageError(f"keep is {keep!r}", hint="Give seconds, 0 or more.")
        for name, value in (("strong", strong), ("iou", iou)):
            if not 0 <= value <= 1:
                raise UsageError(f"{name} is {value!r}", hint="Give a number from 0 to 1.")
        self._keep, self._strong, self._iou = keep, strong, max(iou, 1e-6)
        self._scenes = BySource(_Scene)

    def __call__(self, result: Result, /) -> Result:
        """The result, its objects with their numbers.

        Raises:
            UsageError: the task finds no objects.
        """
        found, objects = objects_of(result, "tracking")
        return replace(found, objects=self._follow(self._scenes.of(result), objects, moment(result)))

    def _follow(
        self, scene: _Scene, objects: Sequence[DetectedObject], now: float
    ) -> tuple[DetectedObject, ...]:
        first = scene.moment is None
        self._move(scene, now)
        strong = [at for at, item in enumerate(objects) if item.score >= self._strong]
        weak = [at for at, item in enumerate(objects) if item.score < self._strong]
        pairs = self._pair(scene.tracks, objects, strong)
        pairs += self._pair(_without(scene.tracks, pairs), objects, weak)
        taken = {at for _, at in pairs}
        pairs += self._pair(
            _without(scene.tracks, pairs), objects, [at for at in strong if at not in taken], grown=True
        )
        numbered = list(objects)
        for track, at in pairs:
            self._sight(scene, track, objects[at], now)
            numbered[at] = replace(objects[at], id=track.id)
        matched = {at for _, at in pairs}
        for at in strong:
            if at not in matched:
                track = _Track(Motion.start(_array([objects[at]])[0]), objects[at].index, now)
                scene.tracks.append(track)
                if first:
                    scene.given += 1
                    track.id = scene.given
                    numbered[at] = replace(objects[at], id=track.id)
        return tuple(numbered)

    def _move(self, scene: _Scene, now: float) -> None:
        """Predict where all are by now, and give up those that were not seen for too long."""
        passed = 0.0 if scene.moment is None else now - scene.moment
        scene.moment = now
        if passed < 0 or passed > max(LONGEST_PAUSE, self._keep):  # a video that starts again, or a long absence
            scene.tracks = []
            return
        # An object that was seen once may have been a mistake of the detector: it is not waited for.
        scene.tracks = [
            track for track in scene.tracks
            if now - track.seen <= self._keep + 1e-9 and (track.id is not None or now - track.seen <= passed + 1e-9)
        ]
        for track in scene.tracks:
            track.motion.predict(passed)

    def _pair(
        self, tracks: Sequence[_Track], objects: Sequence[DetectedObject], chosen: Sequence[int], *, grown: bool = False
    ) -> list[tuple[_Track, int]]:
        """Tracks with the numbers of the objects that continue them."""
        if not tracks or not chosen:
            return []
        boxes = _array(objects[at] for at in chosen)
        expected = np.stack([track.motion.box for track in tracks])
        gains = overlaps(_grow(expected), _grow(boxes)) if grown else overlaps(expected, boxes)
        classes = np.array([objects[at].index for at in chosen])
        gains *= np.array([track.index for track in tracks])[:, None] == classes[None]
        return [(tracks[row], chosen[column]) for row, column in assign(gains, self._iou)]

    def _sight(self, scene: _Scene, track: _Track, item: DetectedObject, now: float) -> None:
        track.motion.correct(_array([item])[0])
        track.seen = now
        if track.id is None:
            scene.given += 1
            track.id = scene.given


def _without(tracks: Sequence[_Track], pairs: Sequence[tuple[_Track, int]]) -> list[_Track]:
    """The tracks that are in none of the pairs."""
    return [track for track in tracks if all(track is not other for other, _ in pairs)]


def _grow(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes (n, 4) that are larger by `BUFFER` of their size on each side."""
    margins = (boxes[:, 2:] - boxes[:, :2]) * BUFFER
    return np.concatenate((boxes[:, :2] - margins, boxes[:, 2:] + margins), axis=1)


def _array(objects: Iterable[DetectedObject]) -> NDArray[np.float64]:
    """The boxes of some objects, (n, 4)."""
    return np.array([item.box for item in objects], np.float64).reshape(-1, 4)
