"""Frames a second over a video: `edgekit.run` against the loop that people write by hand.

    python benchmarks/video.py MODEL.tflite [CLIP] [ROUNDS]

The loop is the usual one: OpenCV reads, converts and resizes, NumPy normalizes and quantizes, the interpreter runs,
the best class is taken. Both are run by turns in one process with the same number of threads, so that a busy machine
slows both. Without CLIP, 300 frames of 1280 x 720 are made first.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

import edgekit

FRAMES = 300
DEFAULT_ROUNDS = 5


def make_clip(path: Path) -> None:
    """A pan over coloured noise, so that decoding costs what it does for a real picture."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (1280, 720))
    scene = cv2.resize(np.random.default_rng(0).integers(0, 256, (90, 320, 3), dtype=np.uint8), (2560, 720))
    for frame in range(FRAMES):
        writer.write(np.ascontiguousarray(scene[:, frame * 4 : frame * 4 + 1280]))
    writer.release()


def with_edgekit(model: edgekit.Model, clip: Path) -> int:
    """Frames that got a result."""
    return sum(1 for _ in edgekit.run(model, clip))


def by_hand(interpreter: Interpreter, clip: Path) -> int:
    """The same in the fewest lines."""
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    _, height, width, _ = taken["shape"]
    scale, zero_point = taken["quantization"]
    video, count = cv2.VideoCapture(str(clip)), 0
    while True:
        good, frame = video.read()
        if not good:
            return count
        rgb = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), (width, height))
        real = rgb.astype(np.float32) / 127.5 - 1
        limits = np.iinfo(taken["dtype"])
        tensor = np.clip(np.round(real / scale + zero_point), limits.min, limits.max).astype(taken["dtype"])
        interpreter.set_tensor(taken["index"], tensor[None])
        interpreter.invoke()
        interpreter.get_tensor(given["index"]).argmax()
        count += 1


def interpreter_of(model_file: Path, threads: int) -> Interpreter:
    """As people open one."""
    interpreter = Interpreter(model_path=str(model_file), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def rate(work: Callable[[], int]) -> float:
    """Frames a second of one pass."""
    started = time.perf_counter()
    return work() / (time.perf_counter() - started)


def main(model_file: Path, clip: Path, rounds: int) -> None:
    """Print the median rate of each and their ratio."""
    model = edgekit.load(model_file, normalize="-1..1")
    interpreter = interpreter_of(model_file, model.threads)
    ways = {"edgekit.run": lambda: with_edgekit(model, clip), "by hand": lambda: by_hand(interpreter, clip)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 + rounds):
        for name, work in ways.items():
            rates[name].append(rate(work))
    medians = {name: statistics.median(found[1:]) for name, found in rates.items()}
    for name, median in medians.items():
        print(f"{name:12} {median:7.1f} frames/s   {median / medians['by hand']:.2f} of the loop by hand")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        given_clip = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(folder) / "clip.mp4"
        if len(sys.argv) <= 2:
            make_clip(given_clip)
        main(Path(sys.argv[1]), given_clip, int(sys.argv[3]) if len(sys.argv) > 3 else DEFAULT_ROUNDS)
