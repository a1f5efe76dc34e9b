"""From sources through models to results.

    source ─ read, prepare (a thread each) ─ exchange ─ networks, tasks ─ results
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from os import PathLike
from typing import Any

from edgekit.failover.announcing import warn_of
from edgekit.pipeline.flow import QUEUE_LENGTH, Flow, FlowRule
from edgekit.pipeline.models import Models, ModelsLike, open_models, row_shape
from edgekit.pipeline.pipeline import Pipeline
from edgekit.pipeline.results import open_reading, outcomes
from edgekit.pipeline.setup import SourceLike, open_sources
from edgekit.pipeline.stats import Figures, Histogram, SourceFigures, Stats
from edgekit.results import Result
from edgekit.sources.recording import Recorder
from edgekit.sources.types import Event, Problem, Source
from edgekit.uris import redacted

__all__ = [
    "QUEUE_LENGTH",
    "Figures",
    "Flow",
    "FlowRule",
    "Histogram",
    "Pipeline",
    "SourceFigures",
    "Stats",
    "row_shape",
    "run",
]

ProblemHandler = Callable[[Problem], object]
EventHandler = Callable[[Event], object]


def run(
    model: ModelsLike,
    source: SourceLike | Sequence[SourceLike],
    *,
    flow: FlowRule = "auto",
    max_age: float | None = None,
    on_problem: ProblemHandler | None = None,
    on_event: EventHandler | None = None,
    record: str | PathLike[str] | None = None,
    stats: Stats | None = None,
    **options: Any,
) -> Generator[Result, None, None]:
    """Run a model, or several side by side, on the samples of one or more sources.

    Samples are read and prepared in a thread for each source, while the model runs in the caller's; the threads end
    with the iteration. A table, which costs nothing to read, is read where it is. Where several chips share the work
    there is a thread for each, and the results keep the order of their samples.

    Args:
        model: A model, a `Cascade`, or the path of a model. A list of several, or a mapping of names to them, runs
            them side by side: each sample goes to all, one after another, and each gives a result, which has its
            name in `model`: in a list that of its file.
        source: A source, or what `open_source` takes: a picture, folder, pattern, video, table, camera or stream. A
            list of several takes them by turns.
        flow: `freshest`: the newest sample wins, and what it replaces is dropped and counted. `every`: nothing is
            dropped, the source waits. `auto`: `freshest` for cameras and other live sources, else `every`.
        max_age: Seconds since its capture after which a sample is dropped and counted.
        on_problem: Called with each sample that cannot be read, which does not end the run; by default it is
            shown as a Python warning.
        on_event: Called with what happens to sources, such as a connection that is lost, and to devices, such as one
            that hangs; by default the former is not told, and the latter a Python warning. Of devices it is called at
            once, from a thread of the model where several chips share the work.
        record: Folder to which every sample is written that the model runs on, with its times, so that the source
            `replay:DIR` gives the same results again.
        stats: Counts what happens, for who wants to see it meanwhile.
        options: As in `load`, for models that are given by path.

    Returns:
        An iterator of results, each with the source, number, time and age of its sample, and what was dropped before
        it. Model and sources are opened before it is returned.

    Raises:
        EdgeKitError: as in `load` and `open_source` at once, and as in calling a model during the iteration.
        UsageError: the source is none, options were given for a model that is open already, or models take unlike
            samples.
    """
    opened = open_models(model, options, "run")
    sources = open_sources(source, opened)
    rules = Flow(flow, max_age)
    counted = stats or Stats([redacted(one.uri) for one in sources])
    recorder = None if record is None else Recorder(record)
    return _results(opened, sources, rules, counted, on_problem or _warn, on_event, recorder)


def _warn(problem: Problem) -> None:
    warnings.warn(f"skipped {problem}", stacklevel=2)


def _results(
    models: Models, sources: Sequence[Source], flow: Flow, stats: Stats, on_problem: ProblemHandler,
    on_event: EventHandler | None, recorder: Recorder | None,
) -> Generator[Result, None, None]:
    def of_device(event: Event) -> None:
        stats.add_device_event(event)
        (on_event or warn_of)(event)

    with models.events_to(of_device), closing(open_reading(models, sources, flow, stats)) as reading, closing(
        outcomes(models, reading, stats, recorder)
    ) as found:
        for outcome in found:
            if isinstance(outcome, Problem):
                on_problem(outcome)
            elif isinstance(outcome, Event):
                if on_event is not None:
                    on_event(outcome)
            else:
                yield from outcome.results
