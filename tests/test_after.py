"""Classes that do not flicker, and which results are passed on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit import UsageError
from edgekit.after import Chain, Debounce, OnChange, RateLimit, Smooth, Step
from edgekit.results import Classification, DetectedObject, Detection, Latency, Result, ScoredClass, Values

Call = Callable[..., int]


def says(moment: float, *scores: float, source: str = "camera:0") -> Classification:
    ranked = sorted(range(len(scores)), key=lambda index: -scores[index])
    classes = tuple(ScoredClass(index, "abc"[index], scores[index]) for index in ranked)
    return Classification(
        task="classification", device="cpu", latency=Latency(), classes=classes, captured=moment, source=source
    )


def winners(step: Step, results: Iterable[Result]) -> str:
    """The best class of each result that comes out; a dot for one that does not."""
    found = ""
    for result in results:
        after = step(result)
        best = after.best() if after else None
        found += best.label if best else "."
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 2), st.floats(0, 1)), min_size=1, max_size=20), st.floats(0.05, 3))
def test_smoothing_weighs_by_the_time_that_passed(samples: list[tuple[float, float]], seconds: float) -> None:
    step, now, expected = Smooth(seconds), 100.0, None
    for passed, score in samples:
        now += passed
        old = float(np.exp(-passed / seconds))
        expected = score if expected is None else old * expected + (1 - old) * score
        result = step(says(now, score, 1 - score))
        best = result.best("a") if result else None
        assert best is not None
        assert best.score == pytest.approx(expected, abs=1e-6)


def test_a_single_wrong_sample_does_not_show() -> None:
    scores = [says(at / 10, *((0.1, 0.8) if at == 5 else (0.9, 0.1))) for at in range(10)]
    assert winners(Smooth(0.5), scores) == "a" * 10
    assert winners(Debounce(0.15), scores) == "a" * 10
    assert winners(Chain([]), scores) == "aaaaabaaaa"


def test_a_class_takes_over_once_it_has_lasted() -> None:
    def at(moment: float, best: str) -> Classification:
        return says(moment, *(0.8 if letter == best else 0.1 for letter in "abc"))

    times = [at(number / 10, letter) for number, letter in enumerate("aabbcbbbbbaa")]
    assert winners(Debounce(0.3), times) == "aaaaaaaabbbb"
    # Dropped frames: the time counts.
    assert winners(Debounce(0.3), [at(0, "a"), at(0.1, "b"), at(0.9, "b"), at(1.0, "c")]) == "aabb"
    kept = Debounce(1)
    kept(at(0, "a"))
    result = kept(at(0.1, "b"))
    assert isinstance(result, Classification)
    assert [entry.label for entry in result.classes] == ["a", "b", "c"]
    assert [entry.score for entry in result.classes] == [0.1, 0.8, 0.1]


def test_only_changes_are_passed_on() -> None:
    results = [says(at, *((0.9, 0.1) if letter == "a" else (0.2, 0.7))) for at, letter in enumerate("aabbba")]
    assert winners(OnChange(), results) == "a.b..a"
    assert winners(OnChange(hold=2), results) == "a...b."
    both = OnChange()
    assert both(says(0, 1, 0)) is not None
    assert both(says(0, 1, 0, source="camera:1")) is not None
    assert both(says(1, 1, 0)) is None


def test_what_counts_as_a_change_of_objects() -> None:
    def seen(moment: float, *objects: tuple[int, int | None]) -> Detection:
        boxes = tuple(DetectedObject(index, "", 0.9, (moment, 0, 9, 9), id=number) for index, number in objects)
        return Detection(
            task="detection", device="cpu", latency=Latency(), objects=boxes, width=9, height=9, captured=moment
        )

    step = OnChange()
    assert step(seen(0)) is not None
    assert step(seen(1)) is None
    assert step(seen(2, (0, None))) is not None
    assert step(seen(3, (0, None))) is None
    assert step(seen(4, (0, None), (0, None))) is not None
    assert step(seen(5, (0, 7))) is not None
    assert step(seen(6, (0, 8))) is not None
    values = [
        Values(task="values", device="cpu", latency=Latency(), values={"y": np.full(1, number, np.float32)})
        for number in (1, 1, 2)
    ]
    assert [OnChange()(value) is not None for value in values] == [True, True, True]
    step = OnChange()
    assert [step(value) is not None for value in values] == [True, False, True]


@settings(deadline=None)
@given(st.floats(0.5, 40), st.lists(st.floats(0.001, 0.5), min_size=1, max_size=200))
def test_no_more_than_so_many_in_a_time(rate: float, pauses: list[float]) -> None:
    step, passed = RateLimit(rate), []
    for moment in np.cumsum(pauses):
        if step(says(float(moment), 1)) is not None:
            passed.append(float(moment))
    # In any stretch of time there is at most one more than its share.
    for first in range(0, len(passed), 7):
        for last in range(first, len(passed), 5):
            assert last - first <= (passed[last] - passed[first]) * rate + 1 + 1e-6


def test_a_rate_is_kept_to_evenly() -> None:
    """Five of thirty frames a second, though they come irregularly."""
    rng = np.random.default_rng(0)
    moments = np.arange(300) / 30 + rng.uniform(-0.01, 0.01, 300)
    step = RateLimit("5/s")
    assert 49 <= sum(step(says(moment, 1)) is not None for moment in moments) <= 51
    slow = RateLimit("60/min")
    assert sum(slow(says(moment, 1)) is not None for moment in moments) == 10
    assert slow(says(0.0, 1)) is not None  # a video that starts again


def test_what_cannot_be_is_refused() -> None:
    for wrong in ("5", "fast", "0/s", "5/day", -1, float("nan")):
        with pytest.raises(UsageError, match="rate cannot be"):
            RateLimit(wrong)
    for kind in (Smooth, Debounce, OnChange):
        with pytest.raises(UsageError, match="Give seconds"):
            kind(-1)
    values = Values(task="values", device="cpu", latency=Latency(), values={})
    for step in (Smooth(), Debounce()):
        with pytest.raises(UsageError, match="the task is values"):
            step(values)


@pytest.fixture
def passage(
    tmp_path: Path, build: Callable[..., Path], pack_model: Callable[[object], bytes]
) -> tuple[Path, Path]:
    """A detector, and pictures in which its one object walks to the right: the end-to-end form, drawn into the picture.

    The network gives its picture back, six numbers a row: left, top, right, bottom, score and class, in steps of 1/255.
    """
    cv2 = pytest.importorskip("cv2")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = build(
        "RESHAPE", [("picture", (1, 16, 16, 3), "float32")], [("boxes", (1, 128, 6), "float32")]
    )
    parts = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model.read_bytes()))
    options = schema.ReshapeOptionsT()
    options.newShape = [1, 128, 6]
    operator = parts.subgraphs[0].operators[0]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.ReshapeOptions, options
    model.write_bytes(pack_model(parts))
    video = cv2.VideoWriter(str(tmp_path / "walk.avi"), cv2.VideoWriter_fourcc(*"FFV1"), 10, (16, 16))
    assert video.isOpened()
    for step in range(10):
        numbers = np.zeros((128, 6), np.uint8)
        numbers[0] = [20 + 20 * step, 100, 60 + 20 * step, 200, 255, 0]
        video.write(numbers.reshape(16, 16, 3)[..., ::-1])
    video.release()
    return model, tmp_path / "walk.avi"


def test_the_command_tracks_counts_and_sends_only_changes(
    passage: tuple[Path, Path], call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    options = [*map(str, passage), "--normalize", "0..1", "--head", "yolo-end2end", "--score", 0.5]

    def lines(*more: object) -> list[dict[str, object]]:
        assert call(*options, *more) == 0
        return [json.loads(line) for line in capfd.readouterr().out.splitlines()]

    watched = lines("--track", "--line", "gate=0.5,0,0.5,1", "--zone", "left=0,0,0.5,0,0.5,1,0,1")
    assert len(watched) == 10
    assert [line["objects"][0]["id"] for line in watched] == [1] * 10  # type: ignore[index]
    assert watched[0]["lines"] == {"gate": {"to_right": 0, "to_left": 0}}
    # Looking down, who goes to the right of the picture goes to the left of the line.
    assert watched[-1]["lines"] == {"gate": {"to_right": 0, "to_left": 1}}
    assert [line["zones"]["left"] for line in watched] == [1] * 5 + [0] * 5  # type: ignore[index]

    changes = lines("--line", "gate=0.5,0,0.5,1", "--on-change")
    assert [line["lines"]["gate"]["to_left"] for line in changes] == [0, 1]  # type: ignore[index]
    assert len(lines("--max-rate", "5/s")) == 5
    assert len(lines("--max-rate", "5/s", "--limit", 2)) == 2
    assert lines("--on-change")[0]["objects"][0].get("id") is None  # type: ignore[index]

    assert call(*options, "--zone", "left=0,0,1") == 2
    assert "--zone" in capfd.readouterr().err
    assert call(*options, "--smooth", 1) == 2
    assert "smoothing is for classes" in capfd.readouterr().err
    assert call(*options, "--max-rate", "often") == 2
    assert "5/s, 10/min" in capfd.readouterr().err
