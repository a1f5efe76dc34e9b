"""JSON lines, to the standard output or a file."""

from __future__ import annotations

import sys
from typing import Any

from edgekit.errors import OutputError
from edgekit.results import Result, to_json
from edgekit.sinks.files import AppendedFile
from edgekit.sources.types import Event


class StdoutSink:
    """JSON lines on the standard output, each there before the next sample is taken."""

    def write(self, result: Result) -> None:
        """Print one line."""
        _print(result.to_json())

    def close(self) -> None:
        """Nothing to let go of."""


class StdoutEventSink(StdoutSink):
    """Results and events on the standard output."""

    def event(self, event: Event) -> None:
        """Print one line."""
        _print(event_json(event))


class JsonLinesSink:
    """JSON lines in a file. A run without results leaves no file behind.

    Raises:
        OutputError: the file cannot be opened for writing, or its folder takes none.
    """

    def __init__(self, path: str) -> None:
        self._file = AppendedFile(path)

    def write(self, result: Result) -> None:
        """Append one line, or nothing of it."""
        self._file.write((result.to_json() + "\n").encode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class JsonLinesEventSink(JsonLinesSink):
    """Results and events in a file."""

    def event(self, event: Event) -> None:
        """Append one line, or nothing of it."""
        self._file.write((event_json(event) + "\n").encode())


def event_json(event: Event) -> str:
    """One line of JSON; that it has the key `event` tells it from a result."""
    line: dict[str, Any] = {
        "event": event.kind, "source": event.source, "detail": event.detail, "captured": round(event.captured, 6)
    }
    return to_json(line, separators=(",", ":"))


def _print(line: str) -> None:
    if sys.stdout is None:  # as in `>&-`
        raise _stdout_failed("it is closed")
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader has gone, which is no failure to write
    except OutputError:
        raise  # the command's own standard output says it already
    except OSError as error:
        raise _stdout_failed(error.strerror) from error


def _stdout_failed(reason: str | None) -> OutputError:
    return OutputError(f"cannot write to the standard output: {reason}")
