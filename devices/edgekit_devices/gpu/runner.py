"""A model on the GPU, in a process that is replaced when it dies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from edgekit.device import Tell
from edgekit.errors import DeviceError, HungError
from edgekit_devices.gpu import diagnosis
from edgekit_devices.remote.runner import RemoteRunner

ATTEMPTS = 3
"""How many processes are given an input before it is taken for what brings them down."""


class GpuRunner:
    """Runs a model in another process; where that dies, in the next one, on the same input.

    Nothing of a model that can run on a GPU outlives a run, so the answer is the same. A process that hangs is not
    replaced: `HungError` leaves that to whoever asked.

    Args:
        name: The device in the user's words.
        first: The model, opened.
        again: Opens it in another process.
        tell: Told of each process that is replaced.
    """

    keeps_limit = True
    """It raises `HungError` itself."""

    def __init__(self, name: str, first: RemoteRunner, again: Callable[[], RemoteRunner], tell: Tell) -> None:
        self.threads = first.threads
        self._name, self._again, self._tell = name, again, tell
        self._remote: RemoteRunner | None = first
        self._lock = threading.Lock()

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """As `edgekit.interpreter.Engine.run`.

        Raises:
            HungError: no answer within the time limit.
            DeviceError: the process died, or said that the GPU failed, each time.
        """
        with self._lock:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    return self._alive().run(inputs)
                except DeviceError as error:
                    self._drop()
                    if isinstance(error, HungError):
                        raise
                    if attempt == ATTEMPTS:
                        raise diagnosis.died_again(self._name, ATTEMPTS, error) from error
                    self._tell("reloaded", f"{error.message}; another process has the same input now")
                except (KeyboardInterrupt, SystemExit):  # it left the process in the middle of a run
                    self._drop()
                    raise
        raise AssertionError("unreachable")

    def _alive(self) -> RemoteRunner:
        if self._remote is None:
            self._remote = self._again()
        return self._remote

    def _drop(self) -> None:
        if self._remote is not None:
            self._remote.close()
        self._remote = None

    def reset(self) -> None:
        """Nothing outlives a run."""

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._drop()
