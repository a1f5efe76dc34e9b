"""What commands of the converter show while they work."""

from __future__ import annotations

from edgekit.cli.terminal import LiveLine
from edgekit_converters.events import Progress


class Display:
    """One line on the terminal that says what is being done; nothing where there is no terminal."""

    def __init__(self, line: LiveLine) -> None:
        self._line, self._stage = line, ""

    def show(self, progress: Progress) -> None:
        """Say where the work is."""
        count = f" {progress.done}/{progress.total}" if progress.total else ""
        self._line.show(f"{progress.stage}{count} …", at_once=progress.stage != self._stage)
        self._stage = progress.stage
