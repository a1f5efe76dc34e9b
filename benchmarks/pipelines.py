"""What a pipeline keeps of the speed that its two stages have, and how old results get behind a slow consumer.

    python -m benchmarks.pipelines MODEL.tflite [--rounds N] [--mediapipe PYTHON] [--quiet SHARE]

The first table is of a file of 720p H.264, made by ffmpeg, every frame of it run, each way with its defaults:
`edgekit.run`; the loop that people write by hand; MediaPipe Tasks in its VIDEO mode, in a Python of its own. All are
run by turns, and so are the two stages by themselves, by which the bound is measured: the slower of reading with
preparing, and inference. There are two such bounds: with one thread that decodes, and with as many as OpenCV takes by
default, which on few processors are wanted for inference at the same time. What no order of work can beat is the
processor time of a frame, which is told by its parts. With `--quiet` a run counts only where other processes took less
than that share of a processor meanwhile. The last table is of a live source of 30 frames/s and a consumer that takes
100 ms a result.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2

import edgekit
from benchmarks.video import by_hand, interpreter_of, rate
from edgekit.sources import Sample, open_source

FRAMES = 150
ONE_THREAD = [cv2.CAP_PROP_N_THREADS, 1]
CONSUMER_SECONDS = 0.1
MOST_SECONDS = 150.0
"""Longest wait for a machine that is quiet."""

MEDIAPIPE = """
import sys, time, cv2, mediapipe as mp
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision
options = vision.ImageClassifierOptions(
    base_options=tasks.BaseOptions(model_asset_path=sys.argv[1]), running_mode=vision.RunningMode.VIDEO, max_results=1)
