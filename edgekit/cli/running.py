"""The work of `edgekit run`: results from sources to sinks, with what is told meanwhile."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from edgekit.after import Chain
from edgekit.cli.after_options import AfterOptions
from edgekit.cli.notify import Notifier
from edgekit.cli.terminal import Progress
from edgekit.errors import DataError, EdgeKitError, UsageError
from edgekit.pipeline import Stats, run
from edgekit.pipeline.config import PipelineConfig
from edgekit.pipeline.models import Models
from edgekit.results import Result
from edgekit.sinks import STDOUT, CountingSink, EventSink, ReportingSink, Sink, check_sink, open_sink
from edgekit.sinks.tolerant import tolerant
from edgekit.sources import Event, Problem, Source
from edgekit.sources.rows import Rows
from edgekit.uris import redacted

Steps = dict[str, tuple[Chain, Chain]]

SHOWN_ROWS = 5
SWITCH_SECONDS = 0.001
"""How long a thread keeps Python's lock while another waits for it. The process is ours; a library must not do that.
With the default of 5 ms, a thread that computes makes each inference wait that long for its results."""


def check_sinks(sinks: Sequence[str]) -> None:
    """See that results can be written, as far as that is known before, and that each goes to a place once.

    Raises:
        EdgeKitError: as in `check_sink`.
        UsageError: a place is named twice.
    """
    for uri in sinks:
        check_sink(uri)
    places = [uri if uri == STDOUT else os.path.realpath(uri) for uri in sinks]
    for at, place in enumerate(places):
        if place in places[:at]:
            raise UsageError(f"the sink {redacted(sinks[at])} is given twice", hint="Leave one of the two.")


def steps_of(config: PipelineConfig) -> Steps:
    """What happens to the results of each model, by its name: what changes them, and what chooses among them.

    Raises:
        UsageError: a zone, line or rate that is none, or options that do not go together.
    """
    options = {name: AfterOptions(**config.after_of(name)) for name in config.models}
    return {name: (Chain(after.changing()), Chain(after.passing())) for name, after in options.items()}


class _Skipping:
    """Tells of samples that could not be read. Of a table's rows and of live samples the first few, since often all of
    them are alike; of those that run for months then the hundredth, the thousandth and so on."""

    def __init__(self, progress: Progress, sources: Sequence[Source]) -> None:
        self._progress = progress
        self._kind = "row" if all(isinstance(source, Rows) for source in sources) else "sample"
        few = self._kind == "row" or any(getattr(source, "live", False) for source in sources)
        self._most = SHOWN_ROWS if few else None

    def __call__(self, problem: Problem) -> None:
        self._progress.skipped += 1
        count = self._progress.skipped
        if self._most is None or count <= self._most:
            self._progress.message(f"skipped {problem}")
        elif self._kind == "sample" and str(count).strip("0") == "1":
            self._progress.message(f"skipped {count} by now, the last: {problem}")

    def finish(self) -> None:
        """Say how many were not told of."""
        more = self._progress.skipped - (self._most or self._progress.skipped)
        if more > 0:
            self._progress.message(f"skipped {more} more {self._kind}{'' if more == 1 else 's'}")


class _Events:
    """Shows events of sources and sinks, and passes them to the sinks that take them."""

    def __init__(self, progress: Progress, sinks: Sequence[Sink]) -> None:
        self._progress = progress
        self._takers = [sink for sink in sinks if isinstance(sink, EventSink)]
        for sink in sinks:
            if isinstance(sink, ReportingSink):
                sink.on_event = self

    def __call__(self, event: Event) -> None:
        self._progress.message(str(event))
        for sink in self._takers:
            sink.event(event)


def carry_out(models: Models, sources: Sequence[Source], config: PipelineConfig, progress: Progress) -> int:
    """Run until the sources end, or the limit is reached.

    Returns:
        1 where samples could not be read or results not be written, else 0.

    Raises:
        EdgeKitError: there was no result at all, or what `edgekit.run` and sinks raise.
    """
    notifier, steps = Notifier(), steps_of(config)
    sys.setswitchinterval(SWITCH_SECONDS)
    with ExitStack() as stack:
        stack.callback(notifier.stopping)
        live = any(one.live for one in sources)
        sinks = [stack.enter_context(closing(_open(uri, live=live))) for uri in config.sinks]
        stack.callback(progress.finish)
        skipped = _Skipping(progress, sources)
        stack.callback(skipped.finish)
        _pass_on(stack, models, sources, sinks, config, steps, progress, skipped, notifier)
    if progress.samples == 0:
        raise _nothing([redacted(one.uri) for one in sources])
    lost = any(sink.counts().refused for sink in sinks if isinstance(sink, CountingSink))
    return 1 if progress.skipped or lost else 0


def _open(uri: str, *, live: bool) -> Sink:
    """A sink; what a run without end cannot write for a while is no reason to end it."""
    sink = open_sink(uri)
    return tolerant(sink, uri) if live and uri.partition("?")[0] != STDOUT else sink


def _pass_on(
    stack: ExitStack, models: Models, sources: Sequence[Source], sinks: Sequence[Sink], config: PipelineConfig,
    steps: Steps, progress: Progress, skipped: _Skipping, notifier: Notifier,
) -> None:
    """Every result that the steps after the model let through to every sink; the page gets all."""
    stats = Stats([redacted(one.uri) for one in sources])
    pages = [] if config.serve is None else [_page(stack, config.serve, stats, sinks, progress)]
    events = _Events(progress, [*sinks, *pages])

    def told(event: Event) -> None:
        events(event)
        notifier.progress(lambda: str(event))

    results = stack.enter_context(closing(run(
        models.named, list(sources), flow=config.flow, max_age=config.max_age, on_problem=skipped, on_event=told,
        stats=stats, record=config.record,
    )))
    notifier.ready()
    passed = 0
    for result in results:
        change, choose = steps[result.model]
        changed = change(result)
        if changed:
            for page in pages:  # who looks wants to see it move
                page.write(changed)
        chosen = choose(changed) if changed else None
        if chosen:
            passed += 1
            _write(chosen, sinks, progress, clear=STDOUT in config.sinks)
        progress.count(result.latency)
        notifier.progress(lambda: f"{stats.snapshot().fps:.1f} fps, {stats.snapshot().dropped} dropped")
        if passed == config.limit:
            break


def _write(result: Result, sinks: Sequence[Sink], progress: Progress, *, clear: bool) -> None:
    """One result to every sink; the live line makes room on the terminal."""
    if clear:
        progress.clear()
    for sink in sinks:
        sink.write(result)


def _page(stack: ExitStack, address: str, stats: Stats, sinks: Sequence[Sink], progress: Progress) -> Sink:
    from edgekit.serving import Page  # 60 ms, for who wants to look

    page = stack.enter_context(Page(address, stats.snapshot, sinks))
    progress.message(f"serving on {page.url if sys.stderr.isatty() else page.shown}")
    return page


def _nothing(uris: Sequence[str]) -> EdgeKitError:
    """A file of which nothing can be used is a mistake in the call, as a damaged model is."""
    kind = DataError if any(Path(uri).is_file() for uri in uris) else EdgeKitError
    return kind(f"no results: nothing in {', '.join(uris)} could be read")
