"""A race: several ways to run one network, timed by turns, so that a busy machine slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

LEAST_ROUNDS, MOST_ROUNDS = 3, 50
SECONDS = 0.25
"""After these a race is over, once it had its least rounds."""
MOST_SECONDS = 3.0
"""After these it is over in any case, once each had a turn."""


def race(ways: Mapping[str, Callable[[], object]], clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """Run each once to warm it up, and then by turns.

    Returns:
        Milliseconds that a run of each takes: the median of its turns.
    """
    for run in ways.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in ways}
    started = now = clock()
    for number in range(MOST_ROUNDS):
        if now - started > (SECONDS if number >= LEAST_ROUNDS else MOST_SECONDS if number else float("inf")):
            break
        for name, run in ways.items():
            before = clock()
            run()
            now = clock()
            times[name].append(now - before)
    return {name: float(np.median(found)) * 1000 for name, found in times.items()}
