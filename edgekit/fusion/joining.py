"""What of one source goes with a moment of another."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.metadata.types import Window
from edgekit.sources.types import Sample
from edgekit.windows.resampling import interpolate
from edgekit.windows.types import Block
from edgekit.windows.validity import Policy, Validity
from edgekit.windows.windower import GAP_PERIODS

JoinRule = Literal["interpolate", "nearest", "latest"]
JOINS: tuple[JoinRule, ...] = get_args(JoinRule)
TOLERANCE = 0.1
MARGIN = 2.0
"""Seconds of history kept beyond what a window takes."""
MOST_SAMPLES = 64
"""Pictures and the like that are kept to choose from."""


@dataclass(frozen=True, slots=True)
class Join:
    """How a source is joined to the moments of the leading one.

    Attributes:
        rule: `interpolate`: a window that ends at that very moment, by straight lines between samples. `nearest`: the
            sample nearest to it, or the window that ends there, on whichever side. `latest`: the last one before
            it, which needs no waiting.
        tolerance: Seconds by which it may miss the moment; None for 2.5 periods of the window's rate, else 0.1 s.
        offset: Seconds that are added to the source's times: how much later it captures than it says.
        wait: Seconds that are waited for a live source to reach the moment.
    """

    rule: JoinRule = "interpolate"
    tolerance: float | None = None
    offset: float = 0.0
    wait: float = 0.1

    def __post_init__(self) -> None:
        one_of("join", self.rule, JOINS)
        if (self.tolerance is not None and self.tolerance < 0) or self.wait < 0:
            raise UsageError("tolerance and wait are seconds from 0")


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What was found for a moment.

    Attributes:
        data: What the input takes, before features.
        slack: Seconds from its end to the moment; below zero where it is later.
    """

    data: NDArray[Any]
    slack: float


class History(Protocol):
    """The last of what a source gave."""

    newest: float
    """Time of the last of it; minus infinity before the first."""

    def add(self, item: Any) -> None:
        """Keep one more thing."""
        ...

    def at(self, moment: float) -> Match | None:
        """What goes with a moment; None where nothing is near enough."""
        ...


class SampleHistory:
    """Of a source of samples, such as a camera."""

    def __init__(self, join: Join) -> None:
        self._join = join
        self._kept: deque[tuple[float, Sample]] = deque(maxlen=MOST_SAMPLES)
        self.newest = -np.inf

    def add(self, item: Sample) -> None:
        """Keep a sample."""
        self.newest = moment_of(item) + self._join.offset
        self._kept.append((self.newest, item))

    def at(self, moment: float) -> Match | None:
        """The nearest or latest sample."""
        fitting = [entry for entry in self._kept if self._join.rule != "latest" or entry[0] <= moment]
        if not fitting:
            return None
        time, sample = min(fitting, key=lambda entry: abs(entry[0] - moment))
        tolerance = TOLERANCE if self._join.tolerance is None else self._join.tolerance
        return Match(np.asarray(sample.data), moment - time) if abs(moment - time) <= tolerance else None


def moment_of(sample: Sample) -> float:
    """When a sample was captured: of a recording by its own time."""
    return sample.captured if sample.position is None else sample.position


class WindowHistory:
    """Of a stream, of which windows are cut where they are asked for.

    Args:
        window: Size, rate and limits. Without a rate windows are rows as they came.
        join: How a window is chosen.
        invalid: What becomes of values that are NaN or out of range.
    """

    def __init__(self, window: Window, join: Join, invalid: Policy = "drop") -> None:
        self._window, self._join = window, join
        self._validity = Validity(invalid, window.limits)
        self._times: NDArray[np.float64] = np.empty(0)
        self._values: NDArray[np.float32] | None = None
        self.newest = -np.inf

    def add(self, item: Block) -> None:
        """Keep a block. Samples that are not later than those before them are left out."""
        times, values = self._validity.apply(item.times + self._join.offset, item.values)
        later = times > np.maximum.accumulate(np.concatenate(([self.newest], times)))[:-1]
        times, values = times[later], values[later]
        if not len(times):
            return
        self.newest = float(times[-1])
        old = self._times > self.newest - self._span()
        kept = values if self._values is None else np.concatenate((self._values[old], values))
        self._times, self._values = np.concatenate((self._times[old], times)), kept

    def clear(self) -> None:
        """Forget all: the clock of the source was set."""
        self._times, self._values, self.newest = np.empty(0), None, -np.inf

    def _span(self) -> float:
        if self._window.rate is None:
            return np.inf if len(self._times) < 4 * self._window.size else float(
                self._times[-1] - self._times[-2 * self._window.size]
            )
        return self._window.size / self._window.rate + MARGIN

    def at(self, moment: float) -> Match | None:
        """The window that ends at the moment, or nearest to it."""
        if self._values is None:
            return None
        end = self._end(moment)
        slack = moment - end
        if abs(slack) > self._tolerance() or end < self._times[0]:
            return None
        data = self._rows(end) if self._window.rate is None else self._resampled(end, self._window.rate)
        return None if data is None or not np.isfinite(data).all() else Match(data, slack)

    def _end(self, moment: float) -> float:
        """When the window ends: at the moment, where there are samples on both sides of it to draw a line between."""
        if self._join.rule == "interpolate" and self._window.rate is not None:
            return float(min(moment, self._times[-1]))
        before = int(np.searchsorted(self._times, moment, "right")) - 1
        around = [at for at in (before, before + 1) if 0 <= at < len(self._times)]
        if self._join.rule == "latest":
            around = around[:1] if before >= 0 else []
        return min((float(self._times[at]) for at in around), key=lambda time: abs(time - moment), default=-np.inf)

    def _tolerance(self) -> float:
        if self._join.tolerance is not None:
            return self._join.tolerance
        return TOLERANCE if self._window.rate is None else GAP_PERIODS / self._window.rate

    def _rows(self, end: float) -> NDArray[np.float32] | None:
        assert self._values is not None
        last = int(np.searchsorted(self._times, end, "right"))
        return self._values[last - self._window.size : last] if last >= self._window.size else None

    def _resampled(self, end: float, rate: float) -> NDArray[np.float32] | None:
        """The window on the grid that ends there; None where it begins before the first sample, or spans a gap."""
        assert self._values is not None
        grid = end - np.arange(self._window.size - 1, -1, -1) / rate
        first = int(np.searchsorted(self._times, grid[0] + 1e-9, "right")) - 1
        last = int(np.searchsorted(self._times, end - 1e-9))
        if first < 0:
            return None
        most = GAP_PERIODS / rate if self._window.max_gap is None else self._window.max_gap
        part = slice(first, last + 1)
        if (np.diff(self._times[part]) > most).any():
            return None
        return interpolate(self._times[part], self._values[part], grid, 1e-3 / rate)
