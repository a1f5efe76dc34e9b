"""Count what goes over a line, in each direction.

    python examples/robot_count.py ball.tflite test:pattern --limit 200
    python examples/robot_count.py cars.tflite rtsp://camera/street

The line is the middle of the frame, from its top to its bottom: what goes from left to right goes to the left of one
who looks along it.
"""

from __future__ import annotations

import argparse
from itertools import islice

import edgekit
from edgekit.after import Places, Tracker
from edgekit.results import Detection

LINE = {"middle": [(0.5, 0.0), (0.5, 1.0)]}


def main() -> None:
    """Print the counts whenever they change."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("source")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    tracker, places, told = Tracker(), Places(lines=LINE, anchor="center"), (0, 0)
    for result in islice(edgekit.run(given.model, given.source), given.limit):
        seen = places(tracker(result))
        if isinstance(seen, Detection) and seen.lines:
            counts = seen.lines["middle"].to_left, seen.lines["middle"].to_right
            if counts != told:
                print(f"rightwards {counts[0]}  leftwards {counts[1]}", flush=True)
                told = counts


if __name__ == "__main__":
    main()
