"""What a sensor yields: blocks of samples with their times."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgekit.sources.types import Event, Problem, Sample

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Samples that arrived together.

    Attributes:
        times: When each was taken, in seconds on the monotonic clock (of a recording: its own time), float64 of
            shape (samples,).
        values: float32 of shape (samples, channels). NaN stands for what the sensor did not say.
        source: Path or URI, without passwords.
        channels: Names of the channels; empty where nobody said.
        lost: Samples of this source that were lost before they reached us, so far.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float32]
    source: str
    channels: tuple[str, ...] = ()
    lost: int = 0


class Stream(Protocol):
    """A source of samples in time: a sensor, a microphone, or a recording of one.

    Its iterator gives one `Sample` a row, for models that take single rows; windows are cut from `blocks`.
    """

    @property
    def uri(self) -> str:
        """What the user wrote."""
        ...

    @property
    def reads_ahead(self) -> bool:
        """Whether getting samples takes so long that a thread should do it while the model runs."""
        ...

    @property
    def live(self) -> bool:
        """Whether samples come when they come."""
        ...

    @property
    def rate(self) -> float | None:
        """Samples a second, where it is known before the first one has come."""
        ...

    def blocks(self) -> Iterator[Block | Problem | Event]:
        """Blocks in the order of time; what could not be read and what happened in between."""
        ...

    def __iter__(self) -> Iterator[Sample | Problem | Event]: ...


def rows_of(stream: Stream, shape: tuple[int, ...] | None = None) -> Iterator[Sample | Problem | Event]:
    """A stream sample by sample.

    Args:
        stream: Where the blocks come from.
        shape: What a row is brought to where it has as many numbers; None for (channels,).
    """
    sequence = 0
    for item in stream.blocks():
        if not isinstance(item, Block):
            yield item
            continue
        width = item.values.shape[1]
        form = shape if shape is not None and int(np.prod(shape)) == width else (width,)
        for at, row in zip(item.times.tolist(), item.values, strict=True):
            captured, position = (at, None) if stream.live else (time.monotonic(), at)
            yield Sample(
                row.reshape(form), item.source, sequence, captured=captured, lost=item.lost, position=position
            )
            sequence += 1
