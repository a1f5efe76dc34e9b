"""How many threads a network gains by: alone and in a pipeline, with XNNPACK and without.

    python -m benchmarks.threads MODEL.tflite... [--most N] [--rounds N] [--quiet SHARE]

Each figure is a ratio to one thread with XNNPACK, of runs by turns in one process, so that a busy machine slows all
alike; above 1 is faster. In the pipeline, `edgekit.run` decodes a file of 720p H.264 in one thread of its own. With
`--quiet` a run counts only where other processes took less than that share of a processor meanwhile. The last column
is what EdgeKit takes by itself.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import edgekit
from benchmarks.pipelines import make_clip, measure
from benchmarks.video import rate
from edgekit.choosing.threads import best_threads
from edgekit.interpreter import Engine, Kernels, default_threads
from edgekit.processor import physical_cores

RUNS = 30
KERNELS: tuple[Kernels, ...] = ("fast", "plain")
NAMES = {"fast": "with XNNPACK", "plain": "without"}


def infer(engine: Engine) -> int:
    """The network alone, again and again."""
    for _ in range(RUNS):
        engine.run_zeros()
    return RUNS


def pipeline(model: edgekit.Model, clip: Path) -> int:
    """Frames that got a result."""
    return sum(1 for _ in edgekit.run(model, clip))


def compare(path: Path, clip: Path, threads: list[int], rounds: int, quiet: float) -> None:
    """Print the figures of one model."""
    engines = {
        f"alone {NAMES[kernels]}, {count}": Engine(path, threads=count, kernels=kernels)
        for kernels in KERNELS for count in threads
    }
    models = {
        f"pipeline, {count}": edgekit.load(path, device="cpu", threads=count, normalize="-1..1") for count in threads
    }
    ways: dict[str, Callable[[], float]] = {
        name: partial(rate, partial(infer, engine)) for name, engine in engines.items()
    }
    ways |= {name: partial(rate, partial(pipeline, model, clip)) for name, model in models.items()}
    found = measure(ways, rounds, quiet, [])
    for name, reached in found.items():
        one = "pipeline, 1" if name.startswith("pipeline") else f"alone {NAMES['fast']}, 1"
        print(f"{path.name:40} {name:24} {reached:8.1f} a second   {reached / found[one]:5.2f}")
    print(f"{path.name:40} taken: {best_threads(str(path))} of {default_threads()}")


def main() -> None:
    """All models."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--most", type=int, default=physical_cores())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quiet", type=float, default=float("inf"), help="of a processor that others may take")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(clip)
        for path in given.models:
            compare(path, clip, list(range(1, given.most + 1)), given.rounds, given.quiet)


if __name__ == "__main__":
    main()
