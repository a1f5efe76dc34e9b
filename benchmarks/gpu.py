"""What it costs to have the GPU's runtime in a process of its own, and what it saves.

    VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json python -m benchmarks.gpu MODEL.tflite [--rounds N]

Three ways by turns, in one run: the processor (`cpu`), LiteRT's CompiledModel on the GPU in this process, as its
documentation has it, and the device `gpu`, which has the same in a child process. For each, the time of an inference,
and how long a thread of this process that sleeps for 1 ms takes to come back meanwhile: with nothing else to do it
takes some 1.06 ms. Last, a network of one subtraction of three numbers, whose time is that of the call. What else runs
on the machine only adds to a time, so that beside the median the shortest one counts.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgekit
from edgekit.interpreter import default_threads
from edgekit.tflite import read_model
from edgekit_devices.gpu.engine import GpuEngine
from tests.tiny_models import one_operator, pack

TICK_SECONDS = 1e-3
CALLS = 500
WARM_UP = 3

Way = Callable[[list[NDArray[Any]]], Any]


class Ticks:
    """Measures in a thread how long sleeping takes, while the context lasts."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick)

    def _tick(self) -> None:
        while not self._over.is_set():
            started = time.perf_counter()
            time.sleep(TICK_SECONDS)
            self.milliseconds.append((time.perf_counter() - started) * 1e3)

    def __enter__(self) -> Ticks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def ways(model: Path) -> tuple[dict[str, Way], list[NDArray[Any]]]:
    """What runs the model, by name, and its inputs."""
    warnings.simplefilter("ignore")
    cpu, gpu = edgekit.load(model, device="cpu"), edgekit.load(model, device="gpu")
    here = GpuEngine(read_model(model), threads=default_threads(), exact=False)
    random = np.random.default_rng(0)
    inputs = [(random.random(tensor.shape) * 100).astype(tensor.dtype) for tensor in cpu.inputs]
    return {
        "cpu": lambda arrays: cpu.tensors(*arrays),
        "gpu, in this process": here.run,
        "gpu": lambda arrays: gpu.tensors(*arrays),
    }, inputs


def timed(way: Way, inputs: list[NDArray[Any]], calls: int) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for _ in range(calls):
        started = time.perf_counter()
        way(inputs)
        found.append((time.perf_counter() - started) * 1e3)
    return found


def compare(model: Path, rounds: int) -> None:
    """Print the first table."""
    runs, inputs = ways(model)
    for way in runs.values():
        timed(way, inputs, WARM_UP)
    took: dict[str, list[float]] = {name: [] for name in runs}
    ticks: dict[str, list[float]] = {name: [] for name in ("nothing", *runs)}
    for _ in range(rounds):
        for name, way in runs.items():
            with Ticks() as thread:
                took[name] += timed(way, inputs, 1)
            ticks[name] += thread.milliseconds[:-1] or thread.milliseconds
        with Ticks() as thread:
            time.sleep(0.1)
        ticks["nothing"] += thread.milliseconds
    print(f"{'ms':22} inference: {'median':>7} {'least':>7}   a 1 ms tick: {'median':>7} {'p99':>7} {'worst':>7}")
    for name, seen in ticks.items():
        spent = f"{statistics.median(took[name]):7.2f} {min(took[name]):7.2f}" if name in took else ""
        p99 = float(np.percentile(seen, 99))
        print(f"{name:22} {'':10} {spent:15} {'':14} {statistics.median(seen):8.2f} {p99:7.2f} {max(seen):7.2f}")
    own, here = took["gpu"], took["gpu, in this process"]
    print(f"an inference in its own process: {statistics.median(own) / statistics.median(here):.3f} times one in this "
          f"process by the medians, {min(own) / min(here):.3f} by the shortest")
    print(f"on this GPU: {min(own) / min(took['cpu']):.2f} times the processor's time")


def call_cost() -> None:
    """Print what a call costs where there is next to nothing to compute."""
    numbers = ("float32",)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sub.tflite"
        tensors = [(name, (1, 3), *numbers) for name in ("a", "b")]
        path.write_bytes(pack(one_operator("SUB", tensors, [("y", (1, 3), *numbers)])))
        runs, inputs = ways(path)
        found: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(10):
            for name, way in runs.items():
                found[name] += timed(way, inputs, CALLS // 10)
    for what, of in (("median", statistics.median), ("least", min)):
        shown = {name: of(seen) * 1e3 for name, seen in found.items()}
        print(f"a call, {what}:", *(f"{name} {took:.0f} us," for name, took in shown.items()),
              f"so its own process costs {shown['gpu'] - shown['gpu, in this process']:.0f} us")


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    compare(arguments.model, arguments.rounds)
    call_cost()


if __name__ == "__main__":
    main()
