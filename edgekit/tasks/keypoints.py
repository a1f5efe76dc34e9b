"""Places on a body, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.results import Keypoint
from edgekit.tasks.view import View

COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)
"""The 17 of the COCO data set, in its order, which MoveNet, PoseNet and the pose models of Ultralytics share."""


def names_for(count: int) -> tuple[str, ...]:
    """The names of `count` points of a body; none where they are not COCO's."""
    return COCO if count == len(COCO) else ()


def keypoints(points: NDArray[np.floating], names: tuple[str, ...], view: View) -> tuple[Keypoint, ...]:
    """Keypoints in the frame.

    Args:
        points: (k, 3): x and y as fractions of the network's picture, and a score.
        names: One a point, or none.
        view: Where the network's picture lies in the frame.
    """
    given = points.astype(np.float64)
    across, down = view.x(given[:, 0]), view.y(given[:, 1])
    rows = zip(across.tolist(), down.tolist(), given[:, 2].tolist(), strict=True)
    return tuple(Keypoint(names[at] if names else "", x, y, score) for at, (x, y, score) in enumerate(rows))
