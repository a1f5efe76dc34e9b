"""A Kalman filter for boxes whose step is the true time between two frames, however long that was.

Kalman (1960), with the constant-velocity model and the noise of a white acceleration of Bar-Shalom, Li and Kirubarajan,
Estimation with Applications to Tracking and Navigation (2001), section 6.2.2. The middle's x and y, width and height
move independently of one another, so that each is a filter of two numbers: place and velocity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MEASURED = 0.05
"""Standard deviation of a detector's box, in heights of the object: as in SORT's successors (Wojke et al., 2017)."""
ACCELERATION = 2.0
"""Change of velocity within a second, in heights of the object a second: people, cars and pets seldom exceed it."""
VELOCITY = 2.0
"""Standard deviation of a new object's velocity, in heights a second."""


@dataclass(slots=True)
class Motion:
    """Where a box is and how it moves.

    Attributes:
        mean: (4, 2): place and velocity of the middle's x and y, of width and height; pixels, and pixels a second.
        covariance: (4, 2, 2).
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def start(cls, box: NDArray[np.float64]) -> Motion:
        """An object that is seen for the first time.

        Args:
            box: Left, top, right, bottom in pixels.
        """
        places = _measurement(box)
        size = max(places[3], 1.0)
        spread = np.diag([(MEASURED * size) ** 2, (VELOCITY * size) ** 2])
        return cls(np.stack((places, np.zeros(4)), axis=1), np.repeat(spread[None], 4, axis=0))

    def predict(self, seconds: float) -> None:
        """Move on by the time that has passed, 0 or more."""
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        size = max(self.mean[3, 0], 1.0)
        noise = np.array([[seconds**3 / 3, seconds**2 / 2], [seconds**2 / 2, seconds]]) * (ACCELERATION * size) ** 2
        self.mean = self.mean @ step.T
        self.mean[2:, 0] = np.maximum(self.mean[2:, 0], 1.0)
        self.covariance = step @ self.covariance @ step.T + noise

    def correct(self, box: NDArray[np.float64]) -> None:
        """Take what was measured."""
        places = _measurement(box)
        noise = (MEASURED * max(places[3], 1.0)) ** 2
        gain = self.covariance[:, :, 0] / (self.covariance[:, 0, 0] + noise)[:, None]
        self.mean = self.mean + gain * (places - self.mean[:, 0])[:, None]
        self.covariance = self.covariance - gain[:, :, None] * self.covariance[:, None, 0, :]

    @property
    def box(self) -> NDArray[np.float64]:
        """Left, top, right, bottom in pixels, as estimated."""
        x, y, width, height = self.mean[:, 0]
        return np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])


def _measurement(box: NDArray[np.float64]) -> NDArray[np.float64]:
    left, top, right, bottom = box
    return np.array([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])
