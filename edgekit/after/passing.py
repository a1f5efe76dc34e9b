"""Which results are passed on: changes only, or a few a second."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from edgekit.after.smoothing import check_seconds
from edgekit.after.types import BySource, moment
from edgekit.errors import UsageError
from edgekit.results import Anomaly, Classification, Detection, Keyword, Pose, Result, Segmentation, to_json

LEAST_SHARE = 0.01
"""Part of a picture from which on a class of a segmentation is there."""
_PERIODS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|min|h)")


def state_of(result: Result) -> Hashable:
    """What is to be told of a result, without scores and places, by which two are compared.

    The best class; how many objects of each class there are, where they are tracked which ones, what a cascade's second
    model says of them, and the counts of zones and lines; the classes in a segmentation; whether something is an
    anomaly; which word was heard. Of other tasks all that they say.
    """
    if isinstance(result, Classification):
        return result.classes[0].index if result.classes else None
    if isinstance(result, (Detection, Pose)) and result.objects is not None:
        objects = Counter(
            (item.index, item.id, item.zones, item.inner and state_of(item.inner)) for item in result.objects
        )
        lines = tuple((name, line) for name, line in (result.lines or {}).items())
        return frozenset(objects.items()), lines
    if isinstance(result, Segmentation):
        return frozenset(found.index for found in result.classes if found.share >= LEAST_SHARE)
    if isinstance(result, Anomaly):
        return result.is_anomaly
    if isinstance(result, Keyword):
        return result.heard and (result.sequence, result.best())
    return to_json(result.payload())


@dataclass(slots=True)
class _Known:
    passed: Hashable = None
    first: bool = True
    candidate: Hashable = None
    since: float = 0.0


class OnChange:
    """Passes on a result only where what it tells has changed since the last one passed on, source by source.

    The first result is passed on. `state_of` says what counts as a change.

    Args:
        hold: Seconds for which a change has to last without a break before it is passed on.

    Raises:
        UsageError: `hold` is no number of seconds.
    """

    def __init__(self, hold: float = 0.0) -> None:
        self._hold = check_seconds("hold", hold)
        self._known = BySource(_Known)

    def __call__(self, result: Result, /) -> Result | None:
        """The result; None where it tells nothing new."""
        known, now, state = self._known.of(result), moment(result), state_of(result)
        if not known.first and state == known.passed:
            known.candidate = None
            return None
        if known.candidate != (state,) or now < known.since:
            known.candidate, known.since = (state,), now
        if not known.first and now - known.since < self._hold - 1e-9:
            return None
        known.passed, known.first, known.candidate = state, False, None
        return result


@dataclass(slots=True)
class _Due:
    moment: float | None = None


class RateLimit:
    """Passes on no more than so many results in a time, evenly, source by source; the others are left out.

    Args:
        rate: Results a second, or a text such as `5/s`, `10/min`, `1/h`.

    Raises:
        UsageError: it is neither.
    """

    def __init__(self, rate: float | str) -> None:
        self._interval = 1 / _per_second(rate)
        self._due = BySource(_Due)

    def __call__(self, result: Result, /) -> Result | None:
        """The result; None where its turn has not come."""
        due, now = self._due.of(result), moment(result)
        if due.moment is not None and due.moment - self._interval <= now < due.moment - 1e-9:
            return None
        # What comes a little late does not push the next ones back, so that the mean rate is the one asked for.
        late = due.moment is None or not due.moment <= now < due.moment + self._interval
        due.moment = (now if late else due.moment or 0.0) + self._interval
        return result


def _per_second(rate: float | str) -> float:
    if isinstance(rate, str):
        match = _RATE.fullmatch(rate.strip())
        found = float(match[1]) / _PERIODS[match[2]] if match else 0.0
    else:
        found = float(rate)
    if not 0 < found < float("inf"):
        raise UsageError(f"a rate cannot be {rate!r}", hint="Write it as 5/s, 10/min or 1/h.")
    return found
