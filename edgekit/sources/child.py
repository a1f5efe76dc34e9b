"""A child process whose standard output is a stream of pictures: ffmpeg, gst-launch-1.0, rpicam-vid.

What crashes in it does not crash us, it can always be ended, and no library's time-out has to be trusted.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from edgekit.errors import MissingDependencyError
from edgekit.sources.live import LinkError
from edgekit.uris import redacted

CHUNK = 1 << 18
MOST_WORDS = 4096
"""Bytes of what the child last said that are kept."""
END_SECONDS = 1.0
INTERRUPT_SECONDS = 0.1


def find_program(name: str, package: str) -> str:
    """Path of a program.

    Raises:
        MissingDependencyError: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise MissingDependencyError(
            f"this needs the program {name}, which is not on the PATH", hint=f"Install it: apt install {package}."
        )
    return path


class Child:
    """A child process that is read from with a time-out.

    Args:
        command: Program and arguments.
        seconds: Longest wait for the next bytes.
        first_seconds: Longest wait for the first ones, where that is another.

    Raises:
        LinkError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], seconds: float, first_seconds: float | None = None) -> None:
        self._name = Path(command[0]).name
        self._seconds, self._words = seconds, b""
        self._patience = seconds if first_seconds is None else first_seconds
        self._interrupted = False
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us, and its own children end with it
            )
        except OSError as error:
            raise LinkError(f"{command[0]} cannot be started: {error.strerror}") from error
        assert self._process.stdout
        assert self._process.stderr
        self._output, self._errors = self._process.stdout, self._process.stderr
        self._selector = selectors.DefaultSelector()
        for stream in (self._output, self._errors):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)

    def read(self) -> bytes:
        """What comes next; empty at the end.

        Raises:
            LinkError: nothing came in time.
        """
        self._wait()
        return os.read(self._output.fileno(), CHUNK)

    def read_into(self, view: memoryview) -> int:
        """Fill a buffer; returns how much of it, which is less at the end only.

        Raises:
            LinkError: nothing came in time.
        """
        filled = 0
        while filled < len(view):
            self._wait()
            count = os.readv(self._output.fileno(), [view[filled:]])
            if not count:
                break
            filled += count
        return filled

    def _wait(self) -> None:
        """Until there is output, or its end."""
        ends = time.monotonic() + self._patience
        while (left := ends - time.monotonic()) > 0 and not self._interrupted:
            ready = [key.fileobj for key, _ in self._selector.select(min(left, INTERRUPT_SECONDS))]
            if self._errors in ready:
                self._listen()
            if self._output in ready:
                self._patience = self._seconds
                return
        reason = "interrupted" if self._interrupted else f"nothing came for {self._patience:g} s"
        raise LinkError(f"{reason}{self._last_words()}", kind="stalled")

    def _listen(self) -> None:
        data = os.read(self._errors.fileno(), MOST_WORDS)
        if data:
            self._words = (self._words + data)[-MOST_WORDS:]
        else:
            self._selector.unregister(self._errors)

    def interrupt(self) -> None:
        """End a `read` that waits, from another thread."""
        self._interrupted = True

    def failure(self) -> LinkError:
        """Why it ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        with suppress(OSError, ValueError):
            self._words = (self._words + (self._errors.read() or b""))[-MOST_WORDS:]
        code = self._process.poll()
        if code is None:
            return LinkError(f"its output ended{self._last_words()}")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return LinkError(f"{self._name} ended with {how}{self._last_words()}")

    def _last_words(self) -> str:
        lines = [line.strip() for line in self._words.decode(errors="replace").splitlines() if line.strip()]
        return f": {redacted(lines[-1])}" if lines else ""

    def close(self) -> None:
        """End it and its own children."""
        for number, seconds in ((signal.SIGTERM, END_SECONDS), (signal.SIGKILL, END_SECONDS)):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                break
        self._selector.close()
        self._output.close()
        self._errors.close()
