"""Which operations of the coverage corpus LiteRT's GPU accelerator refuses, on the Vulkan adapter that is here.

    python benchmarks/gpu_operations.py families layers -o answers.jsonl
    python benchmarks/gpu_operations.py --table answers.jsonl

Each model is converted as `edgekit convert --target jetson` does, and the accelerator is asked. A line is written for
each; cases that have one are left out when the command is run again, since a converter or driver may die on the way.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

TAKEN, PARTLY, NOTHING, WRONG, FAILED = "all", "part", "nothing", "wrong", "not converted"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("groups", nargs="*", help="families, layers, applications")
    parser.add_argument("-o", "--output", type=Path, default=Path("gpu_operations.jsonl"))
    parser.add_argument("--precision", default="float16")
    parser.add_argument("--table", type=Path, metavar="FILE", help="print what a finished file says, and do nothing")
    asked = parser.parse_args()
    if asked.table:
        print("\n".join(table([json.loads(line) for line in asked.table.read_text().splitlines()])))
        return
    done = {(entry["group"], entry["case"]) for entry in _read(asked.output)}
    for group in asked.groups:
        _measure_group(group, done, asked.output, asked.precision)


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _measure_group(group: str, done: set[tuple[str, str]], output: Path, precision: str) -> None:
    from benchmarks.coverage.corpus import cases_of

    for case in cases_of(group):
        if (group, case.name) in done:
            continue
        _write(output, {"group": group, "case": case.name, "outcome": "died"})
        entry = {"group": group, "case": case.name, **measure(case, precision)}
        lines = output.read_text().splitlines()[:-1]
        output.write_text("".join(f"{line}\n" for line in lines))
        _write(output, entry)
        print(entry["case"], entry["outcome"], flush=True)


def _write(output: Path, entry: dict[str, Any]) -> None:
    with output.open("a") as file:
        file.write(f"{json.dumps(entry)}\n")


def measure(case: Any, precision: str) -> dict[str, Any]:
    """What becomes of a case: how much of it the GPU takes, and why not the rest."""
    import keras

    from edgekit.errors import EdgeKitError
    from edgekit_converters.jobs import prepared
    from edgekit_converters.options import check_options
    from edgekit_devices.gpu.placement import analyse

    keras.backend.clear_session()
    try:
        options = check_options(target="jetson", precision=precision)
        with prepared(case.model(), None, options, None) as ready:
            made = ready.job.carry_out(lambda _: None)
            placed = analyse(made.path.read_bytes())
    except EdgeKitError as error:
        return {"outcome": FAILED, "error": error.message}
    except Exception as error:  # the corpus holds models that Keras itself refuses here
        return {"outcome": FAILED, "error": f"{type(error).__name__}: {error}"[:200]}
    refused = sorted({(one.type, one.reason) for one in placed.operations if one.status.startswith("Refused")})
    return {
        "outcome": _outcome(placed), "operations": len(placed.operations), "on_gpu": placed.on_target,
        "kinds": dict(Counter(one.type for one in placed.operations)), "refused": refused, "wrong": placed.wrong,
        "wrong_kinds": sorted({one.type for one in placed.operations if "something else" in one.status}),
        "refusals": [asdict(refusal) for refusal in placed.refusals], "asked": placed.asked,
    }


def _outcome(placed: Any) -> str:
    if placed.wrong:
        return WRONG
    if placed.on_target == len(placed.operations):
        return TAKEN
    return PARTLY if placed.on_target else NOTHING


def table(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Markdown: how many cases of each group run on the GPU, and what is refused, by operation."""
    yield "| group | cases | wholly on the GPU | in part | not at all | wrong | not converted |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for group in dict.fromkeys(entry["group"] for entry in entries):
        counted = Counter(entry["outcome"] for entry in entries if entry["group"] == group)
        numbers = [counted[name] for name in (TAKEN, PARTLY, NOTHING, WRONG)]
        lost = counted.total() - sum(numbers)
        yield f"| {group} | {counted.total()} | {' | '.join(map(str, numbers))} | {lost} |"
    yield from ("", "| operation | the accelerator's words | cases |", "|---|---|---|")
    cases: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        for type_, reason in entry.get("refused", ()):
            cases.setdefault((type_, reason), []).append(entry["case"])
    for (type_, reason), names in sorted(cases.items()):
        yield f"| {type_} | {reason} | {', '.join(names)} |"


if __name__ == "__main__":
    main()
