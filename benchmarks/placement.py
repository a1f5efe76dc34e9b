"""How often the foretold placement on the Edge TPU is the one that its compiler made.

    python benchmarks/placement.py [TRUTH]

TRUTH is a JSON file, which may be gzipped, with a list of models: what `edgekit_devices.coral.placement.read_record`
takes, `mapped` for each operation, and where there is one the model's `file` beside TRUTH. By default it is the one
of shared data beside the checkout. Exit code 1 where fewer than 99.5 % of all operations agree.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.placement import Placement
from edgekit_devices.coral.placement import analyse, place, read_record

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "data" / "edgetpu" / "placement_truth.json.gz"
WANTED = 0.995
SMALLEST = 100_000
"""Bytes of parameters from which on their estimate is compared."""


def load(path: Path) -> list[dict[str, Any]]:
    """The records of a truth file."""
    content = path.read_bytes()
    records: list[dict[str, Any]] = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    return records


def agreeing(record: Mapping[str, Any], placed: Placement) -> int:
    """Number of operations that are where the compiler put them."""
    told = [operation.placement == placed.target for operation in placed.operations]
    return sum(said == op["mapped"] for said, op in zip(told, record["ops"], strict=True))


def parameter_error(record: Mapping[str, Any], placed: Placement) -> float | None:
    """Relative error of the parameters' estimated size; None where they are few or not known."""
    true = (record.get("params_cached_bytes") or 0) + (record.get("params_streamed_bytes") or 0)
    return placed.memory.parameters / true - 1 if placed.memory and true >= SMALLEST else None


def main(path: Path) -> int:
    """Print the agreement of each model, from its record and from its file, and of all."""
    totals = {"record": [0, 0, 0, 0], "file": [0, 0, 0, 0]}
    errors = []
    for record in load(path):
        placements = {"record": place(read_record(record))}
        if record.get("file") and (path.parent / record["file"]).is_file():
            placements["file"] = analyse(path.parent / record["file"])
        number = len(record["ops"])
        cells = []
        for kind, placed in placements.items():
            right = agreeing(record, placed)
            totals[kind] = [a + b for a, b in zip(totals[kind], (right, number, right == number, 1), strict=True)]
            cells.append(f"{right:4} of {number:4} by its {kind}")
        error = parameter_error(record, placements["record"])
        errors += [abs(error)] if error is not None else []
        print(f"{record['model'][:48]:48}  {'   '.join(cells)}")
    for kind, (right, number, exact, models) in totals.items():
        if models:
            print(f"by {kind}: {right} of {number} operations ({right / number:.2%}), {exact} of {models} models exact")
    if errors:
        print(f"parameter memory: median error {statistics.median(errors):.1%}, worst {max(errors):.1%}, "
              f"{len(errors)} models")
    return 0 if totals["record"][0] >= WANTED * totals["record"][1] else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else TRUTH))
