"""Windows of a stream as samples for a model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError
from edgekit.features import parse_features
from edgekit.metadata.types import Window
from edgekit.sources.types import Event, Problem, Sample, now
from edgekit.uris import redacted
from edgekit.windows.spec import describe_window
from edgekit.windows.types import Block, Stream
from edgekit.windows.validity import Policy
from edgekit.windows.windower import Cut, Windower

LEAST_DATE = 1e9
"""Times from here on (September 2001) are taken for seconds since 1970."""
MOST_EVENTS = 1.0
"""Seconds between two reports of the same kind of trouble with values; the counts in it miss none."""


class Windowed:
    """A source of windows, cut from a stream and brought to what the model takes.

    Every window is wanted, not the newest alone (`live` is False): a block may complete several at once.

    Args:
        stream: Where samples come from.
        window: Which windows, and what is computed of them.
        shape: The input's, without the batch; None leaves a window as it is.
        invalid: What becomes of values that are NaN or out of range.
    """

    live = False

    def __init__(
        self, stream: Stream, window: Window, shape: tuple[int, ...] | None = None, invalid: Policy = "drop"
    ) -> None:
        self._stream, self._window, self._shape, self._invalid = stream, window, shape, invalid
        self._features = parse_features(window.features)
        self._wall = WallClock()

    @property
    def uri(self) -> str:
        """The stream's."""
        return self._stream.uri

    @property
    def reads_ahead(self) -> bool:
        """Where the stream does."""
        return self._stream.reads_ahead

    def stop(self) -> None:
        """Ask the stream to give no more."""
        stop = getattr(self._stream, "stop", None)
        if stop is not None:
            stop()

    @property
    def window(self) -> Window:
        """Which windows it cuts."""
        return self._window

    def __iter__(self) -> Iterator[Sample | Problem | Event]:
        windower, troubles, self._wall = Windower(self._window, self._invalid), _Troubles(), WallClock()
        sequence = 0
        for item in self._stream.blocks():
            if not isinstance(item, Block):
                yield item
                continue
            block = self._chosen(item)
            for cut in windower.push(block):
                if isinstance(cut, Event):
                    yield cut
                    continue
                yield self._sample(cut, block, sequence)
                sequence += 1
            yield from troubles.of(windower, block.source)
        yield from troubles.rest(windower, redacted(self.uri))
        if not sequence and windower.samples:
            yield Problem(redacted(self.uri), 0, f"no window in it: {windower.heard}, and it takes "
                          f"{describe_window(self._window)}")

    def _chosen(self, block: Block) -> Block:
        """The channels that the model names, in its order, where both sides have names."""
        wanted = self._window.channels
        if not wanted or not block.channels or wanted == block.channels:
            return block
        missing = [name for name in wanted if name not in block.channels]
        if missing:
            raise DataError(
                f"{block.source} has no channel {', '.join(missing)}; it has {', '.join(block.channels)}",
                hint="Name its columns as the model does: in the header of a log, or by columns=... without one.",
            )
        places = [block.channels.index(name) for name in wanted]
        return Block(block.times, block.values[:, places], block.source, wanted, block.lost)

    def _sample(self, cut: Cut, block: Block, sequence: int) -> Sample | Problem:
        if not cut.valid:
            return Problem(block.source, sequence, f"the window until {cut.end:.3f} s holds invalid values")
        captured, moment = self._wall.place(cut.end, self._stream.live)
        return Sample(
            self.prepare(cut.values), block.source, sequence, captured=captured, time=moment, lost=block.lost,
            position=None if self._stream.live else cut.end,
        )

    def prepare(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the model takes of a window's values, of shape (size, channels): a new array.

        Raises:
            DataError: the numbers are not as many as the input takes.
        """
        made = self._features(values)
        if made is values:
            made = values.copy()
        return made if self._shape is None else shaped(made, self._shape, self._stream.uri)


def shaped(made: NDArray[np.float32], shape: tuple[int, ...], uri: str) -> NDArray[np.float32]:
    """Numbers in the shape of an input.

    Raises:
        DataError: they are not as many.
    """
    if made.size != int(np.prod(shape)):
        raise DataError(
            f"a window of {redacted(uri)} gives {made.size} numbers, {list(made.shape)}, and the model takes "
            f"{int(np.prod(shape))}, {list(shape)}",
            hint="See the size of the window, the number of channels (columns=... chooses) and the features.",
        )
    return made.reshape(shape)


class WallClock:
    """When a window was recorded, for its sample."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._started = now()

    def place(self, end: float, live: bool) -> tuple[float, datetime]:
        """The moments `captured` and `time` of a sample whose data ends at the stream's time `end`.

        Of a recording, `captured` is when it was read, and `time` is what the recording says: a date where its times
        are seconds since 1970, else counted from the start of the run.
        """
        at = time.monotonic()
        if live:
            return end, now() - timedelta(seconds=max(at - end, 0.0))
        if end > LEAST_DATE:
            return at, datetime.fromtimestamp(end, timezone.utc)
        self._first = end if self._first is None else self._first
        return at, self._started + timedelta(seconds=end - self._first)


class _Troubles:
    """Tells of late and invalid samples, now and then."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, float]] = {}

    def of(self, windower: Windower, source: str, interval: float = MOST_EVENTS) -> Iterator[Event]:
        for kind, count in (("late", windower.late), ("invalid", windower.invalid)):
            told, last = self._told.get(kind, (0, -np.inf))
            if count > told and time.monotonic() - last >= interval:
                self._told[kind] = (count, time.monotonic())
                yield Event(source, kind, f"{count} samples so far")

    def rest(self, windower: Windower, source: str) -> Iterator[Event]:
        """What has not been told yet, at the end."""
        return self.of(windower, source, 0.0)
