"""What the child process tells its parent while it works: one JSON object a line, over a pipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a conversion is.

    Attributes:
        stage: What is being done, in a few words.
        done: Steps done of this stage.
        total: Steps of this stage; 0 where they are not counted.
    """

    stage: str
    done: int = 0
    total: int = 0


OnProgress = Callable[[Progress], None]


def writer(stream: IO[str]) -> OnProgress:
    """A callback that sends each progress to the parent."""

    def send(progress: Progress) -> None:
        stream.write(json.dumps(asdict(progress)) + "\n")
        stream.flush()

    return send


def parse(line: str) -> Progress:
    """The progress that a line of the pipe holds."""
    return Progress(**json.loads(line))
