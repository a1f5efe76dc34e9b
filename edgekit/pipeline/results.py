"""From samples to results: the part of a pipeline that runs the model."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgekit.model import Model
from edgekit.pipeline.exchange import Exchange, Failure, Item, Lane, Ready
from edgekit.pipeline.flow import Flow
from edgekit.pipeline.reading import Reading, ReadingAhead, ReadingHere
from edgekit.pipeline.stats import Stats
from edgekit.results import Result
from edgekit.sources.recording import Recorded, Recorder
from edgekit.sources.types import Event, Problem, Sample, Source
from edgekit.uris import redacted

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    Waiting = Future["Done"] | Problem | Event | Failure


@dataclass(frozen=True, slots=True)
class Done:
    """A sample and what the model says of it."""

    sample: Sample
    result: Result


Outcome = Done | Problem | Event


def open_reading(model: Model, sources: Sequence[Source], flow: Flow, stats: Stats) -> Reading:
    """Begin to read.

    A single source whose samples cost nothing to get is read where they are taken; every other one in a thread.
    """
    [first, *others] = sources
    replaces = [flow.replaces(source) for source in sources]
    if not others and not first.reads_ahead and not replaces[0]:
        return ReadingHere(first, model)
    exchange = Exchange([Lane(newest) for newest in replaces], stats, flow.max_age)
    return ReadingAhead(sources, model, exchange)


def outcomes(
    model: Model, reading: Reading, stats: Stats, recorder: Recorder | None = None
) -> Generator[Outcome, None, None]:
    """Everything that comes out, counted and recorded, at the moment it is handed out."""
    with closing(_run(model, reading)) as found, closing(recorder) if recorder else nullcontext():
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
                    recorder.write(done.sample, done.result)
                yield done


def _handed_out(lane: int, done: Done, stats: Stats) -> Done:
    """A result with where it comes from, its age and what was dropped before it."""
    sample = done.sample
    drops = stats.arrived(lane, sample.lost)
    picture = sample.data if isinstance(sample.data, np.ndarray) and _is_picture(sample.data) else None
    result = replace(
        done.result, source=redacted(sample.source), sequence=sample.sequence, captured=sample.captured,
        time=sample.time, position=sample.position, slack=sample.slack,
        drops=drops, dropped=sum(drops.values()), frame=picture, frame_channels=sample.channels,
        age=time.monotonic() - sample.captured,
    )
    if isinstance(sample, Recorded):  # as it was then
        result = replace(
            result, drops=sample.drops, dropped=sum(sample.drops.values()), age=sample.age, latency=sample.latency
        )
    stats.add_result(lane, result)
    return Done(sample, result)


def _is_picture(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bool:
    return array.dtype == np.uint8 and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4)))


def _run(model: Model, reading: Reading) -> Generator[tuple[int, Outcome], None, None]:
    if model.parallel > 1:
        yield from _run_parallel(model, reading)
        return
    while (taken := reading.take()) or not reading.finished:
        if taken:
            lane, item = taken
            yield lane, _outcome(model, item)


def _outcome(model: Model, item: Item) -> Outcome:
    if isinstance(item, Failure):
        raise item.error
    return _infer(model, item) if isinstance(item, Ready) else item


def _infer(model: Model, ready: Ready) -> Done:
    try:
        return Done(ready.sample, model.run_prepared(ready.prepared))
    finally:
        ready.release()


def _run_parallel(model: Model, reading: Reading) -> Generator[tuple[int, Outcome], None, None]:
    """In the order of the samples, while several chips work on the next ones."""
    from concurrent.futures import ThreadPoolExecutor  # 8 ms, for several chips only

    waiting: deque[tuple[int, Waiting]] = deque()
    with ThreadPoolExecutor(model.parallel, thread_name_prefix="edgekit chip") as pool:
        try:
            while True:
                while waiting and (len(waiting) > model.parallel or _is_there(waiting[0][1]) or reading.finished):
                    lane, item = waiting.popleft()
                    yield lane, _settled(item)
                if not waiting and reading.finished:
                    return
                if taken := reading.take():
                    waiting.append((taken[0], _submit(pool, model, taken[1], reading)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _submit(pool: ThreadPoolExecutor, model: Model, item: Item, reading: Reading) -> Waiting:
    if not isinstance(item, Ready):
        return item
    future = pool.submit(_infer, model, item)
    future.add_done_callback(lambda _done: reading.nudge())
    return future


def _is_there(item: Waiting) -> bool:
    return isinstance(item, (Problem, Event, Failure)) or item.done()


def _settled(item: Waiting) -> Outcome:
    if isinstance(item, Failure):
        raise item.error
    return item if isinstance(item, (Problem, Event)) else item.result()
