"""`python -m benchmarks.coverage`: measure the corpus, keep the results, write docs/coverage.md."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.coverage import outcome, pool, table
from benchmarks.coverage.corpus import cases_of
from benchmarks.coverage.outcome import GROUPS, Kept, Outcome

LOG = Path(".cache/coverage.log")
_VERSION = "import tflite_runtime; print(tflite_runtime.__version__)"


def main() -> int:
    """Parse the arguments and do what they say; 2 where they name a case that does not exist."""
    arguments = _parser().parse_args()
    groups = GROUPS if arguments.group == "all" else (arguments.group,) if arguments.group else ()
    wanted = {group: _names(group, arguments.only) for group in groups}
    if groups and not any(wanted.values()):
        print(f"no such case: {', '.join(arguments.only)}", file=sys.stderr)
        return 2
    new: dict[str, list[dict[str, object]]] = {}
    for group, names in wanted.items():
        found = _measure(group, names, arguments.workers, arguments.old_runtime) if names else []
        new[group] = [outcome.to_json(each) for each in found]
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(new, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if arguments.write:
        table.PAGE.write_text(table.page({group: outcome.load(group) for group in GROUPS}), encoding="utf-8")
        print(f"wrote {table.PAGE}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("group", nargs="?", choices=(*GROUPS, "all"), help="what to measure; nothing without it")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="cases whose name starts so")
    parser.add_argument("--workers", type=int, default=2, help="conversions side by side (2)")
    parser.add_argument("--old-runtime", default="", metavar="PYTHON", help="a Python with tflite-runtime 2.14.0")
    parser.add_argument("--write", action="store_true", help="write docs/coverage.md from the results that are kept")
    parser.add_argument("--json", metavar="FILE", help="write what was measured now")
    return parser


def _names(group: str, only: list[str]) -> list[str]:
    names = [case.name for case in cases_of(group)]
    return [name for name in names if not only or any(name.lower().startswith(part.lower()) for part in only)]


def _measure(group: str, names: list[str], workers: int, old_python: str) -> list[Outcome]:
    """Measure, show each outcome as it comes, and keep what was found so far, so that an end by hand costs little."""
    order = [case.name for case in cases_of(group)]
    versions = _versions(old_python)
    found: list[Outcome] = []

    def report(one: Outcome) -> None:
        found.append(one)
        print(f"{group} {len(found)}/{len(names)}  {table.line(one)}", flush=True)
        before = outcome.load(group)
        kept = outcome.merged(before.outcomes, [one], order)
        outcome.save(group, Kept({**before.versions, **versions}, kept))

    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("ab") as log:
        pool.measure_all(group, names, workers=workers, old_python=old_python, log=log, report=report)
    return found


def _versions(old_python: str) -> dict[str, str]:
    from importlib.metadata import version

    import keras
    import tensorflow as tf

    found = {"tensorflow": tf.__version__, "keras": keras.__version__, "ai-edge-litert": version("ai-edge-litert")}
    if old_python:
        said = subprocess.run([old_python, "-c", _VERSION], capture_output=True, text=True, check=True)
        found["tflite-runtime"] = said.stdout.strip()
    return found


if __name__ == "__main__":
    sys.exit(main())
