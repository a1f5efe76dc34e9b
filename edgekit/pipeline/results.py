"""From samples to results: the part of a pipeline that runs the model."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgekit.pipeline.exchange import Exchange, Failure, Item, Lane, Ready
from edgekit.pipeline.flow import Flow
from edgekit.pipeline.models import Models
from edgekit.pipeline.reading import Reading, ReadingAhead, ReadingHere
from edgekit.pipeline.stats import Stats
from edgekit.results import Result
from edgekit.sources.recording import Recorded, Recorder, with_latencies
from edgekit.sources.types import Event, Problem, Sample, Source
from edgekit.uris import redacted

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    Waiting = Future["Done"] | Problem | Event | Failure


@dataclass(frozen=True, slots=True)
class Done:
    """A sample and what the models say of it, each of them."""

    sample: Sample
    results: tuple[Result, ...]


Outcome = Done | Problem | Event


def open_reading(models: Models, sources: Sequence[Source], flow: Flow, stats: Stats) -> Reading:
    """Begin to read.

    A single source whose samples cost nothing to get is read where they are taken; every other one in a thread.
    """
    [first, *others] = sources
    replaces = [flow.replaces(source) for source in sources]
    if not others and not first.reads_ahead and not replaces[0]:
        return ReadingHere(first, models)
    exchange = Exchange([Lane(newest) for newest in replaces], stats, flow.max_age)
    return ReadingAhead(sources, models, exchange)


def outcomes(
    models: Models, reading: Reading, stats: Stats, recorder: Recorder | None = None
) -> Generator[Outcome, None, None]:
    """Everything that comes out, counted and recorded, at the moment it is handed out."""
    with closing(_run(models, reading)) as found, closing(recorder) if recorder else nullcontext():
        for lane, outcome in found:
            if isinstance(outcome, Problem):
                stats.add_problem(lane)
                if recorder:
                    recorder.write_problem(outcome)
                yield outcome
            elif isinstance(outcome, Event):
                stats.add_event(lane, outcome)
                yield outcome
            else:
                done = _handed_out(lane, outcome, stats)
                if recorder:
                    recorder.write(done.sample, done.results)
                yield done


def _handed_out(lane: int, done: Done, stats: Stats) -> Done:
    """The results of a sample with where it comes from, its age and what was dropped before it."""
    sample = done.sample
    drops = stats.arrived(lane, sample.lost)
    age, results = time.monotonic() - sample.captured, done.results
    if isinstance(sample, Recorded):  # as it was then
        drops, age = dict(sample.drops), sample.age
        results = with_latencies(results, sample.latencies)
    picture = sample.data if isinstance(sample.data, np.ndarray) and _is_picture(sample.data) else None
    whole = tuple(
        replace(
            result, source=redacted(sample.source), sequence=sample.sequence, captured=sample.captured,
            time=sample.time, position=sample.position, slack=sample.slack,
            drops=drops, dropped=sum(drops.values()), frame=picture, frame_channels=sample.channels, age=age,
        )
        for result in results
    )
    for result in whole:
        stats.add_result(lane, result)
    return Done(sample, whole)


def _is_picture(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bool:
    return array.dtype == np.uint8 and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4)))


def _run(models: Models, reading: Reading) -> Generator[tuple[int, Outcome], None, None]:
    if models.parallel > 1:
        yield from _run_parallel(models, reading)
        return
    while (taken := reading.take()) or not reading.finished:
        if taken:
            lane, item = taken
            yield lane, _outcome(models, item)


def _outcome(models: Models, item: Item) -> Outcome:
    if isinstance(item, Failure):
        raise item.error
    return _infer(models, item) if isinstance(item, Ready) else item


def _infer(models: Models, ready: Ready) -> Done:
    try:
        return Done(ready.sample, models.run_prepared(ready.prepared))
    finally:
        ready.release()


def _run_parallel(models: Models, reading: Reading) -> Generator[tuple[int, Outcome], None, None]:
    """In the order of the samples, while several chips work on the next ones."""
    from concurrent.futures import ThreadPoolExecutor  # 8 ms, for several chips only

    waiting: deque[tuple[int, Waiting]] = deque()
    with ThreadPoolExecutor(models.parallel, thread_name_prefix="edgekit chip") as pool:
        try:
            while True:
                while waiting and (len(waiting) > models.parallel or _is_there(waiting[0][1]) or reading.finished):
                    lane, item = waiting.popleft()
                    yield lane, _settled(item)
                if not waiting and reading.finished:
                    return
                if taken := reading.take():
                    waiting.append((taken[0], _submit(pool, models, taken[1], reading)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _submit(pool: ThreadPoolExecutor, models: Models, item: Item, reading: Reading) -> Waiting:
    if not isinstance(item, Ready):
        return item
    future = pool.submit(_infer, models, item)
    future.add_done_callback(lambda _done: reading.nudge())
    return future


def _is_there(item: Waiting) -> bool:
    return isinstance(item, (Problem, Event, Failure)) or item.done()


def _settled(item: Waiting) -> Outcome:
    if isinstance(item, Failure):
        raise item.error
    return item if isinstance(item, (Problem, Event)) else item.result()
