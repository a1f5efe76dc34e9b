"""Recordings as streams: CSV, NumPy arrays and sound, at full or at true speed."""

from __future__ import annotations

import threading
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.choices import one_of
from edgekit.errors import DataError, MissingFileError, UsageError
from edgekit.sources.types import Event, Problem, Sample
from edgekit.tables import ARRAY_SUFFIXES, DEFAULT_ARRAY, TEXT_SUFFIXES, read_arrays
from edgekit.uris import number_of, parts_of, redacted
from edgekit.windows.text import OPTIONS as TEXT_OPTIONS
from edgekit.windows.text import TextOptions, TextParser, text_options
from edgekit.windows.types import Block, Stream, rows_of

SOUND_SUFFIXES = (".wav",)
SUFFIXES = TEXT_SUFFIXES + ARRAY_SUFFIXES + SOUND_SUFFIXES
SPEEDS = ("full", "real")
LINES = 2000
"""Lines read at once."""
ROWS = 8192
PIECE_SECONDS = 0.02
"""How much of a recording is given at once at true speed."""
_TIME_ARRAYS = ("t", "time", "times", "timestamps")
_WIDTHS: dict[int, tuple[np.dtype[Any], float, float]] = {
    1: (np.dtype("u1"), 128.0, 128.0),
    2: (np.dtype("<i2"), 0.0, 2.0**15),
    4: (np.dtype("<i4"), 0.0, 2.0**31),
}


@dataclass(frozen=True)
class Recording:
    """A recorded stream in a file.

    Attributes:
        uri: What the user wrote.
        path: The file.
        rate: Samples a second, for files that hold no times; None counts them, one a second.
        real: Whether it comes at the speed at which it was recorded; then its times are those of the monotonic clock.
        text: How lines are read, of a `.csv`.
        channel: Of sound: the number of the channel, from 0; None for the mean of all.
    """

    uri: str
    path: Path
    rate: float | None = None
    real: bool = False
    text: TextOptions = field(default_factory=TextOptions)
    channel: int | None = None
    _stopped: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    @property
    def reads_ahead(self) -> bool:
        """At full speed a block is read in less than a millisecond."""
        return self.real

    @property
    def live(self) -> bool:
        """At true speed."""
        return self.real

    def stop(self) -> None:
        """Give no more."""
        self._stopped.set()

    def blocks(self) -> Iterator[Block | Problem | Event]:
        """Blocks of the recording, and a problem for each line that holds no numbers.

        Raises:
            DataError: the file is damaged, or holds no samples.
        """
        self._stopped.clear()
        yield from _paced(self._blocks(), self._stopped) if self.real else self._blocks()

    def __iter__(self) -> Iterator[Sample | Problem | Event]:
        return rows_of(self)

    def _blocks(self) -> Iterator[Block | Problem]:
        suffix = self.path.suffix.lower()
        if suffix in TEXT_SUFFIXES:
            return self._of_text()
        return self._of_sound() if suffix in SOUND_SUFFIXES else self._of_arrays()

    def _of_text(self) -> Iterator[Block | Problem]:
        parser, count, line = TextParser(self.text), 0, 1
        try:
            with self.path.open(encoding="utf-8-sig", errors="replace") as stream:
                while lines := list(islice(stream, LINES)):
                    parsed = parser.parse(lines)
                    for at, reason in parsed.bad:
                        yield Problem(f"{self.uri}, line {line + at}", count + at, reason)
                    if len(parsed.values):
                        times = parsed.times if parsed.times is not None else self._numbered(count, len(parsed.values))
                        yield Block(times, parsed.values, self.uri, parser.channels)
                    count, line = count + len(parsed.values), line + len(lines)
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror}") from error
        except DataError as error:
            raise DataError(f"{self.path}: {error.message}", hint=error.hint) from error
        if not count:
            raise DataError(f"{self.path} holds no row of numbers")

    def _of_arrays(self) -> Iterator[Block]:
        arrays = read_arrays(self.path)
        times = next((arrays.pop(name) for name in _TIME_ARRAYS if name in arrays), None)
        values = arrays.get(DEFAULT_ARRAY, next(iter(arrays.values())) if len(arrays) == 1 else None)
        if values is None or values.dtype.kind not in "buif" or values.ndim not in (1, 2):
            raise DataError(
                f"{self.path} holds no one stream of numbers",
                hint="Give one array of shape (samples, channels), called 'x' where there are several, and the times "
                "in seconds as 't'.",
            )
        values = values.reshape(len(values), -1)
        if times is not None and times.shape != (len(values),):
            raise DataError(f"{self.path}: {times.size} times do not go with {len(values)} samples")
        for at in range(0, len(values), ROWS):
            part = values[at : at + ROWS].astype(np.float32)
            moments = self._numbered(at, len(part)) if times is None else times[at : at + ROWS].astype(np.float64)
            yield Block(moments, part, self.uri)

    def _of_sound(self) -> Iterator[Block]:
        try:
            with wave.open(str(self.path), "rb") as sound:
                rate, at = sound.getframerate(), 0
                while data := sound.readframes(ROWS):
                    values = _pcm(data, sound.getsampwidth(), sound.getnchannels(), self)
                    yield Block((at + np.arange(len(values))) / rate, values, self.uri)
                    at += len(values)
        except (wave.Error, EOFError) as error:
            raise DataError(
                f"{self.path} is no sound that can be read: {error or 'it is cut short'}",
                hint="Give a .wav of whole numbers (PCM) of 8, 16 or 32 bits.",
            ) from error

    def _numbered(self, first: int, count: int) -> NDArray[np.float64]:
        """Times of samples that have none: one a second where nobody says more, which windows by count take."""
        return (first + np.arange(count)) / (self.rate or 1.0)


