"""Readers: what gets samples from a source and prepares them, in a thread of its own or where they are taken."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

import numpy as np

from edgekit.errors import DataError
from edgekit.inputs import is_picture_shape
from edgekit.pipeline.exchange import Exchange, Failure, Item, Ready
from edgekit.pipeline.models import Models, Preparing, Runnable
from edgekit.sources.types import Event, Problem, Sample, Source
from edgekit.uris import redacted

ASK_SECONDS = 0.05
STOP_SECONDS = 1.5
"""Longest wait for readers to notice that they are not wanted any more; a process is to end within 2 s."""


class Preparer:
    """Prepares samples for the models, each in buffers that nothing else writes to until they are released.

    There are as many sets of buffers as samples on their way: no copying, and nothing is overwritten that the
    network still reads.
    """

    def __init__(self, models: Models) -> None:
        self._models = models
        self._free: list[tuple[Preparing, ...]] = []

    def __call__(self, sample: Sample) -> Ready:
        """Prepare one.

        Raises:
            DataError: a model does not take it.
            UsageError: pixels for a model of unknown normalization.
        """
        for model in self._models.all:
            _check_picture(model, sample)
        preparations = self._free.pop() if self._free else tuple(model.preparation() for model in self._models.all)
        try:
            prepared = tuple(prepare(sample.data, sample.channels) for prepare in preparations)
        except DataError as error:
            raise DataError(f"{redacted(sample.source)}: {error.message}", hint=error.hint) from error
        return Ready(sample, prepared, partial(self._free.append, preparations))


def _check_picture(model: Runnable, sample: Sample) -> None:
    """See that a picture goes to a model of pictures, or is one of the model's numbers itself."""
    data, taker = sample.data, model.inputs[0] if model.inputs else None
    if not isinstance(data, np.ndarray) or taker is None or taker.image is not None:
        return
    if data.dtype == np.uint8 and data.ndim > 1 and data.shape != taker.shape[1:]:
        _check_colours(taker.shape)
        count = math.prod(taker.shape)
        raise DataError(
            f"the model takes {count} {'number' if count == 1 else 'numbers'}, and {redacted(sample.source)} is a "
            "picture",
            hint="Give a .csv, .npy or .npz file with one sample a row.",
        )


def _check_colours(shape: tuple[int, ...]) -> None:
    match shape:
        case (1, 3, height, width) if is_picture_shape((1, height, width, 3)):
            raise DataError(
                f"the model takes colours first, {list(shape)}, as PyTorch does, and pictures come with colours last",
                hint=f"Export it with input [1, {height}, {width}, 3]: put a transposition in front of the network.",
            )


class Reader:
    """Reads and prepares in a thread, and leaves what it has in a lane of an exchange."""

    def __init__(self, source: Source, prepare: Preparer, exchange: Exchange, lane: int) -> None:
        self._source, self._prepare, self._exchange, self._lane = source, prepare, exchange, lane
        self._thread = threading.Thread(
            target=self._read, name=f"edgekit reader of {redacted(source.uri)}", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _read(self) -> None:
        try:
            items = iter(self._source)  # forgets a `stop` that came before it, and so:
            try:
                if not self._exchange.closed:
                    self._pass_on(items)
            finally:
                _close(items)
        except BaseException as error:  # raised again where it is seen
            self._exchange.put(self._lane, Failure(error))
        finally:
            self._exchange.end(self._lane)

    def _pass_on(self, items: Iterator[Sample | Problem | Event]) -> None:
        for item in items:
            if self._exchange.closed or not self._exchange.put(self._lane, prepared(item, self._prepare)):
                return

    def ask(self) -> None:
        """Ask the source to give no more, where it can be asked."""
        stop = getattr(self._source, "stop", None)
        if stop is not None:
            stop()

    def stop(self, seconds: float) -> None:
        """Wait for the thread, not longer than that; one whose source only begins may forget that it was asked."""
        ends = time.monotonic() + seconds
        while self._thread.is_alive():
            self.ask()
            left = ends - time.monotonic()
            self._thread.join(max(0.0, min(left, ASK_SECONDS)))
            if left <= 0:
                return


def prepared(item: Sample | Problem | Event, prepare: Preparer) -> Item:
    """A sample ready for the network; others as they are."""
    return prepare(item) if isinstance(item, Sample) else item


class Reading(Protocol):
    """Where samples are taken from, ready for the network."""

    @property
    def finished(self) -> bool:
        """Whether nothing waits and nothing comes."""
        ...

    def take(self) -> tuple[int, Item] | None:
        """The next item and the number of its source; None where `nudge` was called, or at the end."""
        ...

    def nudge(self) -> None:
        """Let `take` return, with nothing if need be."""
        ...

    def close(self) -> None:
        """Let go of the sources."""
        ...


class ReadingAhead:
    """Sources read in threads, one each.

    Args:
        sources: What to read.
        models: For whom.
        exchange: Where to, a lane each.
    """

    def __init__(self, sources: Sequence[Source], models: Models, exchange: Exchange) -> None:
        self._exchange = exchange
        self._readers = [Reader(source, Preparer(models), exchange, lane) for lane, source in enumerate(sources)]
        for reader in self._readers:
            reader.start()

    def take(self) -> tuple[int, Item] | None:
        """As in `Exchange`."""
        return self._exchange.take()

    @property
    def finished(self) -> bool:
        """As in `Exchange`."""
        return self._exchange.finished

    def nudge(self) -> None:
        """As in `Exchange`."""
        self._exchange.nudge()

    def close(self) -> None:
        """End the threads."""
        self._exchange.close()
        ends = time.monotonic() + STOP_SECONDS
        for reader in self._readers:
            reader.ask()
        for reader in self._readers:
            reader.stop(ends - time.monotonic())


class ReadingHere:
    """One source, read where its samples are taken: a row of a table is there in microseconds."""

    def __init__(self, source: Source, models: Models) -> None:
        self._items, self._prepare = iter(source), Preparer(models)
        self.finished = False

    def take(self) -> tuple[int, Item] | None:
        """The next; None at the end."""
        for item in self._items:
            return 0, prepared(item, self._prepare)
        self.finished = True
        return None

    def nudge(self) -> None:
        """Nobody waits here."""

    def close(self) -> None:
        """Let go of the source."""
        _close(self._items)


def _close(items: Iterator[Sample | Problem | Event]) -> None:
    """Let a generator let go of what it opened."""
    close = getattr(items, "close", None)
    if close is not None:
        close()
