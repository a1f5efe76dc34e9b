"""Two cameras, one model: which of them sees more, with what was dropped told apart.

    python examples/robot_two_cameras.py ball.tflite test:pattern 'test:pattern?fps=10' --limit 30
    python examples/robot_two_cameras.py people.tflite camera:0 camera:2
"""

from __future__ import annotations

import argparse

import edgekit


def main() -> None:
    """Print what each sees, and at the end how each got on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--limit", type=int, default=0)
    given = parser.parse_args()
    with edgekit.Pipeline(given.model, given.sources) as pipeline:
        for count, result in enumerate(pipeline, 1):
            best = result.best()
            print(f"{result.source}  {best.label if best else '-'}  {result.age * 1000:.0f} ms old", flush=True)
            if count == given.limit:
                break
        for source in pipeline.stats().sources:
            print(f"{source.uri}: {source.results} results, {source.dropped} dropped, {source.state}")


if __name__ == "__main__":
    main()
