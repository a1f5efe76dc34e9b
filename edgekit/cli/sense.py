"""`edgekit sense`: what a sensor says, without a model."""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Any

import click
import numpy as np
from numpy.typing import NDArray

from edgekit.cli import debug_option, examples
from edgekit.cli.terminal import Progress
from edgekit.errors import EdgeKitError, OutputError, UsageError
from edgekit.features import parse_features
from edgekit.results.base import to_json
from edgekit.sources import Event, Problem
from edgekit.windows import Block
from edgekit.windows.opening import open_stream

DIGITS = 9


@click.command(
    "sense",
    epilog=examples("""
        edgekit sense serial:/dev/ttyUSB0 --limit 10
        edgekit sense iio:device0 --record still.csv --seconds 60
        edgekit sense mic: --rate 16000 --stats
        edgekit sense log.csv --stats
    """),
)
@click.argument("source", metavar="SOURCE")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="HZ",
              help="Asked of a microphone, and what holds for a recording without times.")
@click.option("--record", type=click.Path(path_type=Path), metavar="FILE.csv",
              help="Keep the samples in a file that edgekit run and convert take; none is printed then.")
@click.option("--stats", is_flag=True, help="Print rate, mean, deviation and range of each channel at the end, only.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after so many samples.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so long.")
@debug_option
def sense_command(
    source: str, rate: float | None, record: Path | None, stats: bool, limit: int | None, seconds: float | None
) -> int:
    """Print what a sensor says: a line of JSON for each sample, with the time and the values of its channels.

    SOURCE is a sensor (serial:, iio:, i2c:, mic:, mqtt:, stdin: or -, test:sine) or a recording of one (.csv, .npy,
    .npz, .wav). Try a sensor so before a model is run on it. The exit code is 1 where some samples could not be read.
    """
    if record is not None and record.suffix.lower() != ".csv":
        raise UsageError(f"{record} is no name for a .csv file", hint="Write --record FILE.csv.")
    stream = open_stream(source, rate)
    progress, kept = Progress(sys.stderr), _Kept(stats)
    with ExitStack() as stack:
        stack.callback(progress.finish)
        file = None if record is None else stack.enter_context(_new(record))
        writer = _Writer(file) if file else None if stats else _Printer(sys.stdout)
        if seconds is not None:
            timer = threading.Timer(seconds, getattr(stream, "stop", lambda: None))
            stack.callback(timer.cancel)
            timer.start()
        blocks: Any = stream.blocks()
        for item in stack.enter_context(closing(blocks)):
            if not isinstance(item, Block):
                _tell(item, progress)
                continue
            block = _cut(item, None if limit is None else limit - kept.count)
            kept.add(block)
            if writer:
                writer.write(block)
            if limit is not None and kept.count >= limit:
                break
    if not kept.count:
        raise EdgeKitError(f"nothing came from {source}")
    if stats:
        click.echo(to_json(kept.summary(), indent=2))
    return 1 if progress.skipped else 0


def _new(path: Path) -> IO[str]:
    try:
        return path.open("x", encoding="utf-8")
    except FileExistsError:
        raise UsageError(f"{path} is there already", hint="Choose another name: no log is overwritten.") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error


def _tell(item: Problem | Event, progress: Progress) -> None:
    if isinstance(item, Problem):
        progress.skipped += 1
        progress.message(f"skipped {item}")
    else:
        progress.message(str(item))


def _cut(block: Block, most: int | None) -> Block:
    return Block(block.times[:most], block.values[:most], block.source, block.channels, block.lost)


def _names(block: Block) -> tuple[str, ...]:
    return block.channels or tuple(f"c{at}" for at in range(1, block.values.shape[1] + 1))


def _shortest(values: NDArray[np.float32]) -> list[list[float]]:
    """Numbers that print with no more digits than tell them from other float32."""
    rows: list[list[float]] = values.astype("U").astype(np.float64).tolist()
    return rows


class _Printer:
    """Lines of JSON; what is no number is null."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, block: Block) -> None:
        names = _names(block)
        for at, row in zip(block.times.tolist(), _shortest(block.values), strict=True):
            values = {name: value if np.isfinite(value) else None for name, value in zip(names, row, strict=True)}
            self._stream.write(to_json({"t": round(at, DIGITS), **values}, separators=(",", ":")) + "\n")
        self._stream.flush()


class _Writer:
    """A log in CSV, with the time in seconds in front."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._begun = file, False

    def write(self, block: Block) -> None:
        if not self._begun:
            self._file.write(",".join(("t", *_names(block))) + "\n")
            self._begun = True
        for at, row in zip(block.times.tolist(), block.values.astype("U").tolist(), strict=True):
            self._file.write(f"{at:.9f},{','.join(row)}\n")
        self._file.flush()


class _Kept:
    """What is counted, and kept where statistics are wanted."""

    def __init__(self, stats: bool) -> None:
        self.count, self._lost, self._stats = 0, 0, stats
        self._parts: list[Block] = []

    def add(self, block: Block) -> None:
        self.count += len(block.times)
        self._lost = block.lost
        if self._stats:
            self._parts.append(block)

    def summary(self) -> dict[str, Any]:
        """For JSON: samples, seconds, rate, longest pause, lost samples, and for each channel its statistics."""
        times = np.concatenate([block.times for block in self._parts])
        values = np.concatenate([block.values for block in self._parts])
        good = values[np.isfinite(values).all(axis=1)]
        steps = np.diff(times)
        names = ("mean", "std", "min", "max")
        table = parse_features(f"stats:of={'+'.join(names)}")(good).tolist() if len(good) else []
        return {
            "samples": self.count,
            "seconds": round(float(np.ptp(times)), 6),
            "rate": round(float(1 / np.median(steps)), 3) if len(steps) and np.median(steps) > 0 else None,
            "longest_pause": round(float(steps.max()), 6) if len(steps) else None,
            "lost": self._lost,
            "invalid": len(values) - len(good),
            "channels": {
                name: dict(zip(names, row, strict=True))
                for name, row in zip(_names(self._parts[0]), table, strict=False)
            },
        }
