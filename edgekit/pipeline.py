"""From a source through a model to results."""

from __future__ import annotations

import math
import queue
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.errors import DataError, UsageError
from edgekit.model import Model, load
from edgekit.results import Result
from edgekit.sources import Problem, Sample, Source, open_source

if TYPE_CHECKING:
    from concurrent.futures import Future

QUEUE_LENGTH = 2
"""Samples decoded ahead: two keep the reader and the network busy, more only cost memory and time."""
END_SECONDS = 10.0
"""Longest wait for the reader to notice that it is not wanted any more."""

LOAD_OPTIONS = ("device", "device_options", "threads", "task", "labels", "normalize", "channels", "resize", "top")
"""What `run` passes on to `load`."""

ProblemHandler = Callable[[Problem], None]


def run(
    model: Model | str | PathLike[str],
    source: Source | str | PathLike[str],
    *,
    on_problem: ProblemHandler | None = None,
    **options: Any,
) -> Generator[Result, None, None]:
    """Run a model on every sample of a source.

    The next samples of a folder or video are decoded in a thread meanwhile, which ends with the iteration. Where
    several chips share the work there is a thread for each, and the results keep the order of their samples.

    Args:
        model: A model, or the path of one.
        source: A source, or what `open_source` takes: a picture, folder, pattern, video or table.
        on_problem: Called with each sample that cannot be read, which does not end the run; by default it is
            shown as a Python warning.
        options: As in `load`, for a model that is given by path.

    Returns:
        An iterator of results, each with the source, number and time of its sample. Model and source are
        opened before it is returned.

    Raises:
        EdgeKitError: as in `load` and `open_source` at once, and as in calling a model during the iteration.
        UsageError: the source is none, or options were given for a model that is open already.
    """
    if isinstance(model, Model) and options:
        raise UsageError(
            f"{', '.join(options)} can only be given with the path of a model, which is not open yet"
        )
    unknown = [name for name in options if name not in LOAD_OPTIONS]
    if unknown:
        raise TypeError(f"run() got an unexpected keyword argument '{unknown[0]}'")
    if not isinstance(source, (str, PathLike)) and not _is_source(source):
        raise UsageError(
            f"a source cannot be of type {type(source).__name__}",
            hint="Give the path of a picture, folder, video or table, a pattern, or an object with the properties uri "
            "and reads_ahead that yields edgekit.sources.Sample. For data in memory, call the model itself.",
        )
    opened = model if isinstance(model, Model) else load(model, **options)
    samples = open_source(source, shape=row_shape(opened)) if isinstance(source, (str, PathLike)) else source
    return _results(opened, samples, on_problem or _warn)


def _is_source(source: object) -> bool:
    return isinstance(source, Iterable) and hasattr(source, "uri") and hasattr(source, "reads_ahead")


def row_shape(model: Model) -> tuple[int, ...] | None:
    """What the rows of a table are brought to: the shape of a model's one input, without the batch.

    Raises:
        UsageError: the model has several inputs, which no source fills.
    """
    if len(model.inputs) > 1:
        names = ", ".join(tensor.name for tensor in model.inputs)
        raise UsageError(
            f"{model.path} takes {len(model.inputs)} inputs ({names}), and a source gives one at a time",
            hint="Call the model from Python, with a mapping by input name.",
        )
    return model.inputs[0].shape[1:] if model.inputs else None


def _warn(problem: Problem) -> None:
    warnings.warn(f"skipped {problem}", stacklevel=2)


def _results(model: Model, source: Source, on_problem: ProblemHandler) -> Generator[Result, None, None]:
    with _reading(source) as samples, closing(_inferred(model, samples)) as results:
        for item in results:
            if isinstance(item, Problem):
                on_problem(item)
                continue
            yield item


def _inferred(model: Model, samples: Iterator[Sample | Problem]) -> Generator[Result | Problem, None, None]:
    """The results in the order of their samples, also where several chips work on the next ones meanwhile."""
    if model.parallel == 1:
        for item in samples:
            yield item if isinstance(item, Problem) else _result(model, item)
        return
    from concurrent.futures import ThreadPoolExecutor  # 8 ms, for several chips only

    waiting: deque[Future[Result] | Problem] = deque()
    with ThreadPoolExecutor(model.parallel, thread_name_prefix="edgekit chip") as pool:
        try:
            for item in samples:
                waiting.append(item if isinstance(item, Problem) else pool.submit(_result, model, item))
                if len(waiting) > model.parallel:
                    yield _done(waiting.popleft())
            while waiting:
                yield _done(waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _done(item: Future[Result] | Problem) -> Result | Problem:
    return item if isinstance(item, Problem) else item.result()


def _result(model: Model, sample: Sample) -> Result:
    _check_picture(model, sample)
    try:
        result = model(sample.data, channels=sample.channels)
    except DataError as error:
        raise DataError(f"{sample.source}: {error.message}", hint=error.hint) from error
    return replace(
        result, source=sample.source, sequence=sample.sequence, captured=sample.captured, time=sample.time
    )


def _check_picture(model: Model, sample: Sample) -> None:
    """See that a picture goes to a model of pictures, or is one of the model's numbers itself."""
    shape = sample.data.shape
    taker = model.inputs[0] if model.inputs else None
    if taker and taker.image is None and sample.data.dtype == np.uint8 and len(shape) > 1 and shape != taker.shape[1:]:
        count = math.prod(taker.shape)
        raise DataError(
            f"the model takes {count} {'number' if count == 1 else 'numbers'}, and {sample.source} is a picture",
            hint="Give a .csv, .npy or .npz file with one sample a row.",
        )


@contextmanager
def _reading(source: Source) -> Iterator[Iterator[Sample | Problem]]:
    if not source.reads_ahead:
        yield iter(source)
        return
    with closing(_Reader(source)) as reader:
        yield iter(reader)


class _Reader:
    """Iterates a source in a thread of its own, a few samples ahead."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._items: queue.Queue[Sample | Problem | BaseException | None] = queue.Queue(QUEUE_LENGTH)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._read, name=f"edgekit reader of {source.uri}", daemon=True
        )
        self._thread.start()

    def _read(self) -> None:
        last: BaseException | None = None
        try:
            for item in self._source:
                self._items.put(item)
                if self._stop.is_set():
                    break
        except BaseException as error:  # raised again where it is seen
            last = error
        finally:
            self._items.put(last)

    def __iter__(self) -> Iterator[Sample | Problem]:
        while (item := self._items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """End the thread: with the queue emptied, it can put what it holds and see that it should stop."""
        self._stop.set()
        while not self._items.empty():
            self._items.get_nowait()
        self._thread.join(END_SECONDS)
