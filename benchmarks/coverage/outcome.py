"""What is measured of a case, and the files in which it is kept from one run to the next."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_name("results")
GROUPS = ("families", "layers", "applications")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case; a failure has its message, and all else as it starts.

    Attributes:
        name: The case's.
        error: What the user is told, where the model does not convert; else empty.
        crashed: Whether a process died, rather than an error being raised.
        size: Bytes of the file.
        operations: How many operations it has.
        float_tensors: Names of the float tensors that operations read or write, or that go in or out.
        other_ends: Inputs and outputs that are no int8 although the Keras model's are float, as `name (type)`.
        sqnr_db: 10·log10(Σf² / Σ(f-q)²) on samples that were not used for calibration; None where nothing
            differs or nothing could be run.
        largest_error: Largest difference as a share of the range of the float results.
        seconds: Wall time of the conversion.
        peak_memory: The most memory that the converter's process took, in bytes.
        rewrites: What the converter says it rewrote, a sentence each, by name.
        warnings: What else it says.
        litert: `yes`, or why the file does not run on ai-edge-litert.
        old_runtime: The same for tflite-runtime; empty where it was not tried.
        old_steps: Largest difference between the two runtimes' output values; None where not both ran.
        old_sqnr_db: `sqnr_db` under tflite-runtime.
    """

    name: str
    error: str = ""
    crashed: bool = False
    size: int = 0
    operations: int = 0
    float_tensors: tuple[str, ...] = ()
    other_ends: tuple[str, ...] = ()
    sqnr_db: float | None = None
    largest_error: float | None = None
    seconds: float = 0.0
    peak_memory: int = 0
    rewrites: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    litert: str = ""
    old_runtime: str = ""
    old_steps: int | None = None
    old_sqnr_db: float | None = None

    @property
    def full_int8(self) -> bool:
        """No operation reads or writes a float tensor; integers go in and come out."""
        return not (self.error or self.float_tensors or self.other_ends)


@dataclass(frozen=True, slots=True)
class Kept:
    """The last results of a group, and what they were measured with."""

    versions: dict[str, str]
    outcomes: tuple[Outcome, ...]


def load(group: str) -> Kept:
    """What was kept of a group; nothing where it was never measured."""
    path = KEPT / f"{group}.json"
    if not path.is_file():
        return Kept({}, ())
    facts = json.loads(path.read_text(encoding="utf-8"))
    return Kept(facts["versions"], tuple(from_json(each) for each in facts["cases"]))


def from_json(facts: dict[str, Any]) -> Outcome:
    """An outcome from what `to_json` gave."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}
    return Outcome(**values)


def save(group: str, kept: Kept) -> None:
    """Keep a group's results: a case a line, so that two runs compare well."""
    KEPT.mkdir(exist_ok=True)
    lines = ",\n".join("  " + json.dumps(to_json(outcome), ensure_ascii=False) for outcome in kept.outcomes)
    text = f'{{"versions": {json.dumps(kept.versions)}, "cases": [\n{lines}\n]}}\n'
    (KEPT / f"{group}.json").write_text(text, encoding="utf-8")


def to_json(outcome: Outcome) -> dict[str, object]:
    """Only what differs from how an outcome starts."""
    start = asdict(Outcome(outcome.name))
    return {key: value for key, value in asdict(outcome).items() if key == "name" or value != start[key]}


def merged(before: Iterable[Outcome], new: Iterable[Outcome], order: Iterable[str]) -> tuple[Outcome, ...]:
    """The new outcomes in the place of earlier ones, in the order of the corpus."""
    found = {outcome.name: outcome for outcome in (*before, *new)}
    return tuple(found[name] for name in order if name in found)
