"""Waits for native code no longer than a limit.

What hangs in this process cannot be stopped. It is called in a thread of its own, and where it gives no answer, thread
and device are left as they are: a daemon thread, which keeps no process from ending.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar, cast

from edgekit.errors import HungError

if TYPE_CHECKING:  # numpy too: the command works where it cannot be imported, and tells so (edgekit doctor)
    from numpy.typing import NDArray

    from edgekit.device import Runner

T = TypeVar("T")

_left: set[Job] = set()


def left_behind() -> set[Job]:
    """The calls that still are in native code, which may not survive the ordinary end of the process."""
    return set(_left)


class Job:
    """A call in another thread, and what came of it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call: Callable[[], Any] | None = call
        self._outcome = SimpleQueue[tuple[Any, BaseException | None]]()
        self._is_over = False

    def carry_out(self) -> None:
        """In that thread."""
        assert self._call is not None
        value, failure = None, None
        try:
            value = self._call()
        except BaseException as error:  # raised again where it is waited for
            failure = error
        self._call = None  # whoever gets the answer may be the only one to hold the device
        self._outcome.put((value, failure))
        self._is_over = True
        _left.discard(self)

    def result(self, name: str, seconds: float) -> Any:
        """What it returned, or raised.

        Raises:
            HungError: it did not come to an end within so many seconds.
        """
        try:
            value, error = self._outcome.get(timeout=seconds)
        except BaseException as error:  # also Ctrl-C: who has no patience may have waited for what hangs
            _left.add(self)
            if self._is_over:
                _left.discard(self)
            if isinstance(error, Empty):
                raise HungError(f"{name} did not answer within {seconds:g} s") from None
            raise
        if error is not None:
            raise error
        return value


class Watched:
    """A runner that raises `HungError` where another one would not come back.

    Its thread starts with the first run and ends with this object. What a run hands over costs is in docs/devices.md.

    Args:
        name: The device, for messages.
        runner: What may hang.
        seconds: Time limit for one run.
    """

    def __init__(self, name: str, runner: Runner, seconds: float) -> None:
        self._name, self._runner, self._seconds = name, runner, seconds
        self._jobs = SimpleQueue[Job | None]()
        self._thread: threading.Thread | None = None

    @property
    def threads(self) -> int:
        """Threads of the processor that it may use."""
        return self._runner.threads

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """As the runner.

        Raises:
            HungError: it gave no answer within the time limit. It must not be used any more.
            DeviceError: the device failed.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name=f"edgekit {self._name}", daemon=True)
            self._thread.start()
            weakref.finalize(self, self._jobs.put, None).atexit = False
        runner = self._runner
        job = Job(lambda: runner.run(inputs))
        self._jobs.put(job)
        return cast("list[NDArray[Any]]", job.result(self._name, self._seconds))

    def reset(self) -> None:
        """As the runner."""
        self._runner.reset()


def _work(jobs: SimpleQueue[Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job.carry_out()


def within(seconds: float, name: str, call: Callable[[], T]) -> T:
    """What a call returns.

    Raises:
        HungError: it did not return within so many seconds.
    """
    job = Job(call)
    threading.Thread(target=job.carry_out, name=f"edgekit opens {name}", daemon=True).start()
    return cast("T", job.result(name, seconds))
