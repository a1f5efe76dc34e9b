"""What sensor pipelines cost: 10,000 samples/s of 6 channels through gaps, resampling and windows.

    python -m benchmarks.sensors

Each line is the share of one core that a second of the stream takes, the best of five runs of 20 s of stream. Beside it
stand two loops that people write by hand: one that appends sample by sample, and one that keeps a NumPy array and
shifts it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from edgekit.metadata.types import Window
from edgekit.windows import Block, Cut, Windower
from edgekit.windows.text import TextOptions
from edgekit_devices.sensors.lines import LineReader

RATE, CHANNELS, SECONDS, REPEATS = 10_000, 6, 20, 5
WINDOW, HOP = 2_000, 500
BLOCK = 200
"""Samples that arrive together: 20 ms."""


def blocks(jitter: float) -> list[Block]:
    random = np.random.default_rng(0)
    count = RATE * SECONDS
    times = (np.arange(count) + jitter * random.uniform(-0.5, 0.5, count)) / RATE
    values = random.normal(size=(count, CHANNELS)).astype(np.float32)
    return [Block(times[at : at + BLOCK], values[at : at + BLOCK], "test") for at in range(0, count, BLOCK)]


def edgekit_windows(stream: list[Block], window: Window) -> Iterator[np.ndarray]:
    windower = Windower(window)
    for block in stream:
        for cut in windower.push(block):
            if isinstance(cut, Cut):
                yield cut.values.copy()


def by_sample(stream: list[Block]) -> Iterator[np.ndarray]:
    """A deque, a sample at a time."""
    kept: deque[np.ndarray] = deque(maxlen=WINDOW)
    count = 0
    for block in stream:
        for row in block.values:
            kept.append(row)
            count += 1
            if count >= WINDOW and (count - WINDOW) % HOP == 0:
                yield np.array(kept)


def by_shifting(stream: list[Block]) -> Iterator[np.ndarray]:
    """An array that is shifted by each block."""
    kept, count, next_window = np.zeros((WINDOW, CHANNELS), np.float32), 0, WINDOW
    for block in stream:
        fresh = len(block.values)
        kept = np.concatenate((kept, block.values))
        count += fresh
        while count >= next_window:
            end = len(kept) - (count - next_window)
            yield kept[end - WINDOW : end].copy()
            next_window += HOP
        kept = kept[-WINDOW:]


def text_lines(stream: list[Block]) -> list[bytes]:
    """The same as lines of CSV, as a serial port gives them."""
    return [b"".join(b",".join(b"%.4f" % value for value in row) + b"\n" for row in block.values) for block in stream]


def from_lines(pieces: list[bytes], window: Window) -> Iterator[np.ndarray]:
    reader, windower = LineReader("test", TextOptions(), float(RATE)), Windower(window)
    for number, piece in enumerate(pieces, 1):
        for block in reader.feed(piece, number * BLOCK / RATE):
            if isinstance(block, Block):
                yield from (cut.values.copy() for cut in windower.push(block) if isinstance(cut, Cut))


def cost(run: Callable[[], Iterator[np.ndarray]]) -> tuple[float, int]:
    """Percent of a core, and windows."""
    best, count = float("inf"), 0
    for _ in range(REPEATS):
        started = time.process_time()
        count = sum(1 for _ in run())
        best = min(best, time.process_time() - started)
    return 100 * best / SECONDS, count


def main() -> None:
    even, uneven = blocks(0), blocks(0.8)
    plain, resampled = Window(WINDOW, HOP), Window(WINDOW, HOP, float(RATE))
    slower = Window(WINDOW // 10, HOP // 10, RATE / 10, max_gap=0.01)
    lines = text_lines(even)
    ways: dict[str, Callable[[], Iterator[np.ndarray]]] = {
        "windows by count": lambda: edgekit_windows(even, plain),
        "resampled to the same rate": lambda: edgekit_windows(even, resampled),
        "the same, with jitter": lambda: edgekit_windows(uneven, resampled),
        "resampled to a tenth": lambda: edgekit_windows(uneven, slower),
        "from lines of CSV, resampled": lambda: from_lines(lines, resampled),
        "by hand: shifting an array": lambda: by_shifting(even),
        "by hand: sample by sample": lambda: by_sample(even),
    }
    print(f"{RATE} samples/s of {CHANNELS} channels in blocks of {BLOCK}; windows of {WINDOW}, hop {HOP}")
    for name, run in ways.items():
        percent, count = cost(run)
        print(f"{name:30} {percent:6.2f} % of a core, {count} windows")


if __name__ == "__main__":
    main()
