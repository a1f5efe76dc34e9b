"""Stop at a person: a control loop of its own rhythm, which never waits for the camera and never trusts an old picture.

    python examples/robot_stop.py ball.tflite test:pattern ball --limit 20
    python examples/robot_stop.py people.tflite camera:0 person

No answer within 0.2 s, because the camera is unplugged or the model hangs, is a reason to stop as well.
"""

from __future__ import annotations

import argparse
import time

import edgekit

MAX_AGE = 0.2
PERIOD = 0.05


def decide(result: edgekit.Result | None, label: str) -> str:
    """What the robot does now."""
    if result is None:
        return "stop: nothing is known of what is ahead"
    found = result.best(label, 0.5)
    return f"stop: {label} {found.score:.2f}" if found else "go"


def main() -> None:
    """Decide 20 times a second."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("source")
    parser.add_argument("label")
    parser.add_argument("--limit", type=int, default=0)
    given = parser.parse_args()
    count = 0
    with edgekit.Pipeline(given.model, given.source) as pipeline:
        pipeline.when_event = print
        while not given.limit or count < given.limit:
            print(decide(pipeline.latest(MAX_AGE), given.label), flush=True)
            time.sleep(PERIOD)
            count += 1


if __name__ == "__main__":
    main()
