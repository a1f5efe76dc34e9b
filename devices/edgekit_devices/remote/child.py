"""The child of `edgekit_devices.remote.runner`: opens a model, and runs it whenever it is told to.

On its socket it says line by line, as JSON, what it does while it opens the model (`step`), what is wrong (`error`), or
that it is `ready`, with which the shared memory is handed over. From then on it is sent a letter for each thing to do.
"""

from __future__ import annotations

import importlib
import json
import math
import mmap
import os
import resource
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from edgekit.errors import DeviceError, EdgeKitError
from edgekit_devices.remote.layout import Layout

RUN, RESET = b"r", b"z"
STDERR = 2
SHARED_MEMORY = "/dev/shm"
GRACE_SECONDS = 5.0
"""How much later than its parent would the child ends itself, where the parent was killed and cannot."""


class Served(Protocol):
    """What the function returns to be run here; `edgekit.interpreter.Engine` is one."""

    @property
    def threads(self) -> int:
        """Threads of the processor that it may use."""

    def zeros(self) -> list[NDArray[Any]]:
        """Arrays of the shapes and types that the inputs have."""

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """As in `edgekit.device.Runner`."""

    def reset(self) -> None:
        """As in `edgekit.device.Runner`."""


def main() -> None:
    """Serve one parent; the command line has the socket's number, the function, its arguments and the time limits."""
    number, function, arguments, open_seconds, seconds = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.set_blocking(STDERR, False)  # what libraries print is lost rather than waited with, where nobody reads it
    for stopping in (signal.SIGTERM, signal.SIGHUP):  # a supervisor sends them to all; this one ends with its parent
        signal.signal(stopping, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # nothing handles it: it ends native code that hangs, too
    parent = _Parent(socket.socket(fileno=int(number)))
    module, _, name = function.partition(":")
    _limit(float(open_seconds))
    try:
        engine, facts = getattr(importlib.import_module(module), name)(parent.say, **json.loads(arguments))
        server = _Server(engine, parent, float(seconds))
    except EdgeKitError as error:
        parent.send(error=[type(error).__name__, error.message, error.hint])
    else:
        server.start(facts)
        _limit(0)
        server.serve()
        _limit(GRACE_SECONDS)
        del server, engine  # lets go of the device
    os._exit(0)


def _limit(seconds: float) -> None:
    """End this process unless it gets on; 0 for no limit."""
    signal.alarm(math.ceil(seconds + GRACE_SECONDS) if seconds else 0)


def _memory_file() -> int:
    """A file in memory that goes with its last user; not every Python has the kernel's own call for it."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("edgekit tensors")
    with tempfile.TemporaryFile(dir=SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None) as file:
        return os.dup(file.fileno())


class _Parent:
    """The other end of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def say(self, step: str) -> None:
        self.send(step=step)

    def send(self, **entry: object) -> None:
        self.connection.sendall(json.dumps(entry).encode() + b"\n")


class _Server:
    """Runs the model on tensors in shared memory."""

    def __init__(self, engine: Served, parent: _Parent, seconds: float) -> None:
        self._engine, self._parent, self._seconds = engine, parent, seconds
        self._inputs = Layout.of(engine.zeros())
        self._outputs = Layout((), self._inputs.end)
        self._file = _memory_file()
        os.ftruncate(self._file, max(1, self._inputs.end))
        self._memory = mmap.mmap(self._file, 0)
        self._arrays, self._places = self._inputs.views(self._memory), list[NDArray[Any]]()

    def start(self, facts: object) -> None:
        """Hand over the memory, with what the parent has to know."""
        ready = {"ready": facts, "inputs": self._inputs.forms, "threads": self._engine.threads}
        socket.send_fds(self._parent.connection, [json.dumps(ready).encode() + b"\n"], [self._file])

    def serve(self) -> None:
        """Until the parent goes."""
        while command := self._parent.connection.recv(1):
            _limit(self._seconds)
            try:
                self._parent.send(**(self._run() if command == RUN else self._reset()))
            except DeviceError as error:
                self._parent.send(error=[type(error).__name__, error.message, error.hint])
            except BrokenPipeError:
                return
            _limit(0)

    def _run(self) -> dict[str, object]:
        """Run once; says where the outputs lie where that is not where they were."""
        outputs = self._engine.run(self._arrays)
        layout = Layout.of(outputs, self._inputs.end)
        told: dict[str, object] = {}
        if layout != self._outputs:
            self._make_room(layout)
            told["outputs"] = layout.forms
        for place, output in zip(self._places, outputs, strict=True):
            place[...] = output
        return told

    def _make_room(self, layout: Layout) -> None:
        if layout.end > len(self._memory):
            os.ftruncate(self._file, layout.end)
            self._memory = mmap.mmap(self._file, 0)  # the same memory, and more behind it
            self._arrays = self._inputs.views(self._memory)
        self._outputs, self._places = layout, layout.views(self._memory)

    def _reset(self) -> dict[str, object]:
        self._engine.reset()
        return {}


if __name__ == "__main__":
    main()
