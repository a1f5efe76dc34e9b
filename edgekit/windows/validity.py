"""What becomes of values that no sensor should give: NaN, infinity, and what is out of range."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Policy = Literal["drop", "hold", "refuse"]

Rows = tuple[NDArray[np.float64], NDArray[np.float32]]


class Validity:
    """Applies a policy to the rows of a stream.

    Args:
        policy: `drop` leaves the whole row out, as if it had not come; `hold` puts the channel's last good value in
            its place; `refuse` lets it through as NaN, so that the window that holds it is refused.
        limits: Lowest and highest value that counts as good, in the sensor's unit; None for any finite number.
    """

    def __init__(self, policy: Policy, limits: tuple[float, float] | None = None) -> None:
        self._policy, self._limits = policy, limits
        self._held: NDArray[np.float32] | None = None
        self.invalid = 0
        """Rows with such a value, so far."""

    def apply(self, times: NDArray[np.float64], values: NDArray[np.float32]) -> Rows:
        """The rows to go on with. A row whose time is no number is left out by every policy.

        Args:
            times: Shape (n,).
            values: Shape (n, channels).
        """
        good = np.isfinite(values)
        if self._limits is not None:
            with np.errstate(invalid="ignore"):
                good &= (values >= self._limits[0]) & (values <= self._limits[1])
        timed = np.isfinite(times)
        whole = good.all(axis=1) & timed
        if whole.all():
            self._held = values[-1] if len(values) else self._held
            return times, values
        self.invalid += int(np.count_nonzero(~whole))
        if self._policy == "drop":
            return times[whole], values[whole]
        marked = np.where(good, values, np.float32(np.nan))[timed]
        return self._hold(times[timed], marked) if self._policy == "hold" else (times[timed], marked)

    def _hold(self, times: NDArray[np.float64], values: NDArray[np.float32]) -> Rows:
        """Fill from the row before; rows before a channel's first good value are left out."""
        before = np.full((1, values.shape[1]), np.nan, np.float32) if self._held is None else self._held[None]
        joined = np.concatenate((before, values))
        places = np.where(np.isfinite(joined), np.arange(len(joined))[:, None], 0)
        filled = np.take_along_axis(joined, np.maximum.accumulate(places, axis=0), axis=0)[1:]
        if len(filled):
            self._held = filled[-1]
        complete = np.isfinite(filled).all(axis=1)
        return times[complete], filled[complete]
