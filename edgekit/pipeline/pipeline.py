"""A pipeline that runs in the background, for programs with a loop of their own."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from types import TracebackType
from typing import Any

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.failover.announcing import warn_of
from edgekit.pipeline.flow import QUEUE_LENGTH, Flow, FlowRule
from edgekit.pipeline.models import ModelsLike, open_models
from edgekit.pipeline.reading import Reading
from edgekit.pipeline.results import Done, open_reading, outcomes
from edgekit.pipeline.setup import SourceLike, open_sources
from edgekit.pipeline.stats import Figures, Stats
from edgekit.results import Result
from edgekit.sources.recording import Recorder
from edgekit.sources.types import Event, Problem
from edgekit.uris import redacted

STOP_SECONDS = 2.0


class _Taker:
    """Results for one iteration, where the pipeline's thread leaves them."""

    def __init__(self, replaces: bool) -> None:
        self.replaces = replaces
        self.waiting: deque[Result] = deque()
        self.unseen: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        return not self.replaces and len(self.waiting) >= QUEUE_LENGTH

    def put(self, result: Result) -> None:
        unseen = next((one for one in self.waiting if one.model == result.model), None) if self.replaces else None
        if unseen is not None:
            self.waiting.remove(unseen)
            self.unseen[result.model] += 1
        self.waiting.append(result)

    def take(self) -> Result:
        """The next, whose drops count what this iteration was too slow for, and whose age is that of now."""
        result = self.waiting.popleft()
        drops = dict(result.drops)
        drops["busy"] = drops.get("busy", 0) + self.unseen[result.model]
        return replace(
            result, drops=drops, dropped=sum(drops.values()), age=time.monotonic() - result.captured
        )


