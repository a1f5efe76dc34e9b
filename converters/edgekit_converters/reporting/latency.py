"""How long a run takes: measured on this machine, and estimated for boards by published figures."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.cli.terminal import without_chatter
from edgekit.interpreter import Engine

RUNS, WARM_UP = 50, 5
MOST_SECONDS = 5.0
_MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True)
class MeasuredLatency:
    """The network alone, on zeros, in milliseconds; preparing samples and reading results are not counted.

    Attributes:
        median: Of all runs; `percentile_95` and `shortest` alike.
        runs: How many, after some that are not counted.
        threads: Of the processor.
        machine: Which processor, in words.
    """

    median: float
    percentile_95: float
    shortest: float
    runs: int
    threads: int
    machine: str

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()}


def measure_latency(model: Path, *, threads: int | None = None) -> MeasuredLatency:
    """Run a model on this machine's processor, 50 times or for 5 seconds.

    Raises:
        ModelFileError: the runtime cannot run it, such as one that was compiled for an accelerator.
        DeviceError: it fails while running.
    """
    with without_chatter():
        engine = Engine(model, threads=threads)
    for _ in range(WARM_UP):
        engine.run_zeros()
    took: list[float] = []
    end = time.monotonic() + MOST_SECONDS
    while len(took) < RUNS and (not took or time.monotonic() < end):
        started = time.perf_counter()
        engine.run_zeros()
        took.append((time.perf_counter() - started) * _MILLISECONDS)
    median, slow = (float(value) for value in np.percentile(took, (50, 95)))
    return MeasuredLatency(median, slow, min(took), len(took), engine.threads, _machine())


def _machine() -> str:
    return f"{_processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores, {platform.system()}"


def _processor() -> str:
    """The processor's name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A latency that nobody measured.

    Attributes:
        board: What it is for.
        milliseconds: By multiply-accumulates alone, from the published figure of another network.
        source: Where that figure stands.
    """

    board: str
    milliseconds: float
    source: str


def estimates(macs: int, precision: str) -> tuple[Estimate, ...]:
    """What published figures lead one to expect on boards: for int8 networks with arithmetic, else nothing.

    Args:
        macs: Multiply-accumulates of a run.
        precision: Of the model.
    """
    if precision != "int8" or macs <= 0:
        return ()
    known = json.loads(Path(__file__).with_name("published_latencies.json").read_text(encoding="utf-8"))
    share = macs / known["macs"]
    return tuple(
        Estimate(entry["board"], round(entry["milliseconds"] * share, 3), entry["source"]) for entry in known["boards"]
    )
