"""What LiteRT's GPU accelerator says of a model while it compiles it, read from its log: there is no other place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ADAPTER = re.compile(r"Selected adapter: (?P<name>.*?), arch=.*adapterType=(?P<type>.*)")
_SOFTWARE = "CPU"
_UNSUPPORTED = "Following operations are not supported by GPU delegate:"
_COUNTS = re.compile(
    r"(?P<gpu>\d+|No) operations will run on the GPU, and (?:the remaining|all) (?P<cpu>\d+) operations"
)
_FAULT = re.compile(r"^(?:ERROR: |E\d{4} \S+ +\d+ )(?:\[\S+\] |\S+:\d+\] )?(?P<text>.*\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """How much of a model the GPU takes.

    Attributes:
        adapter: Name of the adapter that computes; empty where it was not told.
        software: Whether that is a program that computes on the processor.
        taken: Operations that run on the GPU; None where all of them do, and the accelerator gives no number.
        left: Operations that run on the processor.
        reasons: Why, one line for each kind and cause: `GATHER_ND: Operation is not supported.`
        faults: Errors that were logged, in their order.
    """

    adapter: str = ""
    software: bool = False
    taken: int | None = None
    left: int = 0
    reasons: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether the GPU takes no operation at all."""
        return self.taken == 0


def read(log: str) -> Answer:
    """Read the accelerator's log of one model.

    Args:
        log: What it printed on the standard error. Of several attempts the last one holds.
    """
    adapter = _last(_ADAPTER, log)
    counts = _last(_COUNTS, log)
    faults = (found["text"] for found in _FAULT.finditer(log))
    return Answer(
        adapter=adapter["name"] if adapter else "",
        software=adapter is not None and _SOFTWARE in adapter["type"],
        taken=_number(counts["gpu"]) if counts else None,
        left=_number(counts["cpu"]) if counts else 0,
        reasons=tuple(dict.fromkeys(_reasons(log))),
        faults=tuple(dict.fromkeys(fault for fault in faults if fault != _UNSUPPORTED)),
    )


def _last(pattern: re.Pattern[str], log: str) -> re.Match[str] | None:
    return next(reversed(list(pattern.finditer(log))), None)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _reasons(log: str) -> Iterator[str]:
    """The lines between the heading and the counts."""
    for part in log.split(_UNSUPPORTED)[1:]:
        for line in part.strip().splitlines():
            if _COUNTS.search(line):
                break
            yield line.strip()
