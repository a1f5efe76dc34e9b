"""Ends a command that a supervisor or a closed terminal stops as Ctrl-C ends it: everything it opened is let go of."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STOPPING = (signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asked the process to end. As with `KeyboardInterrupt`, nothing but the command line catches it.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    # A second one must not cut short the cleaning up that the first one began.
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` for signals that end a process, but for those that it was started to ignore (`nohup`)."""
    if threading.current_thread() is not threading.main_thread():  # no other may handle signals
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
