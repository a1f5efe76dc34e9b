"""A subject and the process that measures it, seen from outside."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from edgekit import errors
from edgekit.errors import DeviceError, EdgeKitError
from edgekit_devices.bench.processes import peak_memory
from edgekit_devices.bench.types import Measured, Opening, Operation, Operations, Round, Subject

WORKER = "edgekit_devices.bench.worker"
OPEN_SECONDS = 300.0
"""Longest that opening may take: a delegate may compile the model first, and `auto` tries several devices."""
GRACE_SECONDS = 60.0
"""How much longer than asked for a round may take: one inference that is slow ends it late."""
END_SECONDS = 5.0
CHATTER = "INFO:"


class Contender:
    """One subject in a process of its own.

    Args:
        subject: What it is to measure.

    Attributes:
        measured: What is known so far.
    """

    def __init__(self, subject: Subject) -> None:
        self.measured = Measured(subject)
        self._log = os.fdopen(os.memfd_create("edgekit bench"), "w+b")  # a device need not have a place for files
        self._child: subprocess.Popen[bytes] | None = None
        self._rest = b""

    @property
    def running(self) -> bool:
        """Whether it has not failed."""
        return not self.measured.error

    def open(self) -> None:
        """Start the process, and load the model in it.

        Raises:
            EdgeKitError: as `edgekit.load` raises it.
            DeviceError: the process crashed, or gave no answer.
        """
        # A session of its own: Ctrl-C reaches the parent alone. PYTHONSAFEPATH: nothing in the working folder may stand
        # in for a library.
        self._child = subprocess.Popen(
            [sys.executable, "-m", WORKER, json.dumps(asdict(self.measured.subject))], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._log, start_new_session=True,
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )
        self.measured.opening = Opening(**self._ask("open", OPEN_SECONDS))

    def warm_up(self, seconds: float, runs: int) -> None:
        """Run without measuring, for a tenth of what is going to be measured.

        Raises:
            DeviceError: it failed.
        """
        self._ask("warm_up", seconds + GRACE_SECONDS, seconds=seconds, runs=runs)

    def run(self, seconds: float, runs: int) -> None:
        """Measure one round: so many runs, or for so long where that is 0.

        Raises:
            DeviceError: it failed.
        """
        value = self._ask("run", seconds + GRACE_SECONDS, seconds=seconds, runs=runs)
        self.measured.memory_peak = max(self.measured.memory_peak, peak_memory(self._process.pid))
        taken = self.measured.opening.device if self.measured.opening else ""
        if value["device"] != taken:
            raise DeviceError(f"{taken} failed and {value['device']} took over: the figures would be of both")
        self.measured.rounds.append(Round({stage: tuple(times) for stage, times in value["times"].items()}))

    def operations(self, seconds: float, runs: int) -> None:
        """Time each operation alone.

        Raises:
            DeviceError: it failed.
        """
        value = self._ask("operations", seconds + GRACE_SECONDS, seconds=seconds, runs=runs)
        self.measured.no_operations = value.get("why", "")
        if "operations" in value:
            each = tuple(Operation(**{**one, "shape": tuple(one["shape"])}) for one in value["operations"]["each"])
            self.measured.operations = Operations(each, value["operations"]["whole_ms"])

    def close(self) -> None:
        """End the process, and what it started."""
        self._log.close()
        if self._child is None:
            return
        if self._child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(END_SECONDS)
        for pipe in (self._child.stdin, self._child.stdout):
            with suppress(OSError):  # what could not be written any more
                assert pipe
                pipe.close()

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self._child, "it is asked before it is opened"
        return self._child

    def _ask(self, order: str, limit: float, **arguments: Any) -> Any:
        """Give an order and wait for the answer."""
        orders = self._process.stdin
        assert orders
        with suppress(BrokenPipeError):  # it died, which is told below
            orders.write(json.dumps({"do": order, **arguments}).encode() + b"\n")
            orders.flush()
        said = json.loads(self._line(order, time.monotonic() + limit, limit))
        self._note(said["notes"])
        if "error" in said:
            raise _error(*said["error"])
        return said["value"]

    def _note(self, notes: list[str]) -> None:
        known = self.measured.notes
        known += [note for note in dict.fromkeys(notes) if note not in known]

    def _line(self, order: str, due: float, limit: float) -> bytes:
        assert self._process.stdout
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            ready, _, _ = select.select([pipe], [], [], max(0.0, due - time.monotonic()))
            if not ready:
                raise errors.HungError(f"no answer within {limit:g} s (order: {order})")
            more = os.read(pipe, 1 << 20)
            if not more:
                raise DeviceError(f"its process {self._end()} (order: {order})", hint=self._last_words())
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _end(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        code = self._process.returncode or 0
        return f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = [line.strip() for line in self._log.read().decode("utf-8", "replace").splitlines()]
        return next((line for line in reversed(lines) if line and not line.startswith(CHATTER)), "")


def _error(kind: str, message: str, hint: str) -> EdgeKitError:
    error: EdgeKitError = getattr(errors, kind, DeviceError)(message, hint=hint)
    return error
