"""How long `import edgekit` takes, against what every program that runs a model has to import anyway.

    python benchmarks/import_time.py [RUNS]

Each import is timed in a process of its own, by turns, so that a busy machine slows all alike. Bytecode is kept
in a folder of the benchmark's own, as an installed package has it; the first round fills it and does not count.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

STATEMENTS = {
    "edgekit": "import edgekit",
    "numpy and interpreter": "import numpy, ai_edge_litert.interpreter",
    "numpy": "import numpy",
}
DEFAULT_RUNS = 15
TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def seconds(statement: str, bytecode: str) -> float:
    """Time of one import in a new process, without the start of Python itself."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", TIMED.format(statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def main(runs: int) -> None:
    """Print the median time of each, and the ratio of edgekit's to the others'."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    with tempfile.TemporaryDirectory() as bytecode:
        for _ in range(1 + runs):
            for name, statement in STATEMENTS.items():
                times[name].append(seconds(statement, bytecode))
    medians = {name: statistics.median(found[1:]) for name, found in times.items()}
    for name, median in medians.items():
        print(f"{name:22} {median * 1000:7.1f} ms   edgekit takes {medians['edgekit'] / median:.2f} of it")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_RUNS)
