"""Follow the biggest face (or whatever the detector finds): turn to where it is, drive on where it is far.

    python examples/robot_follow.py ball.tflite test:pattern --limit 20        # see robot_ball_finder.py
    python examples/robot_follow.py face.tflite camera:0

In the place of `print` stands what your motors want, such as gpiozero's Robot(left=..., right=...).value = (...).
"""

from __future__ import annotations

import argparse
from itertools import islice

import edgekit
from edgekit.results import Detection

NEAR = 0.35
"""Share of the frame's height that a face has where it is near enough."""


def steer(result: Detection) -> tuple[float, float]:
    """How fast the left and the right wheels are to turn, from -1 to 1."""
    if not result.objects:
        return 0.0, 0.0
    biggest = max(result.objects, key=lambda found: found.area)
    turn = biggest.center[0] / result.width * 2 - 1            # -1 at the left edge of the frame, 1 at the right one
    forward = 0.5 if biggest.height < NEAR * result.height else 0.0
    return max(-1.0, min(1.0, forward + turn)), max(-1.0, min(1.0, forward - turn))


def main() -> None:
    """Steer by the newest frame, always."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("source")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    for result in islice(edgekit.run(given.model, given.source, max_age=0.5), given.limit):
        if isinstance(result, Detection):
            left, right = steer(result)
            print(f"left {left:+.2f}  right {right:+.2f}  {result.age * 1000:.0f} ms old", flush=True)


if __name__ == "__main__":
    main()
