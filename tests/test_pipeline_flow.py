"""What happens to samples on their way: which are run, which are dropped, and what is said of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit import UsageError, Values
from edgekit.pipeline import Stats
from edgekit.pipeline.exchange import Exchange, Lane
from edgekit.sources import Event, Memory, Problem, Sample

pytest.importorskip("cv2")

WAIT = 20.0


@dataclass
class Scripted:
    """Yields what it is given; `done` is set once everything was taken."""

    items: Sequence[Sample | Problem | Event]
    uri: str = "test:"
    live: bool = False
    reads_ahead: bool = True
    done: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Iterator[Sample | Problem | Event]:
        yield from self.items
        self.done.set()


def samples(count: int, source: str = "test:", **more: Any) -> list[Sample]:
    return [Sample(np.zeros((8, 8), np.uint8), source, number, **more) for number in range(count)]


@pytest.fixture
def model(tiny_classifier: Path) -> edgekit.Model:
    return edgekit.load(tiny_classifier)


def test_under_freshest_the_newest_wins_and_every_drop_is_counted(model: edgekit.Model) -> None:
    source = Scripted(samples(50))
    results = edgekit.run(model, source, flow="freshest")
    first = next(results)
    assert source.done.wait(WAIT)
    taken = [first, *results]
    assert len(taken) <= 2
    assert taken[-1].sequence == 49
    assert taken[-1].drops == {"source": 0, "busy": 50 - len(taken), "age": 0}
    assert taken[-1].dropped == 50 - len(taken)


def test_auto_asks_the_source(model: edgekit.Model) -> None:
    source = Scripted(samples(50), live=True)
    results = edgekit.run(model, source)
    next(results)
    assert source.done.wait(WAIT)
    assert len(list(results)) <= 1
    assert len(list(edgekit.run(model, Scripted(samples(50))))) == 50
    source = Scripted(samples(50), live=True)
    assert len(list(edgekit.run(model, source, flow="every"))) == 50


def test_samples_that_are_too_old_are_dropped_and_counted(model: edgekit.Model) -> None:
    old = samples(5, captured=time.monotonic() - 60)
    new = [Sample(np.zeros((8, 8), np.uint8), "test:", 5)]
    [result] = edgekit.run(model, Scripted([*old, *new]), max_age=30.0, flow="every")
    assert (result.sequence, result.drops) == (5, {"source": 0, "busy": 0, "age": 5})
    assert 0 <= result.age < 30


def test_what_a_source_lost_is_a_cause_of_its_own(model: edgekit.Model) -> None:
    items = [Sample(np.zeros((8, 8), np.uint8), "test:", number, lost=lost) for number, lost in ((0, 0), (4, 3))]
    results = list(edgekit.run(model, Scripted(items)))
    assert [result.drops["source"] for result in results] == [0, 3]
    assert results[1].to_dict()["drops"] == {"source": 3}


def test_problems_and_events_are_told_in_any_flow(model: edgekit.Model) -> None:
    items: list[Sample | Problem | Event] = [Event("test:", "connected"), Problem("test:", 0, "torn"), *samples(3)]
    items.append(Event("test:", "lost", "gone"))
    for live in (True, False):
        problems: list[Problem] = []
        events: list[Event] = []
        source = Scripted(items, live=live)
        list(edgekit.run(model, source, on_problem=problems.append, on_event=events.append))
        assert [problem.reason for problem in problems] == ["torn"]
        assert [event.kind for event in events] == ["connected", "lost"]


def test_prepared_pictures_are_not_overwritten_while_they_wait(photo_model: Path) -> None:
    model = edgekit.load(photo_model, task="values", normalize="0..255")
    pictures = [Sample(np.full((8, 8, 3), number, np.uint8), "test:", number) for number in range(40)]
    count = 0
    for result in edgekit.run(model, Scripted(pictures)):
        assert isinstance(result, Values)
        assert (result.values["y"] == result.sequence).all()
        count += 1
    assert count == 40


def test_several_sources_share_a_model_and_keep_their_order(model: edgekit.Model) -> None:
    sources = [Scripted(samples(10, name), name) for name in ("a:", "b:", "c:")]
    results = list(edgekit.run(model, sources))
    for name in ("a:", "b:", "c:"):
        assert [result.sequence for result in results if result.source == name] == list(range(10))


def test_lanes_take_turns() -> None:
    exchange = Exchange([Lane(False), Lane(False), Lane(True)], Stats(["a", "b", "c"]))
    for lane in (0, 0, 1, 1, 2):
        exchange.put(lane, Problem(str(lane), 0, ""))
    taken = [exchange.take() for _ in range(5)]
    assert [entry[0] for entry in taken if entry] == [0, 1, 2, 0, 1]


def test_each_source_has_drops_of_its_own(model: edgekit.Model) -> None:
    slow, fast = Scripted(samples(2, "slow:"), "slow:"), Scripted(samples(30, "fast:"), "fast:", live=True)
    stats = Stats(["slow:", "fast:"])
    results = edgekit.run(model, [slow, fast], stats=stats)
    next(results)
    assert fast.done.wait(WAIT)
    list(results)
    figures = stats.snapshot().sources
    assert figures[0].dropped == 0
    assert figures[1].dropped + figures[1].results == 30


def test_a_stream_model_takes_one_source_only(
    build: Callable[..., Path], describe: Callable[[Path, edgekit.Metadata], None]
) -> None:
    from edgekit.metadata import State

    path = build("ADD", [("x", (1, 3), "float32"), ("s", (1, 3), "float32")], [("y", (1, 3), "float32")])
    describe(path, edgekit.Metadata(states=(State(input=1, output=0),)))
    with pytest.raises(UsageError, match="would be mixed"):
        edgekit.run(path, [Scripted([]), Scripted([])])


@pytest.mark.parametrize(("option", "words"), [({"flow": "newest"}, "freshest"), ({"max_age": 0}, "max_age")])
def test_mistakes_are_told_at_once(model: edgekit.Model, option: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=r"flow|max_age") as caught:
        edgekit.run(model, Scripted([]), **option)
    assert words in str(caught.value)


def test_results_carry_their_pictures_and_never_passwords(model: edgekit.Model) -> None:
    picture = np.full((8, 8), 7, np.uint8)
    source = Scripted([Sample(picture, "rtsp://me:secret@host/live", channels="bgr")], "rtsp://me:secret@host/live")
    [result] = edgekit.run(model, source)
    assert result.frame is picture
    assert result.frame_channels == "bgr"
    assert result.source == "rtsp://***@host/live"
    assert "secret" not in repr(result)


def test_a_model_of_several_inputs_takes_samples_by_name(build: Callable[..., Path]) -> None:
    path = build("ADD", [("a", (1, 3), "float32"), ("b", (1, 3), "float32")], [("y", (1, 3), "float32")])
    one, two = np.ones(3, np.float32), np.full(3, 2, np.float32)
    [result] = edgekit.run(path, Scripted([Sample({"b": two, "a": one}, "test:")]), task="values")
    assert isinstance(result, Values)
    assert result.values["y"].tolist() == [3, 3, 3]
    assert result.frame is None


def test_a_wall_clock_that_jumps_changes_nothing(model: edgekit.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = Memory(live=False)
    hours = iter([3600.0, -7200.0, 0.0, 1e6, -1e6, 5.0, 0.0, 0.0])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(hours, 0.0))
    with edgekit.Pipeline(model, frames, max_age=60.0) as pipeline:
        taken = iter(pipeline)
        for number in range(5):
            frames.push(np.zeros((8, 8), np.uint8))
            result = next(taken)
            assert (result.sequence, result.dropped) == (number, 0)
            assert 0 <= result.age < 60
        frames.close()
        assert not list(taken)
