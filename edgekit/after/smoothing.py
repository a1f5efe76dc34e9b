"""Classes that do not flicker."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import exp

from edgekit.after.types import BySource, moment
from edgekit.errors import UsageError
from edgekit.results import Classification, Result, ScoredClass


def check_seconds(name: str, seconds: float, *, least: float = 0.0) -> float:
    """The seconds, where they can be.

    Raises:
        UsageError: they are no number, or too few.
    """
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not least <= seconds < float("inf"):
        raise UsageError(f"{name} is {seconds!r}", hint=f"Give seconds, {least:g} or more.")
    return float(seconds)


def _classification(result: Result, step: str) -> Classification:
    if isinstance(result, Classification):
        return result
    raise UsageError(f"{step} is for classes, and the task is {result.task}", hint="Leave it out.")


@dataclass(slots=True)
class _Mean:
    scores: dict[int, ScoredClass] = field(default_factory=dict)
    moment: float | None = None


class Smooth:
    """Averages the scores of classes over time, the older the less: after `seconds` a sample counts for 37 %.

    The mean is by the true time between samples (an exponential one), so that dropped frames do not slow it down. A
    class that a result does not name counts as 0 there.

    Args:
        seconds: The time constant.

    Raises:
        UsageError: no number of seconds, or results of another task.
    """

    def __init__(self, seconds: float = 0.5) -> None:
        self._seconds = check_seconds("smooth", seconds)
        self._means = BySource(_Mean)

    def __call__(self, result: Result, /) -> Result:
        """A `Classification` with the averaged scores, best first, of as many classes."""
        given = _classification(result, "smoothing")
        mean, now = self._means.of(result), moment(result)
        old = self._weight(mean.moment, now)
        mean.moment = now
        current = {item.index: item for item in given.classes}
        known = {**mean.scores, **current}
        mean.scores = {
            index: replace(item, score=old * _score(mean.scores, index) + (1 - old) * _score(current, index))
            for index, item in known.items()
        }
        ranked = sorted(mean.scores.values(), key=lambda item: (-item.score, item.index))
        mean.scores = {item.index: item for item in ranked[: max(len(current), 1) * 4]}
        return replace(given, classes=tuple(ranked[: len(current)]))

    def _weight(self, before: float | None, now: float) -> float:
        if before is None or now < before or self._seconds == 0:
            return 0.0
        return exp(-(now - before) / self._seconds)


def _score(scores: dict[int, ScoredClass], index: int) -> float:
    return scores[index].score if index in scores else 0.0


@dataclass(slots=True)
class _Held:
    item: ScoredClass | None = None
    rival: int | None = None
    since: float = 0.0


class Debounce:
    """Keeps a class in front until another one has been the best for some time without a break.

    Args:
        seconds: For how long.

    Raises:
        UsageError: no number of seconds, or results of another task.
    """

    def __init__(self, seconds: float = 0.3) -> None:
        self._seconds = check_seconds("debounce", seconds)
        self._held = BySource(_Held)

    def __call__(self, result: Result, /) -> Result:
        """A `Classification` whose first class is the one that holds; its score is that of the present sample."""
        given = _classification(result, "debouncing")
        held, now = self._held.of(result), moment(result)
        if not given.classes:
            return given
        best = given.classes[0]
        if held.item is None or best.index == held.item.index:
            held.item, held.rival = best, None
            return given
        if held.rival != best.index or now < held.since:
            held.rival, held.since = best.index, now
        if now - held.since >= self._seconds - 1e-9:
            held.item, held.rival = best, None
            return given
        own = next((item for item in given.classes if item.index == held.item.index), replace(held.item, score=0.0))
        others = tuple(item for item in given.classes if item.index != own.index)
        return replace(given, classes=(own, *others)[: len(given.classes)])
