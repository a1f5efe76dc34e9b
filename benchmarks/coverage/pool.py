"""Worker processes, each with one case at a time; one that dies costs no more than its case."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from benchmarks.coverage.outcome import Outcome, from_json

ROOT = Path(__file__).resolve().parents[2]


class _Worker:
    """A process, started when the first case comes and again after it died."""

    def __init__(self, group: str, old_python: str, log: IO[bytes], *, one_case: bool) -> None:
        self._command = [sys.executable, "-m", "benchmarks.coverage.worker", group, *([old_python] * bool(old_python))]
        self._log, self._one_case = log, one_case
        self._process: subprocess.Popen[str] | None = None

    def measure(self, name: str) -> Outcome:
        process = self._process or subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, cwd=ROOT
        )
        self._process = process
        assert process.stdin and process.stdout
        process.stdin.write(name + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            code = process.wait()
            self._process = None
            return Outcome(name, error=f"the process that builds and saves the model ended with {code}", crashed=True)
        if self._one_case:
            self.close()
        return from_json(json.loads(answer))

    def close(self) -> None:
        if self._process:
            self._process.communicate()
            self._process = None


def measure_all(
    group: str, names: Sequence[str], *, workers: int, old_python: str, log: IO[bytes],
    report: Callable[[Outcome], None],
) -> list[Outcome]:
    """Measure cases, several at a time.

    Args:
        group: Of the corpus.
        names: Cases, started in this order.
        workers: How many processes.
        old_python: A Python with tflite-runtime; or empty.
        log: Gets what the processes print.
        report: Called with each outcome as it comes, by one thread at a time.

    Returns:
        The outcomes, in the order in which they came.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in names:
        waiting.put(name)
    found: list[Outcome] = []
    lock = threading.Lock()

    def work() -> None:
        # Architectures are large: their memory comes back for certain when the process ends.
        worker = _Worker(group, old_python, log, one_case=group == "applications")
        try:
            while True:
                outcome = worker.measure(waiting.get_nowait())
                with lock:
                    found.append(outcome)
                    report(outcome)
        except queue.Empty:
            worker.close()

    threads = [threading.Thread(target=work) for _ in range(min(workers, len(names)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
