"""Runs a foreign program that may take long, print anything, or never end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

OUTPUT = "output.txt"
MOST_OUTPUT = 32 * 2**20
"""Bytes that a program may print before it is taken for one that never stops."""
TICK_SECONDS = 0.2
END_SECONDS = 5.0

Tick = Callable[[float], None]
"""Told from time to time how many seconds have passed."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a program.

    Attributes:
        code: Exit code; negative for the signal that ended it; None where it was cut short.
        output: Both of its output streams together.
        seconds: How long it ran.
        limit: Which limit cut it short; empty where none did.
    """

    code: int | None
    output: str
    seconds: float
    limit: Literal["", "time", "output"] = ""


def run(
    command: Sequence[str], folder: Path, *, seconds: float, tick: Tick | None = None,
    stop: Callable[[], None] | None = None,
) -> Ran:
    """Run a program in a folder; nothing of it outlives the call, however the call ends.

    Args:
        command: Program and arguments.
        folder: Where it runs; its output is kept there in a file, since a pipe would be held open by a grandchild.
        seconds: Time limit.
        tick: Told of the time that has passed.
        stop: Called where the program is cut short, for what killing it does not end.

    Raises:
        OSError: it cannot be started.
    """
    started = time.monotonic()
    child: subprocess.Popen[bytes] | None = None
    output = folder / OUTPUT
    try:
        with output.open("wb") as file, signals_deferred():  # a child that starts as a signal comes would outlive it
            child = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
        code, limit = _wait(child, output, started, seconds, tick)
    finally:
        if child is not None and child.returncode is None:
            _end(child)
            if stop:
                stop()
    return Ran(code, _read(output), time.monotonic() - started, limit)


def _wait(
    child: subprocess.Popen[bytes], output: Path, started: float, seconds: float, tick: Tick | None
) -> tuple[int | None, Literal["", "time", "output"]]:
    while (left := started + seconds - time.monotonic()) > 0:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(min(TICK_SECONDS, left)), ""
        if output.stat().st_size > MOST_OUTPUT:
            return None, "output"
        if tick:
            tick(time.monotonic() - started)
    return None, "time"


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the program and all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        child.wait(END_SECONDS)


def _read(output: Path) -> str:
    with output.open("rb") as file:
        return file.read(MOST_OUTPUT).decode("utf-8", "replace")


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Hold back Ctrl-C and a supervisor's stop until the block is over."""
    if threading.current_thread() is not threading.main_thread():  # signals interrupt the main thread alone
        yield
        return
    came: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for held in came[:1]:
            signal.raise_signal(held)
