"""Getting accuracy back: ways to quantize, tried in order of cost until the gate holds.

Steps build on each other: each starts from the best model so far, and is kept where it makes that better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from edgekit.errors import ConversionError, ModelFileError
from edgekit_converters.accuracy.choosing import Calibrated
from edgekit_converters.accuracy.gate import Verdict
from edgekit_converters.accuracy.recovery import Recovery, Step
from edgekit_converters.events import OnProgress, Progress


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model quantized in one way.

    Attributes:
        flatbuffer: The quantized model.
        name: What the step is called.
        did: What was done, in a few words.
        in_float: The float model that it was made from.
        calibrated: How its ranges were chosen; None for one whose activations have 16 bits.
        precision: `int8` or `int16x8`.
        kept_float: Operations that were left in float, with their layers.
    """

    flatbuffer: bytes
    name: str
    did: str
    in_float: bytes
    calibrated: Calibrated | None
    precision: str = "int8"
    kept_float: tuple[str, ...] = ()


Score = Callable[[Candidate], tuple[Verdict, float]]
"""Holds a model against the gate. Of two that lose the same, the one with the larger second number is better."""
Technique = Callable[[Candidate], Iterator[Candidate]]
"""Gives models made from the best one so far, the cheaper ones first; none where it does not apply."""


def climb(
    first: Candidate, techniques: Sequence[Technique], score: Score, report: OnProgress
) -> tuple[Candidate, Recovery]:
    """Try techniques until the gate holds.

    Args:
        first: The model as it was converted.
        techniques: In order of what they cost the user.
        score: Holds a model against the gate.
        report: Told of each step.

    Returns:
        The first model that holds, else the one that loses least; and what was tried.
    """
    ladder = _Ladder(first, score, report)
    for technique in techniques:
        if ladder.holds or ladder.try_all(technique(ladder.best)):
            break
    return ladder.best, Recovery(tuple(ladder.steps), ladder.best.kept_float, tuple(ladder.failures))


class _Ladder:
    """The best model so far, and the steps that led to it."""

    def __init__(self, first: Candidate, score: Score, report: OnProgress) -> None:
        self._score, self._report = score, report
        self.steps: list[Step] = []
        self.failures: list[str] = []
        self.best, self.holds = first, False
        self._rank = (float("inf"), float("inf"))
        self._try(first)

    def try_all(self, candidates: Iterable[Candidate]) -> bool:
        """Try models until one holds: whether one does. One that cannot be made or read is told, and the next tried."""
        made = iter(candidates)
        while not self.holds:
            try:
                candidate = next(made, None)
                if candidate is None:
                    break
                self._try(candidate)
            except (ConversionError, ModelFileError) as error:
                self.failures.append(error.message)
        return self.holds

    def _try(self, candidate: Candidate) -> None:
        self._report(Progress(f"trying {candidate.name}: {candidate.did}"))
        verdict, sqnr_db = self._score(candidate)
        rank = (verdict.drop, -sqnr_db)
        kept = not self.steps or rank < self._rank
        if kept:
            self.best, self._rank, self.holds = candidate, rank, verdict.holds
        self.steps.append(Step(candidate.name, candidate.did, verdict, len(candidate.flatbuffer), kept))