class Pipeline:
    """A model on one or more sources, run by threads of its own from `start` to `stop`.

    ::

        with edgekit.Pipeline("person.tflite", "camera:0") as pipeline:
            while True:
                result = pipeline.latest(max_age=0.2)       # None where the newest one is older
                robot.forward() if result and not result.best("person", 0.6) else robot.stop()

    There is one thread for each source, which reads and prepares, and one for the model. Under the flow `every`,
    which files have, it waits until somebody asks for results: iterates, calls `latest` or `wait`, or sets
    `when_result`. Iterating gives every result then, and the newest one under `freshest`.

    Args:
        model: As in `run`: a model, a `Cascade`, a path, or several of them side by side.
        source: A source, or what `open_source` takes; or a list of several, which take turns.
        flow: `freshest`, `every`, or `auto`: by the source. See `Flow`.
        max_age: Seconds after which a sample is dropped rather than run.
        record: As in `run`.
        options: As in `load`, for models that are given by path.

    Attributes:
        when_result: Called with each result, in the model's thread; what it raises ends the pipeline.
        when_event: Called with each event of a source (`connected`, `lost`, ...) or device (`hung`, `next-device`,
            ...), in the thread in which it happens; where nobody asks, those of a device are Python warnings.
        when_problem: Called with each sample that could not be read.

    Raises:
        EdgeKitError: as in `load` and `open_source`.
    """

    def __init__(
        self, model: ModelsLike, source: SourceLike | Sequence[SourceLike], *,
        flow: FlowRule = "auto", max_age: float | None = None, record: str | PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        self._models = open_models(model, options, "Pipeline")
        self.sources = open_sources(source, self._models)
        self.when_result: Callable[[Result], object] | None = None
        self.when_event: Callable[[Event], object] | None = None
        self.when_problem: Callable[[Problem], object] | None = None
        self._flow, self._record = Flow(flow, max_age), record
        self._replaces = all(self._flow.replaces(one) for one in self.sources)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._reading: Reading | None = None
        self._recorder: Recorder | None = None
        self._clear()

    def _clear(self) -> None:
        self._stats = Stats([redacted(source.uri) for source in self.sources])
        self._takers: list[_Taker] = []
        self._latest: dict[str, Result] = {}
        self._error: BaseException | None = None
        self._asked, self._stopping, self._ended = False, False, False

    def start(self) -> Pipeline:
        """Begin to run; returns itself. One that was stopped begins anew.

        Raises:
            UsageError: it runs already.
        """
        if self._thread is not None and self._thread.is_alive():
            raise UsageError("the pipeline runs already")
        self._clear()
        self._recorder = None if self._record is None else Recorder(self._record)
        self._reading = open_reading(self._models, self.sources, self._flow, self._stats)
        self._thread = threading.Thread(target=self._work, name="edgekit pipeline", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it, and wait for its threads. Does nothing where it does not run."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._reading is not None:
            self._reading.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_SECONDS)

    @property
    def running(self) -> bool:
        """Whether results may still come."""
        return self._thread is not None and not self._ended

    def latest(self, max_age: float | None = None, model: str | None = None) -> Result | None:
        """The newest result; waits for nothing.

        Args:
            max_age: Seconds since the capture of its sample, at most; None for any age.
            model: Which of several models made it; None for any.

        Returns:
            None where there is none, or the newest is older than that. Its `age` is that of now.

        Raises:
            UsageError: there is no model of that name.
            BaseException: what ended the pipeline, where it failed.
        """
        if model is not None:
            one_of("model", model, tuple(self._models.named))
        with self._changed:
            self._ask()
            self._raise_error()
            found = [result for name, result in self._latest.items() if model in (None, name)]
        result = max(found, key=lambda one: one.captured, default=None)
        if result is None:
            return None
        age = time.monotonic() - result.captured
        return None if max_age is not None and age > max_age else replace(result, age=age)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the sources end, or the pipeline is stopped, or so many seconds are over.

        Returns:
            Whether it ended.

        Raises:
            BaseException: what ended the pipeline, where it failed.
        """
        with self._changed:
            self._ask()
            self._changed.wait_for(lambda: self._ended, seconds)
            self._raise_error()
            return self._ended

    def stats(self) -> Figures:
        """Rate, drops by cause, times, and the state of each source, at this moment."""
        return self._stats.snapshot()

    def __iter__(self) -> Iterator[Result]:
        """Results from now on, until the sources end; starts the pipeline where it does not run yet.

        Raises:
            BaseException: what ended the pipeline, where it failed.
        """
        if self._thread is None:
            self.start()
        taker = _Taker(self._replaces)
        with self._changed:
            self._takers.append(taker)
            self._ask()
        try:
            while (result := self._next(taker)) is not None:
                yield result
        finally:
            with self._changed:
                if taker in self._takers:
                    self._takers.remove(taker)
                self._changed.notify_all()

    def _next(self, taker: _Taker) -> Result | None:
        with self._changed:
            self._changed.wait_for(lambda: taker.waiting or self._ended or self._stopping)
            if taker.waiting and not self._stopping:
                self._changed.notify_all()
                return taker.take()
            self._raise_error()
            return None

    def __enter__(self) -> Pipeline:
        return self if self.running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self._changed.notify_all()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        reading = self._reading
        assert reading is not None
        try:
            with self._models.events_to(self._tell_of_device):
                for outcome in outcomes(self._models, reading, self._stats, self._recorder):
                    if not self._publish(outcome):
                        break
        except BaseException as error:  # raised again where somebody asks for results
            self._error = error
        finally:
            reading.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _tell_of_device(self, event: Event) -> None:
        self._stats.add_device_event(event)
        (self.when_event or warn_of)(event)

    def _publish(self, outcome: Done | Problem | Event) -> bool:
        """Hand something to all who want it. False where the pipeline is to stop."""
        if isinstance(outcome, Problem):
            _tell(self.when_problem, outcome)
        elif isinstance(outcome, Event):
            _tell(self.when_event, outcome)
        else:
            return all(self._publish_result(result) for result in outcome.results)
        return not self._stopping

    def _publish_result(self, result: Result) -> bool:
        with self._changed:
            self._changed.wait_for(self._has_room)
            if self._stopping:
                return False
            self._latest[result.model] = result
            for taker in self._takers:
                taker.put(result)
            self._changed.notify_all()
        _tell(self.when_result, result)
        return not self._stopping

    def _has_room(self) -> bool:
        asked = self._asked or self._replaces or self.when_result is not None
        return self._stopping or (asked and not any(taker.full for taker in self._takers))


def _tell(whom: Callable[[Any], object] | None, what: object) -> None:
    if whom is not None:
        whom(what)
