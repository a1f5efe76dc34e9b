"""The page docs/coverage.md: counts, a table a group, and what users are told of the cases that fail."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.coverage.outcome import Kept, Outcome

PAGE = Path("docs/coverage.md")
TITLES = {"families": "Whole models", "layers": "Layers", "applications": "Architectures of keras.applications"}
_INTRODUCTION = """# What converts

Every layer of `keras.layers` that computes something at inference, every architecture of `keras.applications`
(untrained weights, small pictures, 10 classes) and models of each family, converted to int8 with `edgekit.convert`
and default settings, but for the calibrator, which is `minmax` and tries nothing: [accuracy](accuracy.md) tells what
the default one brings. This page is written by a command; its figures are measured.

- **int8**: no operation reads or writes a float tensor, and what goes in and comes out is int8 (token numbers stay
  integers). Otherwise the number of float tensors, or `fails`: the messages are at the end.
- **error**: against the Keras model, on samples that were not used for calibration: signal to noise in decibels, and
  the largest difference as a share of the range of the float results.
- **seconds**: of the whole conversion, most of them TensorFlow's start; two ran side by side on a busy machine.
- **MB**: the most memory that the converter's process took.
- **LiteRT**, **2.14**: whether the file runs on ai-edge-litert and on tflite-runtime 2.14. There, `same` means the
  same output values, `±1` one quantization step apart at most; otherwise the decibels under that runtime are given.
- **rewritten**: what the converter put into another form, by the name that `keep` takes; explained below the table.
"""
_COMMAND = """## Make it again

```sh
python -m benchmarks.coverage all --old-runtime PYTHON --write
```

`PYTHON` is an interpreter of Python 3.11 with `tflite-runtime==2.14.0` and `numpy<2`; without it that column says
"not tried". The groups can be measured one at a time (`families`, `layers`, `applications`), and single cases by the
start of their names (`--only LSTM GRU`); what was measured before is kept in `benchmarks/coverage/results/`.
"""
_HEAD = (
    "| {} | int8 | bytes | operations | dB | largest error | seconds | MB | LiteRT | 2.14 | rewritten |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---|---|---|"
)


def page(groups: Mapping[str, Kept]) -> str:
    """The whole page, Markdown."""
    parts = [_INTRODUCTION, _summary(groups)]
    parts += [_group(TITLES[name], kept.outcomes) for name, kept in groups.items()]
    parts += [_failures(groups), _versions(groups), _COMMAND]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def line(outcome: Outcome) -> str:
    """An outcome in one line, for a terminal."""
    if outcome.error:
        return f"{outcome.name}: FAILS: {outcome.error.splitlines()[0]}"
    decibels = "equal" if outcome.sqnr_db is None else f"{outcome.sqnr_db:.1f} dB"
    facts = [_int8(outcome), f"{outcome.size:,} bytes", f"{outcome.operations} operations", decibels,
             f"{outcome.seconds:.1f} s", outcome.litert, _old(outcome)]
    return f"{outcome.name}: {', '.join(fact for fact in facts if fact)}"


def _summary(groups: Mapping[str, Kept]) -> str:
    rows = [
        "| | cases | convert | full int8 | run on LiteRT | run on tflite-runtime 2.14 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, kept in groups.items():
        found = kept.outcomes
        counts = (
            len(found), sum(not o.error for o in found), sum(o.full_int8 for o in found),
            sum(o.litert == "yes" for o in found), sum(o.old_runtime == "yes" for o in found),
        )
        rows.append(f"| {TITLES[name]} | {' | '.join(map(str, counts))} |")
    return "\n".join(rows)


def _group(title: str, outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return f"## {title}\n\nNot measured yet."
    rewrites = {name: said for outcome in outcomes for name, said in outcome.rewrites.items()}
    rows = [f"## {title}\n", _HEAD.format("model" if title != "Layers" else "layer")]
    rows += [_row(outcome) for outcome in outcomes]
    rows += ["", *(f"- `{name}`: {said}" for name, said in rewrites.items())]
    return "\n".join(rows)


def _row(outcome: Outcome) -> str:
    if outcome.error:
        return f"| {outcome.name} | **{'crash' if outcome.crashed else 'fails'}** | | | | | | | | | |"
    cells = [
        outcome.name, _int8(outcome), f"{outcome.size:,}", str(outcome.operations),
        "" if outcome.sqnr_db is None else f"{outcome.sqnr_db:.1f}",
        "" if outcome.largest_error is None else f"{outcome.largest_error:.2%}",
        f"{outcome.seconds:.1f}", f"{outcome.peak_memory / 1e6:,.0f}", _short(outcome.litert), _old(outcome),
        " ".join(outcome.rewrites),
    ]
    return f"| {' | '.join(cells)} |"


def _int8(outcome: Outcome) -> str:
    if outcome.full_int8:
        return "yes"
    return f"**{len(outcome.float_tensors)} float**" if outcome.float_tensors else "**ends**"


def _short(said: str) -> str:
    """What a runtime said, in a word."""
    return "yes" if said == "yes" else "**crash**" if said.startswith("crashes") else "**no**"


def _old(outcome: Outcome) -> str:
    """How the old runtime fares beside the new one."""
    if outcome.old_runtime != "yes":
        return _short(outcome.old_runtime) if outcome.old_runtime else "not tried"
    if outcome.old_steps is not None and outcome.old_steps <= 1:
        return "±1" if outcome.old_steps else "same"
    return "" if outcome.old_sqnr_db is None else f"{outcome.old_sqnr_db:.1f} dB"


def _failures(groups: Mapping[str, Kept]) -> str:
    every = [outcome for kept in groups.values() for outcome in kept.outcomes]
    parts = ["## What does not convert, and what users are told\n"]
    parts += [f"- **{o.name}**: {_quoted(o.error)}" for o in every if o.error]
    parts += ["", "## What stays float\n"]
    parts += [f"- **{o.name}**: {', '.join(_names(o))}" for o in every if not o.error and not o.full_int8]
    parts += ["", "## What a runtime refuses\n"]
    parts += [
        f"- **{o.name}**, {runtime}: {_quoted(said)}" for o in every
        for runtime, said in (("ai-edge-litert", o.litert), ("tflite-runtime 2.14", o.old_runtime))
        if said not in {"", "yes"}
    ]
    return "\n".join(parts)


def _names(outcome: Outcome, most: int = 3) -> list[str]:
    found = [f"`{name}`" for name in dict.fromkeys((*outcome.float_tensors, *outcome.other_ends))]
    return found if len(found) <= most else [*found[:most], f"and {len(found) - most} more"]


def _quoted(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


def _versions(groups: Mapping[str, Kept]) -> str:
    versions = {name: version for kept in groups.values() for name, version in kept.versions.items()}
    listed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return f"## Measured with\n\n{listed}; {platform.machine()}."
