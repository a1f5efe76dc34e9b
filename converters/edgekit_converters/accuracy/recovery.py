"""What was tried to get accuracy back, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgekit_converters.accuracy.gate import Verdict


@dataclass(frozen=True, slots=True)
class Step:
    """One way that was tried.

    Attributes:
        name: What it is called, such as `cross-layer equalization`.
        did: What was done, in a few words.
        verdict: What it gave.
        size: Of the network, in bytes.
        kept: Whether it was the best up to then; later steps start from it.
    """

    name: str
    did: str
    verdict: Verdict
    size: int
    kept: bool

    def __str__(self) -> str:
        return f"{self.name} ({self.did}): {self.verdict.short}"

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"name": self.name, "did": self.did, "kept": self.kept, "size": self.size, **self.verdict.to_dict()}


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was tried until the gate held.

    Attributes:
        steps: In order; the first is the model as it was converted.
        kept_float: Operations of the chosen model that were left in float, with their layers.
        failures: Why some ways gave no model that can be used.
    """

    steps: tuple[Step, ...]
    kept_float: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def best(self) -> Step:
        """The step that gave the chosen model."""
        return next(step for step in reversed(self.steps) if step.kept)

    @property
    def holds(self) -> bool:
        """Whether the gate holds."""
        return self.best.verdict.holds

    def lines(self) -> Iterator[str]:
        """What was done, a line for each kind of step: the best of its kind."""
        names = dict.fromkeys(step.name for step in self.steps)
        for name in names:
            own = [step for step in self.steps if step.name == name]
            best = min(own, key=lambda step: step.verdict.drop)
            yield str(best) + (f"; {len(own)} tried" if len(own) > 1 else "")
        yield from (f"no model: {failure}" for failure in self.failures)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "holds": self.holds, "best": self.steps.index(self.best), "kept_float": list(self.kept_float),
            "failures": list(self.failures),
            "steps": [step.to_dict() for step in self.steps],
        }
