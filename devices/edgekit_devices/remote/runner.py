"""A runner whose model is in a child process."""

from __future__ import annotations

import json
import mmap
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DeviceError, HungError
from edgekit_devices import isolation
from edgekit_devices.remote.child import RESET, RUN
from edgekit_devices.remote.layout import Layout

CHILD = "edgekit_devices.remote.child"
END_SECONDS = 1.0
"""Longest wait for a child to let go of its device when it is not needed any more."""
CHUNK = 1 << 16


class RemoteRunner:
    """Runs a model in a child process: as `edgekit.interpreter.Engine`, and it may hang or crash.

    Args:
        name: The device in the user's words, for messages.
        function: `module:name` of what opens the model in the child. It is called with a
            `edgekit_devices.isolation.Say` and the arguments by name, and returns a
            `child.Served`, such as an Engine, and what JSON can hold.
        arguments: What JSON can hold.
        open_seconds: Time limit for that, from the start of the child, which takes 0.1 to 0.5 s itself.
        seconds: Time limit for one inference.

    Attributes:
        facts: What the function returned besides the engine.
        threads: Threads of the processor that it may use.

    Raises:
        EdgeKitError: as the function raised it.
        isolation.CrashedError: the child died, or the function raised something else.
        isolation.HungError: it took longer.
    """

    keeps_limit = True
    """It raises `HungError` itself."""

    def __init__(
        self, name: str, function: str, arguments: Mapping[str, Any], *, open_seconds: float, seconds: float
    ) -> None:
        self._name, self._seconds, self._lock = name, seconds, threading.Lock()
        self._child = _Child([function, json.dumps(dict(arguments)), str(open_seconds), str(seconds)])
        # Also at the end of the process, so that the device is free when that is over.
        self._finalizer = weakref.finalize(self, self._child.end)
        try:
            ready, file = self._child.await_ready(open_seconds)
        except BaseException:
            self._child.kill()
            raise
        self.facts, self.threads = ready["ready"], int(ready["threads"])
        self._file = file
        weakref.finalize(self, os.close, file)
        self._inputs = Layout.parse(ready["inputs"])
        self._outputs = Layout((), self._inputs.end)
        self._map()

    def _map(self) -> None:
        memory = mmap.mmap(self._file, 0)
        self._given, self._taken = self._inputs.views(memory), self._outputs.views(memory)

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """As `Engine.run`.

        Raises:
            HungError: it gave no answer within the time limit; the child is dead then.
            DeviceError: it failed, or the child is dead.
        """
        with self._lock:
            for place, array in zip(self._given, inputs, strict=True):
                if array.shape != place.shape or array.dtype != place.dtype:
                    raise ValueError(f"{array.dtype}{list(array.shape)} for {place.dtype}{list(place.shape)}")
                np.copyto(place, array)
            answer = self._ask(RUN)
            if "outputs" in answer:
                self._outputs = Layout.parse(answer["outputs"], self._inputs.end)
                self._map()
            return [array.copy() for array in self._taken]

    def reset(self) -> None:
        """Forget what the network's variables hold.

        Raises:
            DeviceError: as in `run`.
        """
        with self._lock:
            self._ask(RESET)

    def close(self) -> None:
        """End the child."""
        self._finalizer()

    def _ask(self, command: bytes) -> dict[str, Any]:
        try:
            answer = self._child.ask(command, self._seconds)
        except isolation.HungError as error:
            raise HungError(f"{self._name} {error.how}", hint=error.log) from error
        except isolation.CrashedError as error:
            raise DeviceError(f"{self._name} {error.how}", hint=error.log) from error
        isolation.raise_error(answer)
        return answer


class _Child:
    """The process, and what it says. One that gave no answer once is killed: the next answer could be the last one's.

    Args:
        arguments: Of its command line, behind the number of the socket.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, "-m", CHILD, str(theirs.fileno()), *arguments]
        # As in `isolation.call`: Ctrl-C reaches the parent alone, and nothing stands in for a library.
        try:
            with theirs:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    start_new_session=True, pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONSAFEPATH": "1"},
                )
        except OSError as error:
            raise isolation.CrashedError("", "could not be started", str(error)) from error
        assert self._process.stdout is not None
        self._log = _Log(self._process.stdout)
        self._said = bytearray()
        self._files: list[int] = []

    def await_ready(self, seconds: float) -> tuple[dict[str, Any], int]:
        """What it says once the model is open, and the file of the shared memory."""
        until, step = time.monotonic() + seconds, ""
        while True:
            line = self._line(until - time.monotonic(), step, f"did not answer within {seconds:g} s")
            if "ready" in line:
                return line, self._files.pop()
            isolation.raise_error(line)
            step = line["step"]

    def ask(self, command: bytes, seconds: float) -> dict[str, Any]:
        """What it says to a command."""
        try:
            with suppress(OSError):  # it is dead, as is seen at once
                self._socket.sendall(command)
            line = self._line(seconds, "", f"did not answer within {seconds:g} s")
        except BaseException:
            self.kill()
            raise
        self._log.drain()
        return line

    def _line(self, seconds: float, step: str, hung: str) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while b"\n" not in self._said:
            self._log.drain()
            try:
                self._socket.settimeout(max(1e-3, until - time.monotonic()))
                data, found, *_ = socket.recv_fds(self._socket, CHUNK, 1)
            except TimeoutError:
                raise isolation.HungError(step, hung, self._log.last()) from None
            except OSError:
                data, found = b"", []
            if not data:
                raise isolation.CrashedError(step, self._how_it_ended(), self._log.last())
            self._said += data
            self._files += found
        line, _, self._said = self._said.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        if self._process.poll() is None:
            return "closed its connection"
        return isolation.end_of(self._process.returncode)

    def end(self) -> None:
        """Let it let go of its device, and end it."""
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it now."""
        self._socket.close()
        isolation.end_child(self._process)


class _Log:
    """What the child prints: read, so that it need not wait, and the last of it kept for messages."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._kept = stream, b""
        os.set_blocking(stream.fileno(), False)

    def drain(self) -> None:
        """Read what there is."""
        while not self._stream.closed:
            try:
                data = os.read(self._stream.fileno(), CHUNK)
            except BlockingIOError:
                return
            if not data:
                return
            self._kept = (self._kept + data)[-CHUNK:]

    def last(self) -> str:
        """The last line that is more than mere information."""
        self.drain()
        return isolation.last_line(self._kept)
