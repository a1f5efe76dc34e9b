"""Pick by colour: a classifier names what lies under the camera, and a gripper puts it into its bin.

    python examples/robot_pick.py colours.tflite camera:0 red=left blue=right

It moves once for each thing: where a class has held for 0.3 s, and not again before another one has.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import edgekit
from edgekit.after import Debounce


def picks(results: Iterable[edgekit.Result], bins: Mapping[str, str], seconds: float) -> Iterator[tuple[str, str]]:
    """Class and bin of each thing, once."""
    settle, last = Debounce(seconds), ""
    for result in results:
        settled = settle(result)
        best = settled.best(minimum=0.6) if settled else None
        label = best.label if best else ""
        if label != last and label in bins:
            yield label, bins[label]
        last = label


def main() -> None:
    """Print each move."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("source")
    parser.add_argument("bins", nargs="+", metavar="CLASS=BIN")
    parser.add_argument("--hold", type=float, default=0.3)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    bins = dict(pair.split("=", 1) for pair in given.bins)
    for label, place in picks(islice(edgekit.run(given.model, given.source), given.limit), bins, given.hold):
        print(f"{label} -> {place}", flush=True)


if __name__ == "__main__":
    main()
