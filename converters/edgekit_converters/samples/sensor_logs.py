"""Calibration data from raw logs of sensors: cut, resampled and prepared as the device does it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError
from edgekit.metadata.types import Window
from edgekit.sources import Problem
from edgekit.tables import ARRAY_SUFFIXES, TEXT_SUFFIXES, iterate_rows, read_arrays
from edgekit.windows import Block, Windowed, WindowOptions, window_of
from edgekit.windows.recordings import SUFFIXES, open_recording
from edgekit.windows.validity import Policy
from edgekit.windows.windower import Cut, Windower
from edgekit_converters.events import OnProgress, Progress
from edgekit_converters.options import Options
from edgekit_converters.tracing.specs import InputSpec

MOST_TOLD = 3


def is_log(path: Path) -> bool:
    """Whether it is a file that may hold a log, or a folder with some (subfolders too)."""
    if path.is_dir():
        return any(True for _ in _logs(path))
    return path.suffix.lower() in SUFFIXES


def _logs(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    yield from sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())


def holds_samples(path: Path, spec: InputSpec) -> bool:
    """Whether a table or array holds what the network takes already, one sample a row, rather than a raw log."""
    size = int(np.prod(spec.shape[1:]))
    if path.suffix.lower() in TEXT_SUFFIXES:
        first = next(iterate_rows(path), None)
        return first is not None and first.values is not None and first.values.size == size > 1
    if path.suffix.lower() in ARRAY_SUFFIXES:
        return any(array.ndim > 1 and int(np.prod(array.shape[1:])) == size for array in read_arrays(path).values())
    return False


def window_for(
    options: WindowOptions | None, shape: Sequence[int], channels: Sequence[str] = ()
) -> Window | None:
    """The windows that an input of that shape, with the batch, takes, from what the user says.

    Raises:
        UsageError: it makes no sense.
    """
    if options is None or not options.given:
        return None
    found = window_of(options, None, tuple(shape[1:]))
    return None if found is None else replace(found, channels=tuple(channels))


def windows_of_logs(
    path: Path, name: str, spec: InputSpec, options: Options, report: OnProgress
) -> tuple[list[NDArray[Any]], dict[str, Any], tuple[str, ...]]:
    """Windows of all logs, `options.samples` of them at most, evenly spread.

    Args:
        path: A log, or a folder of logs, whose subfolders may be classes.
        name: What the user calls it.
        spec: The model's input.
        options: Of the conversion.
        report: Told of the progress.

    Returns:
        Arrays of the input's shape; for the summary the names of the channels and how many windows there were; and
        what is doubtful, a sentence each.

    Raises:
        DataError: no log holds a whole window, or one cannot be read.
    """
    assert options.windows is not None
    window = window_for(options.windows, spec.shape)
    assert window is not None
    logs, notes = [], list[str]()
    files = list(_logs(path))
    for done, file in enumerate(files, 1):
        report(Progress("cutting windows of logs", done, len(files)))
        log = _Log(file, window, options.windows.invalid)
        log.count = sum(1 for _ in log.cuts(notes))
        logs.append(log)
    total = sum(log.count for log in logs)
    if not total:
        raise DataError(
            f"{name} holds no window of {window.size} samples without a gap",
            hint="See the size of the window, the rate, and max-gap, the longest time that is bridged.",
        )
    wanted = np.unique(np.linspace(0, total - 1, min(options.samples, total)).round().astype(int))
    chosen: list[NDArray[Any]] = []
    first = 0
    for log in logs:
        places = {int(number) - first for number in wanted if first <= number < first + log.count}
        chosen += log.samples(places, spec)
        first += log.count
    channels = next((log.channels for log in logs if log.channels), ())
    return chosen, {"windows": total, "channels": list(channels)}, tuple(notes[:MOST_TOLD])


class _Log:
    """One file, cut as the device does it.

    Attributes:
        count: Windows that it holds, once somebody counted them.
        channels: Their names, as far as it was read.
    """

    def __init__(self, file: Path, window: Window, invalid: Policy) -> None:
        self._file, self._window, self._invalid = file, window, invalid
        self.count, self.channels = 0, tuple[str, ...]()

    def cuts(self, notes: list[str] | None = None) -> Iterator[Cut]:
        """Its windows; `notes` gets what was wrong."""
        windower, problems = Windower(self._window, self._invalid), 0
        for item in open_recording(str(self._file), self._window.rate).blocks():
            if isinstance(item, Block):
                self.channels = item.channels
                yield from (cut for cut in windower.push(item) if isinstance(cut, Cut) and cut.valid)
            else:
                problems += isinstance(item, Problem)
        if notes is None:
            return
        troubles = {
            "lines could not be read": problems, "gaps": windower.gaps, "samples with invalid values": windower.invalid,
        }
        notes += [f"{self._file}: {number} {what}" for what, number in troubles.items() if number]

    def samples(self, places: set[int], spec: InputSpec) -> list[NDArray[Any]]:
        """The windows at those places, as the network takes them."""
        if not places:
            return []
        stream = open_recording(str(self._file), self._window.rate)
        source = Windowed(stream, self._window, tuple(spec.shape[1:]), self._invalid)
        return [
            np.asarray(source.prepare(cut.values), spec.dtype)[None]
            for at, cut in enumerate(self.cuts()) if at in places
        ]
