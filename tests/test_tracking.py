"""Which object is which, from frame to frame, and what zones and lines count."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit import UsageError
from edgekit.after import Chain, Places, Tracker
from edgekit.after.assigning import assign
from edgekit.after.places import Point, crossing, is_inside
from edgekit.results import Classification, DetectedObject, Detection, Keypoint, Latency, Pose

FPS = 30


def item(x: float, y: float = 50, *, size: float = 20, score: float = 0.9, index: int = 0) -> DetectedObject:
    return DetectedObject(index, "", score, (x - size / 2, y - size, x + size / 2, y + size))


def frame(
    moment: float, *objects: DetectedObject, source: str = "camera:0", position: float | None = None
) -> Detection:
    return Detection(
        task="detection", device="cpu", latency=Latency(), objects=objects, width=1000, height=200, source=source,
        captured=moment, position=position,
    )


def numbers(result: object) -> list[int | None]:
    assert isinstance(result, Detection)
    return [found.id for found in result.objects]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.floats(-60, 60), st.integers(0, 7)), min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=60, max_size=60),
    st.randoms(use_true_random=False),
)
def test_numbers_survive_dropped_frames(
    movers: list[tuple[float, int]], kept: list[bool], random: st.DataObject
) -> None:
    """Objects that move evenly in lanes of their own, in frames of which any may be missing, up to 0.4 s in a row."""
    given_numbers: dict[str, int] = {}
    tracker, missing = Tracker(), 0
    for at in range(60):
        missing = 0 if kept[at] or missing >= 11 or at < 4 else missing + 1
        if missing:
            continue
        objects = [
            replace(item(500 + speed * at / FPS, 200 * lane, index=1), keypoints=(Keypoint(str(lane), 0, 0, 1),))
            for lane, (speed, _) in enumerate(movers)
        ]
        random.shuffle(objects)  # type: ignore[attr-defined]
        result = tracker(frame(at / FPS, *objects))
        assert isinstance(result, Detection)
        for found in result.objects:
            assert found.id is not None
            assert given_numbers.setdefault(found.keypoints[0].name, found.id) == found.id
    assert sorted(given_numbers.values()) == list(range(1, len(movers) + 1))


def test_a_fast_object_is_found_again_by_the_true_time() -> None:
    """600 pixels a second, 20 wide; then 0.3 s without a frame, in which it moves by nine times its width.

    A filter that counts frames would look for it 20 pixels on.
    """
    tracker = Tracker()
    for at in range(10):
        tracker(frame(at / FPS, item(600 * at / FPS)))
    assert numbers(tracker(frame(0.6, item(360)))) == [1]


def test_the_time_is_the_recording_s_own() -> None:
    """A video that is read ten times as fast as it was taken."""
    tracker = Tracker()
    for at in range(10):
        tracker(frame(at / FPS / 10, item(600 * at / FPS), position=at / FPS))
    assert numbers(tracker(frame(0.031, item(360), position=0.6))) == [1]


def test_a_number_is_kept_for_a_time_and_not_given_again() -> None:
    tracker = Tracker(keep=0.5)
    assert numbers(tracker(frame(0.0, item(100), item(300)))) == [1, 2]
    assert numbers(tracker(frame(0.1, item(300)))) == [2]
    assert numbers(tracker(frame(0.4, item(100), item(300)))) == [1, 2]
    tracker(frame(0.7, item(300)))
    tracker(frame(1.0, item(300)))
    assert numbers(tracker(frame(1.3, item(100), item(300)))) == [None, 2]
    assert numbers(tracker(frame(1.4, item(100), item(300)))) == [3, 2]


def test_a_newcomer_gets_its_number_at_the_second_sight() -> None:
    tracker = Tracker()
    assert numbers(tracker(frame(0.0))) == []
    assert numbers(tracker(frame(0.1, item(100)))) == [None]
    assert numbers(tracker(frame(0.2, item(102)))) == [1]
    tracker(frame(0.3, item(500), item(104)))  # seen once only: a mistake
    assert numbers(tracker(frame(0.4, item(106)))) == [1]
    assert numbers(tracker(frame(0.5, item(500), item(108)))) == [None, 1]


def test_a_weak_detection_continues_a_track_and_starts_none() -> None:
    tracker = Tracker()
    assert numbers(tracker(frame(0.0, item(100), item(400, score=0.2)))) == [1, None]
    assert numbers(tracker(frame(0.1, item(101, score=0.2), item(400, score=0.2)))) == [1, None]
    assert numbers(tracker(frame(0.2, item(101, score=0.2), item(101, score=0.9)))) == [None, 1]


def test_classes_and_sources_are_kept_apart() -> None:
    tracker = Tracker()
    assert numbers(tracker(frame(0.0, item(100, index=0)))) == [1]
    assert numbers(tracker(frame(0.1, item(100, index=1)))) == [None]
    assert numbers(tracker(frame(0.1, item(100), source="camera:1"))) == [1]
    assert numbers(tracker(frame(0.2, item(100, index=1), item(100)))) == [2, 1]


def test_after_a_long_absence_all_starts_anew() -> None:
    tracker = Tracker(keep=60)
    assert numbers(tracker(frame(5.0, item(100)))) == [1]
    assert numbers(tracker(frame(30.0, item(100)))) == [1]
    assert numbers(tracker(frame(0.0, item(100)))) == [None]  # a video that starts again


@settings(deadline=None)
@given(st.integers(1, 5).flatmap(lambda rows: st.lists(
    st.lists(st.integers(0, 20), min_size=rows, max_size=rows), min_size=1, max_size=5)
))
def test_pairs_have_the_largest_sum_there_is(gains: list[list[int]]) -> None:
    table = np.array(gains, float) / 20
    pairs = assign(table, 0.3)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(table[pair] >= 0.3 for pair in pairs)
    tall = table if table.shape[0] >= table.shape[1] else table.T
    useful = np.where(tall >= 0.3, tall, 0)
    best = max(
        sum(useful[row, column] for column, row in enumerate(rows))
        for rows in permutations(range(tall.shape[0]), tall.shape[1])
    )
    assert sum(table[pair] for pair in pairs) == pytest.approx(best)


def walk(places: Places, tracker: Tracker, *xs: float) -> Detection:
    last: object = None
    for at, x in enumerate(xs):
        last = Chain([tracker, places])(frame(at / 10, item(x)))
    assert isinstance(last, Detection)
    return last


def test_a_line_counts_who_goes_over_it_and_which_way() -> None:
    places, tracker = Places(lines={"gate": [(0.1, 0), (0.1, 1)]}), Tracker()  # downwards at x = 100
    assert walk(places, tracker, 92, 96, 99).payload()["lines"] == {"gate": {"to_right": 0, "to_left": 0}}
    found = walk(places, Tracker(), 99, 101, 98, 96)
    # Looking down along the line, the picture's left is on the right-hand side.
    assert found.payload()["lines"] == {"gate": {"to_right": 1, "to_left": 1}}
    short = Places(lines={"gate": [(100, 0), (100, 40)]})  # ends above the objects' feet
    assert walk(short, Tracker(), 92, 99, 106).payload()["lines"] == {"gate": {"to_right": 0, "to_left": 0}}
    middle = Places(lines={"gate": [(100, 0), (100, 65)]}, anchor="center")
    assert walk(middle, Tracker(), 92, 99, 106).lines == {"gate": replace(found.lines["gate"], to_right=0)}  # type: ignore[index]


def test_zones_count_who_is_in_them() -> None:
    left = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]
    places = Places(zones={"left": left, "door": [(100, 0), (140, 0), (140, 200), (100, 200)]})
    result = places(frame(0.0, item(120), item(300), item(700)))
    assert isinstance(result, Detection)
    assert result.payload()["zones"] == {"left": 2, "door": 1}
    assert [found.zones for found in result.objects] == [("left", "door"), ("left",), ()]
    assert json.loads(result.to_json())["objects"][0]["zones"] == ["left", "door"]


POINTS = st.tuples(st.integers(-50, 50), st.integers(-50, 50))


@settings(deadline=None)
@given(st.lists(POINTS, min_size=3, max_size=7), POINTS, POINTS)
def test_inside_a_polygon_is_inside_it_moved(corners: list[Point], point: Point, shift: Point) -> None:
    moved = [(x + shift[0], y + shift[1]) for x, y in corners]
    assert is_inside(point, corners) == is_inside((point[0] + shift[0], point[1] + shift[1]), moved)


@settings(deadline=None)
@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(1, 40), st.integers(1, 40))
def test_inside_a_rectangle_is_what_it_seems(x: int, y: int, width: int, height: int) -> None:
    corners: list[Point] = [(0, 0), (width, 0), (width, height), (0, height)]
    assert is_inside((x + 0.5, y + 0.5), corners) == (0 <= x < width and 0 <= y < height)


@settings(deadline=None, max_examples=50)
@given(st.lists(POINTS, min_size=2, max_size=12), POINTS, POINTS)
def test_a_way_there_and_back_counts_as_often_in_both_directions(path: list[Point], start: Point, end: Point) -> None:
    if start == end:
        return
    there_and_back = [*path, *path[::-1]]
    steps = [crossing(*pair, start, end) for pair in pairwise(there_and_back)]
    assert sum(steps) == 0


def test_what_cannot_be_tracked_or_watched_is_said() -> None:
    words = Classification(task="classification", device="cpu", latency=Latency(), classes=())
    with pytest.raises(UsageError, match="tracking needs objects with boxes, and task classification"):
        Tracker()(words)
    body = Pose(task="pose", device="cpu", latency=Latency(), keypoints=(), width=9, height=9)
    with pytest.raises(UsageError, match="a zone or line needs objects"):
        Places()(body)
    assert isinstance(Tracker()(replace(body, objects=())), Pose)
    for wrong in ({"keep": -1}, {"strong": 2}, {"iou": "much"}):
        with pytest.raises((UsageError, TypeError)):
            Tracker(**wrong)
    with pytest.raises(UsageError, match="zone door has 2 points"):
        Places(zones={"door": [(0, 0), (1, 1)]})
    with pytest.raises(UsageError, match="line gate has no length"):
        Places(lines={"gate": [(0, 0), (0, 0)]})


