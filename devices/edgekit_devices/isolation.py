"""Calls a function in a child process: a native library of the wrong build crashes or hangs instead of failing.

For any delegate. The child does with the library what is going to be done with it, and only then the process itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from edgekit import errors
from edgekit.errors import DeviceError, EdgeKitError

Say = Callable[[str], None]
"""Told by the function what it does next, for the message where it comes no further."""

CHILD = "edgekit_devices.isolated"
CHATTER = "INFO:"
CRASHED = "crashed"
ASK_SECONDS, TICK_SECONDS = 1.0, 0.02
"""For so long a child that is asked to end may take to do so; so often it is looked whether it has."""
END_SECONDS = 5.0
"""Longest wait for a child that was killed: one that is stuck in a driver cannot be."""


class ChildError(DeviceError):
    """A child process that gave no answer.

    Attributes:
        step: What it did when that happened; empty where it had not come to anything.
        how: `crashed (SIGSEGV)`, `ended with exit code 3` or `did not answer within 30 s`.
        log: The last line that it printed on the standard error, but for what is mere information.
    """

    def __init__(self, step: str, how: str, log: str) -> None:
        super().__init__(f"the child process {how}{f' while {step}' if step else ''}", hint=log)
        self.step, self.how, self.log = step, how, log


class CrashedError(ChildError):
    """A child process that died, or that could not be started."""

    @property
    def signalled(self) -> bool:
        """Whether native code brought it down, rather than an error that Python tells."""
        return self.how.startswith(CRASHED)


class HungError(ChildError, errors.HungError):
    """A child process that was killed at its time limit."""


_running: set[subprocess.Popen[bytes]] = set()


def end_all() -> None:
    """End the children that run now: they are asked to, and killed soon after where they do not.

    Who waits for one, in another thread, gets a `CrashedError`.
    """
    children, late = tuple(_running), time.monotonic() + ASK_SECONDS
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in children:
            if child.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, number)
        while any(child.poll() is None for child in children) and time.monotonic() < late:
            time.sleep(TICK_SECONDS)


def call(function: str, arguments: Mapping[str, Any], *, seconds: float) -> Any:
    """Call a function in a child process of its own.

    Args:
        function: `module:name`, called with a `Say` and the arguments by name.
        arguments: What JSON can hold.
        seconds: Time limit, from the start of the child, which takes 0.1 to 0.5 s itself.

    Returns:
        What the function returned, as it comes through JSON.

    Raises:
        EdgeKitError: as the function raised it.
        CrashedError: the child died, or the function raised something else.
        HungError: it took longer.
    """
    command = [sys.executable, "-m", CHILD, function, json.dumps(dict(arguments)), str(seconds + END_SECONDS)]
    # A session of its own: Ctrl-C reaches the parent alone, which ends the child. PYTHONSAFEPATH: nothing in the
    # working folder may stand in for a library.
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )
    except OSError as error:  # for want of memory, or of a Python to start where that is part of another program
        raise CrashedError("", "could not be started", str(error)) from error
    _running.add(child)
    try:
        out, log = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as expired:
        answer = _Answer(expired.stdout or b"")
        raise HungError(answer.step, f"did not answer within {seconds:g} s", last_line(expired.stderr or b"")) from None
    finally:
        _running.discard(child)
        end_child(child)
    answer = _Answer(out)
    if not answer.complete:
        raise CrashedError(answer.step, end_of(child.returncode), last_line(log))
    return answer.value()


class _Answer:
    """What a child wrote: a JSON object a line, the last of them with its value or error."""

    def __init__(self, out: bytes) -> None:
        said = [json.loads(line) for line in out.splitlines(keepends=True) if line.endswith(b"\n")]
        self.step = next((entry["step"] for entry in reversed(said) if "step" in entry), "")
        self._last: dict[str, Any] = said[-1] if said else {}

    @property
    def complete(self) -> bool:
        return "value" in self._last or "error" in self._last

    def value(self) -> Any:
        raise_error(self._last)
        return self._last["value"]


def raise_error(said: Mapping[str, Any]) -> None:
    """Raise the error that a child told, if it told one."""
    if "error" in said:
        kind, message, hint = said["error"]
        error: EdgeKitError = getattr(errors, kind, DeviceError)(message, hint=hint)
        raise error


def end_of(code: int) -> str:
    """How a child ended, from its exit code."""
    return f"{CRASHED} ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"


def last_line(log: bytes) -> str:
    """The last line that a child printed, but for what is mere information."""
    lines = [line.strip() for line in log.decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith(CHATTER)), "")


def end_child(child: subprocess.Popen[bytes]) -> None:
    """Kill a child, unless it has ended, and close its pipes."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            child.wait(END_SECONDS)
    for pipe in (child.stdout, child.stderr):
        if pipe:
            pipe.close()