with vision.ImageClassifier.create_from_options(options) as classifier:
    for line in sys.stdin:
        video, count, started = cv2.VideoCapture(sys.argv[2]), 0, time.perf_counter()
        while (got := video.read())[0]:
            picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=cv2.cvtColor(got[1], cv2.COLOR_BGR2RGB))
            classifier.classify_for_video(picture, time.monotonic_ns() // 1_000_000)
            count += 1
        print(count / (time.perf_counter() - started), flush=True)
"""


def make_clip(path: Path) -> None:
    """FFmpeg's test picture with noise, some 6 Mbit/s, so that decoding costs what it does for a camera's."""
    subprocess.run(
        [
            "ffmpeg", "-y", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30", "-vf",
            "noise=alls=6:allf=t", "-frames:v", str(FRAMES), "-c:v", "libx264", "-preset", "fast", "-b:v", "6M",
            "-pix_fmt", "yuv420p", str(path),
        ],
        check=True,
    )


def read_and_prepare(model: edgekit.Model, clip: Path, threads: list[int]) -> int:
    """The first stage alone, with what OpenCV is told of threads."""
    prepare, count = model.preparation(), 0
    video = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG, threads)
    while (got := video.read())[0]:
        prepare(got[1], "bgr")
        count += 1
    return count


def work(model: edgekit.Model, clip: Path) -> dict[str, float]:
    """Milliseconds of a processor for a frame, part by part."""
    prepare, video = model.preparation(), cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG, ONE_THREAD)
    spent = dict.fromkeys(("decode", "convert to BGR", "prepare", "infer"), 0.0)

    def timed(part: str, job: Callable[[], Any]) -> Any:
        before = time.process_time()
        done = job()
        spent[part] += time.process_time() - before
        return done

    while timed("decode", video.grab):
        frame = timed("convert to BGR", video.retrieve)[1]
        prepared = timed("prepare", partial(prepare, frame, "bgr"))
        timed("infer", partial(model.run_prepared, prepared))
    return {part: seconds / FRAMES * 1000 for part, seconds in spent.items()}


def infer(model: edgekit.Model, clip: Path) -> int:
    """The second stage alone, on one frame again and again."""
    sample = next(item for item in open_source(clip) if isinstance(item, Sample))
    prepared = model.preparation()(sample.data, sample.channels)
    for _ in range(FRAMES):
        model.run_prepared(prepared)
    return FRAMES


def busy_seconds(children: list[int]) -> tuple[float, float]:
    """Seconds that all processors were busy, and that this process and its children were."""
    ticks = os.sysconf("SC_CLK_TCK")
    numbers = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    fields = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in children]
    own = time.process_time() + sum(int(words[11]) + int(words[12]) for words in fields) / ticks
    return (sum(numbers) - numbers[3] - numbers[4]) / ticks, own


def measure(ways: dict[str, Callable[[], float]], rounds: int, quiet: float, children: list[int]) -> dict[str, float]:
    """The median of frames a second of each way, by turns; the first round warms up."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        work()
    ends = time.monotonic() + MOST_SECONDS
    while min(map(len, found.values())) < rounds and time.monotonic() < ends:
        for name, work in ways.items():
            before, started = busy_seconds(children), time.monotonic()
            reached = work()
            after, seconds = busy_seconds(children), time.monotonic() - started
            others = (after[0] - before[0] - (after[1] - before[1])) / seconds
            if others < quiet and len(found[name]) < rounds:
                found[name].append(reached)
    print(", ".join(f"{name}: {len(rates)}" for name, rates in found.items()), "runs")
    return {name: statistics.median(rates) if rates else float("nan") for name, rates in found.items()}


def compare(model_file: Path, clip: Path, rounds: int, quiet: float, mediapipe: str | None) -> None:
    """Print the first table."""
    model = edgekit.load(model_file, normalize="-1..1")
    interpreter = interpreter_of(model_file, model.threads)
    ways: dict[str, Callable[[], float]] = {
        "read and prepare, one thread": lambda: rate(lambda: read_and_prepare(model, clip, ONE_THREAD)),
        "read and prepare, default": lambda: rate(lambda: read_and_prepare(model, clip, [])),
        "inference": lambda: rate(lambda: infer(model, clip)),
        "edgekit.run": lambda: rate(lambda: sum(1 for _ in edgekit.run(model, clip))),
        "loop by hand": lambda: rate(lambda: by_hand(interpreter, clip)),
    }
    child = _mediapipe(mediapipe, model_file, clip) if mediapipe else None
    if child:
        ways["MediaPipe, VIDEO"] = lambda: _ask(child)
    found = measure(ways, rounds, quiet, [child.pid] if child else [])
    for name, reached in found.items():
        print(f"{name:28} {reached:7.1f} frames/s")
    parts = work(model, clip)
    print(f"of a processor: {sum(parts.values()):.1f} ms", *(f"{part} {spent:.1f}" for part, spent in parts.items()))
    for name in list(found)[:2]:
        bound = min(found[name], found["inference"])
        print(f"edgekit.run: {found['edgekit.run'] / bound:.0%} of the slower stage ({name})")
    for name in list(found)[4:]:
        print(f"edgekit.run: {found['edgekit.run'] / found[name]:.2f} times {name}")
    if child:
        child.terminate()


def _mediapipe(python: str, model_file: Path, clip: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-c", MEDIAPIPE, str(model_file), str(clip)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )


def _ask(child: subprocess.Popen[str]) -> float:
    assert child.stdin
    assert child.stdout
    child.stdin.write("go\n")
    child.stdin.flush()
    return float(child.stdout.readline() or "nan")


def lag(model_file: Path, seconds: float) -> None:
    """Print the last table: the age of results at the consumer, and the memory of the process."""
    model = edgekit.load(model_file, normalize="-1..1")
    ages, used, taken, result = [], [], 0, None
    ends = time.monotonic() + seconds
    with edgekit.Pipeline(model, "test:pattern?size=1280x720&fps=30") as pipeline:
        for result in pipeline:
            ages.append(result.age)
            taken += 1
            used.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            if time.monotonic() > ends:
                break
            time.sleep(CONSUMER_SECONDS)
    assert result is not None
    last, half = sorted(ages), len(used) // 2
    print(f"age at the consumer: median {last[len(last) // 2] * 1000:.1f} ms, most {last[-1] * 1000:.1f} ms")
    print(f"frames {result.sequence + 1} = results {taken} + dropped {result.dropped}: {dict(result.drops)}")
    print(f"peak memory: {used[half] / 1024:.1f} MB half way, {used[-1] / 1024:.1f} MB at the end")


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quiet", type=float, default=float("inf"), help="of a processor that others may take")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--mediapipe", help="Python of an environment that has mediapipe")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(clip)
        compare(given.model, clip, given.rounds, given.quiet, given.mediapipe)
    lag(given.model, given.seconds)


if __name__ == "__main__":
    main()