def _pcm(data: bytes, width: int, channels: int, recording: Recording) -> NDArray[np.float32]:
    """Sound as numbers from -1 to 1, shape (samples, 1)."""
    if width not in _WIDTHS:
        raise DataError(f"{recording.path} has samples of {8 * width} bits", hint="There are 8, 16 and 32 bits.")
    kind, middle, full = _WIDTHS[width]
    frames = np.frombuffer(data[: len(data) // (width * channels) * width * channels], kind).reshape(-1, channels)
    if recording.channel is not None and recording.channel >= channels:
        raise DataError(f"{recording.path} has {channels} channels, and none of number {recording.channel}")
    chosen = frames.mean(axis=1) if recording.channel is None else frames[:, recording.channel]
    scaled: NDArray[np.float64] = (chosen.astype(np.float64) - middle) / full
    return scaled.astype(np.float32)[:, None]


def _paced(items: Iterator[Block | Problem], stopped: threading.Event) -> Iterator[Block | Problem]:
    """The same in small pieces, each when its last sample was taken, counted from now."""
    start: float | None = None
    for item in items:
        if isinstance(item, Problem):
            yield item
            continue
        if start is None:
            start = time.monotonic() - float(item.times[0])
        for rows in _pieces(item.times):
            if stopped.wait(max(0.0, start + float(item.times[rows][-1]) - time.monotonic())):
                return
            yield Block(item.times[rows] + start, item.values[rows], item.source, item.channels, item.lost)


def _pieces(times: NDArray[np.float64]) -> Iterator[slice]:
    numbers = np.floor((times - times[0]) / PIECE_SECONDS)
    cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(times)]
    for start, end in pairwise(cuts):
        yield slice(start, end)


def is_recording(uri: str) -> bool:
    """Whether it names a file that may hold a stream, options in its query left aside."""
    path = Path(uri.partition("?")[0])
    return path.suffix.lower() in SUFFIXES and path.is_file()


def open_recording(uri: str, rate: float | None = None) -> Stream:
    """A recording: `log.csv`, `log.npz`, `speech.wav`, with options such as `log.csv?speed=real&time=t_ms`.

    Options: `speed` (`full` or `real`), `rate` (samples a second, for files without times), `channel` (of sound), and
    for lines `columns`, `time`, `unit`.

    Args:
        uri: Path, with options behind a question mark.
        rate: What holds where the URI does not say.

    Raises:
        MissingFileError: there is no such file.
        UsageError: an option that does not exist.
    """
    path = Path(uri.partition("?")[0])
    if not path.is_file():
        raise MissingFileError(f"no such file: {path}")
    _, given = parts_of(f"file:{uri}", frozenset({"speed", "rate", "channel", *TEXT_OPTIONS}))
    real = one_of("speed", given.get("speed", "full"), SPEEDS) == "real"
    channel = given.get("channel")
    if channel is not None and not channel.isdigit():
        raise UsageError(f"{redacted(uri)}: channel has to be a number from 0, not '{channel}'")
    own = number_of(uri, given, "rate", 0.0) or None
    return Recording(
        uri, path, own or rate, real, text_options(given), None if channel is None else int(channel)
    )
