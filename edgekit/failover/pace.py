"""Notices a device that has become slow: hot, throttled, or shared with others."""

from __future__ import annotations

from dataclasses import dataclass, field

BLOCK = 50
"""Inferences whose median is taken: one that is late now and then is none that is slow."""
SLOWER = 3.0
"""From so many times the first median on, a device is slow."""
LEAST = 2.0
"""Milliseconds by which it has to be slower at least: less is the noise of a busy processor."""
AGAIN = 1.5
"""Up to so many times the first median it is not any more."""


@dataclass(slots=True)
class Pace:
    """How long inferences take, against the first ones after the very first, which often does more."""

    _usual: float = 0.0
    _times: list[float] = field(default_factory=list)
    _is_new: bool = True
    _is_slow: bool = False

    def feed(self, milliseconds: float) -> tuple[str, str] | None:
        """Take the time of one inference; returns kind and detail of an event where one has to be told."""
        if self._is_new:
            self._is_new = False
            return None
        self._times.append(milliseconds)
        if len(self._times) < BLOCK:
            return None
        now = sorted(self._times)[BLOCK // 2]  # the median
        self._times.clear()
        if self._usual == 0:
            self._usual = now
            return None
        return self._judge(now)

    def _judge(self, now: float) -> tuple[str, str] | None:
        if now >= max(SLOWER * self._usual, self._usual + LEAST) and not self._is_slow:
            self._is_slow = True
            return "slow", f"an inference takes {now:.3g} ms, and took {self._usual:.3g} ms at first"
        if now <= AGAIN * self._usual and self._is_slow:
            self._is_slow = False
            return "recovered", f"an inference takes {now:.3g} ms again"
        return None
