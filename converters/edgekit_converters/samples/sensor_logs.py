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
from edgekit.sources import Problem, Sample
from edgekit.tables import ARRAY_SUFFIXES, TEXT_SUFFIXES, iterate_rows, read_arrays
from edgekit.windows import Block, Windowed, WindowOptions, window_of
from edgekit.windows.recordings import SUFFIXES, open_recording
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
    files = list(_logs(path))
    invalid = options.windows.invalid
    counts = []
    notes: list[str] = []
    for done, file in enumerate(files, 1):
        report(Progress("cutting windows of logs", done, len(files)))
        counts.append(_count(file, window, invalid, notes))
    total = sum(counts)
    if not total:
        raise DataError(
            f"{name} holds no window of {window.size} samples without a gap",
            hint="See the size of the window, the rate, and max-gap, the longest time that is bridged.",
        )
    wanted = set(np.unique(np.linspace(0, total - 1, min(options.samples, total)).round().astype(int)).tolist())
    chosen: list[NDArray[Any]] = []
    channels: tuple[str, ...] = ()
    first = 0
    for file, count in zip(files, counts, strict=True):
        source = Windowed(open_recording(str(file), window.rate), window, tuple(spec.shape[1:]), invalid)
        places = {number - first for number in wanted if first <= number < first + count}
        chosen += _chosen(source, places, spec)
        channels = channels or source_channels(file, window)
        first += count
    about = {"windows": total, "channels": list(channels)}
    return chosen, about, tuple(notes[:MOST_TOLD])


def _count(file: Path, window: Window, invalid: Any, notes: list[str]) -> int:
    windower, count, problems = Windower(window, invalid), 0, 0
    for item in open_recording(str(file), window.rate).blocks():
        if isinstance(item, Block):
            count += sum(isinstance(cut, Cut) and cut.valid for cut in windower.push(item))
        elif isinstance(item, Problem):
            problems += 1
    troubles = {
        "lines could not be read": problems, "gaps": windower.gaps, "samples with invalid values": windower.invalid,
    }
    notes += [f"{file}: {number} {what}" for what, number in troubles.items() if number]
    return count


def _chosen(source: Windowed, places: set[int], spec: InputSpec) -> list[NDArray[Any]]:
    samples = (item for item in source if isinstance(item, Sample))
    return [
        np.asarray(sample.data, spec.dtype)[None] for at, sample in enumerate(samples) if at in places
    ]


def source_channels(file: Path, window: Window) -> tuple[str, ...]:
    """The names of a log's channels; empty where it has none."""
    blocks = (item for item in open_recording(str(file), window.rate).blocks() if isinstance(item, Block))
    first = next(blocks, None)
    return first.channels if first else ()
