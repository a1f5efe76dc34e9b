"""A sensor that is none: sines with noise, for trying and testing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.sources import Event, Problem, Sample
from edgekit.uris import number_of, parts_of, redacted
from edgekit.windows.types import Block, rows_of

PIECE_SECONDS = 0.02
SPEEDS = ("real", "full")
OPTIONS = frozenset({"rate", "channels", "frequency", "noise", "seconds", "speed"})


@dataclass
class Sine:
    """Sines of one frequency, each channel a quarter turn behind the one before, with noise that is always the same.

    Attributes:
        uri: What the user wrote.
        rate: Samples a second; `channels` how many of them; `frequency` in hertz.
        noise: Standard deviation of the noise.
        seconds: How long, infinite for ever.
        real: Whether it comes as fast as it says, with times of the monotonic clock.
        shape: What single rows are brought to.
    """

    uri: str
    rate: float
    channels: int
    frequency: float
    noise: float
    seconds: float
    real: bool
    shape: tuple[int, ...] | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def live(self) -> bool:
        """At true speed."""
        return self.real

    @property
    def reads_ahead(self) -> bool:
        """At true speed it waits."""
        return self.real

    def stop(self) -> None:
        """Give no more."""
        self._stopped.set()

    def __iter__(self) -> Iterator[Sample | Problem | Event]:
        return rows_of(self, self.shape)

    def blocks(self) -> Iterator[Block | Problem | Event]:
        """Blocks of a fiftieth of a second."""
        self._stopped.clear()
        random, start, at = np.random.default_rng(0), time.monotonic(), 0
        piece = max(1, round(self.rate * PIECE_SECONDS))
        phases = np.arange(self.channels) * np.pi / 2
        while at < self.seconds * self.rate:
            count = int(min(piece, np.ceil(self.seconds * self.rate - at)))
            times = (at + np.arange(count)) / self.rate
            at += count
            if self.real and self._stopped.wait(max(0.0, start + float(times[-1]) - time.monotonic())):
                return
            values = np.sin(2 * np.pi * self.frequency * times[:, None] - phases)
            noisy = values + self.noise * random.standard_normal(values.shape)
            yield Block(times + start * self.real, noisy.astype(np.float32), self.uri)


def open_sine(uri: str, *, shape: tuple[int, ...] | None = None) -> Sine:
    """A sine: `test:sine?rate=100&channels=3&frequency=1&noise=0.1`.

    Options: `rate` (100), `channels` (1), `frequency` (1 Hz), `noise` (0), `seconds` (for ever), `speed` (`real` or
    `full`, which has to end).

    Args:
        uri: As above.
        shape: What single rows are brought to.

    Raises:
        UsageError: an option that does not exist or makes no sense.
    """
    _, given = parts_of(uri, OPTIONS)
    real = one_of("speed", given.get("speed", "real"), SPEEDS) == "real"
    seconds = number_of(uri, given, "seconds", float("inf"))
    if not real and seconds == float("inf"):
        raise UsageError(f"{redacted(uri)}: at full speed it needs an end", hint="Give seconds too.")
    channels = number_of(uri, given, "channels", 1.0)
    if channels != int(channels):
        raise UsageError(f"{redacted(uri)}: channels has to be a whole number, not {given['channels']}")
    noise = number_of(uri, given, "noise", 0.0, least=-1e-300) if "noise" in given else 0.0
    rate, frequency = number_of(uri, given, "rate", 100.0), number_of(uri, given, "frequency", 1.0)
    return Sine(uri, rate, int(channels), frequency, noise, seconds, real, shape)
