"""`edgekit.Pipeline`: results in the background, for programs with a loop of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit import DataError, Pipeline, Result, UsageError
from edgekit.sources import Event, Memory, Problem, Sample

pytest.importorskip("cv2")

PICTURE = np.zeros((8, 8), np.uint8)
WAIT = 20.0


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def until(condition: Callable[[], object]) -> None:
    """Waits for what another thread is about to do."""
    ends = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.001)


@pytest.fixture
def model(tiny_classifier: Path) -> edgekit.Model:
    return edgekit.load(tiny_classifier)


def test_the_latest_result_is_there_unless_it_is_too_old(model: edgekit.Model) -> None:
    frames = Memory()
    with Pipeline(model, frames) as pipeline:
        assert pipeline.latest() is None
        frames.push(PICTURE)
        until(pipeline.latest)
        result = pipeline.latest(max_age=60)
        assert result is not None
        assert result.sequence == 0
        frames.push(PICTURE, captured=time.monotonic() - 100)
        until(lambda: (newest := pipeline.latest()) and newest.sequence == 1)
        assert pipeline.latest(max_age=60) is None


def test_iterating_gives_every_result_of_a_file(model: edgekit.Model, photos: Path) -> None:
    with Pipeline(model, photos) as pipeline:
        assert [result.sequence for result in pipeline] == [0, 1, 2]
    assert not pipeline.running


def test_iterating_a_live_source_gives_the_newest_and_counts_the_others(model: edgekit.Model) -> None:
    frames = Memory(length=1)
    with Pipeline(model, frames) as pipeline:
        taken = iter(pipeline)
        frames.push(PICTURE)
        assert next(taken).sequence == 0
        for number in range(1, 30):
            frames.push(PICTURE)
            until(lambda wanted=number: (pipeline.latest() or Result).sequence == wanted)  # type: ignore[misc]
        newest = next(taken)
        assert newest.sequence == 29
        assert newest.dropped == 28
        frames.close()


def test_callbacks_are_told_of_everything(model: edgekit.Model) -> None:
    class Source:
        uri, reads_ahead, live = "test:", False, False

        def __iter__(self) -> Iterator[Sample | Problem | Event]:
            yield Event("test:", "connected")
            yield Sample(PICTURE, "test:")
            yield Problem("test:", 1, "torn")

    told: list[object] = []
    pipeline = Pipeline(model, Source())
    pipeline.when_result = lambda result: told.append(result.sequence)
    pipeline.when_event = lambda event: told.append(event.kind)
    pipeline.when_problem = lambda problem: told.append(problem.reason)
    pipeline.start()
    assert pipeline.wait(WAIT)
    assert told == ["connected", 0, "torn"]
    pipeline.stop()


def test_what_fails_ends_the_pipeline_and_is_raised_where_results_are_asked_for(model: edgekit.Model) -> None:
    bad = Memory()
    bad.push(np.zeros((8, 8, 2), np.uint8))
    pipeline = Pipeline(model, bad).start()
    for ask in (lambda: pipeline.wait(WAIT), pipeline.latest, lambda: next(iter(pipeline))):
        with pytest.raises(DataError, match="memory:"):
            ask()
    assert not pipeline.running
    pipeline.stop()


def test_a_callback_that_fails_ends_the_pipeline(model: edgekit.Model) -> None:
    def fail(_result: Result) -> None:
        raise ZeroDivisionError

    frames = Memory()
    pipeline = Pipeline(model, frames)
    pipeline.when_result = fail
    with pytest.raises(ZeroDivisionError), pipeline:
        frames.push(PICTURE)
        pipeline.wait(WAIT)


def test_it_can_be_stopped_from_a_callback_and_started_again(model: edgekit.Model, photos: Path) -> None:
    pipeline = Pipeline(model, photos)
    seen: list[int] = []

    def stop_at_once(result: Result) -> None:
        seen.append(result.sequence)
        pipeline.stop()

    pipeline.when_result = stop_at_once
    pipeline.start()
    assert pipeline.wait(WAIT)
    pipeline.stop()
    assert seen == [0]
    pipeline.when_result = None
    with pipeline:
        assert len(list(pipeline)) == 3


def test_stopping_ends_an_iteration_in_another_thread(model: edgekit.Model) -> None:
    pipeline = Pipeline(model, Memory()).start()
    got: list[list[Result]] = []
    waiting = threading.Thread(target=lambda: got.append(list(pipeline)))
    waiting.start()
    pipeline.stop()
    waiting.join(WAIT)
    assert got == [[]]


def test_one_that_is_stopped_at_once_leaves_no_thread(model: edgekit.Model) -> None:
    for _ in range(50):
        Pipeline(model, Memory()).start().stop()


def test_it_does_not_start_twice(model: edgekit.Model) -> None:
    with Pipeline(model, Memory()) as pipeline, pytest.raises(UsageError, match="runs already"):
        pipeline.start()


def test_without_anybody_who_asks_a_file_waits(model: edgekit.Model, photos: Path) -> None:
    with Pipeline(model, photos) as pipeline:
        until(lambda: pipeline.stats().results == 1)
        assert [result.sequence for result in pipeline] == [0, 1, 2]


def test_figures_of_a_pipeline(model: edgekit.Model) -> None:
    frames = Memory(uri="rtsp://me:secret@host")
    with Pipeline(model, frames) as pipeline:
        frames.push(PICTURE)
        until(pipeline.latest)
        figures = pipeline.stats()
        assert (figures.results, figures.dropped) == (1, 0)
        assert [(source.uri, source.state, source.results) for source in figures.sources] == [
            ("rtsp://***@host", "running", 1)
        ]
        assert figures.stages["inference"].count == 1
        assert 0 < figures.stages["inference"].percentile(50) <= figures.stages["age"].percentile(99)


def test_a_pipeline_may_be_used_from_a_thread_of_the_user(model: edgekit.Model, photos: Path) -> None:
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(one.sequence for one in Pipeline(model, photos)))
    thread.start()
    thread.join(WAIT)
    assert got == [0, 1, 2]
