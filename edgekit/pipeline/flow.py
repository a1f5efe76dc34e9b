"""What happens to samples that come faster than the model takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.sources.types import Source

FlowRule = Literal["auto", "freshest", "every"]

QUEUE_LENGTH = 2
"""Samples read ahead under `every`: two keep reader and network busy, more only cost memory and time."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How samples flow.

    Attributes:
        rule: `freshest`: the newest sample wins, those that it replaces are dropped and counted. `every`: nothing
            is dropped, the source waits. `auto`: `freshest` for live sources, `every` for files.
        max_age: Seconds from the capture of a sample after which it is dropped and counted rather than run; None
            for any age.
    """

    rule: FlowRule = "auto"
    max_age: float | None = None

    def __post_init__(self) -> None:
        one_of("flow", self.rule, get_args(FlowRule))
        if self.max_age is not None and not 0 < self.max_age < float("inf"):
            raise UsageError(f"max_age has to be a number of seconds above 0, not {self.max_age!r}")

    def replaces(self, source: Source) -> bool:
        """Whether the newest sample of this source takes the place of one that waits."""
        return self.rule == "freshest" or (self.rule == "auto" and is_live(source))


def is_live(source: Source) -> bool:
    """Whether it is; a source of one's own need not say."""
    return bool(getattr(source, "live", False))
