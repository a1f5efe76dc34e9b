"""Why a device was chosen, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgekit.choosing.records import Findings
from edgekit.errors import EdgeKitError

OTHERWISE = "Use --device cpu."
"""What hints end with for those who named another device."""


def in_one_line(*parts: str) -> str:
    """The parts that say something, without line breaks."""
    return "; ".join(" ".join(part.split()) for part in parts if part)


def nothing_attached(barred: Mapping[str, EdgeKitError]) -> str:
    """That there was no choice; nothing where there would be one if it worked."""
    return "" if barred else "no accelerator is attached"


def times(findings: Findings, chosen: str, when: str) -> str:
    """What a trial measured; nothing where it measured one device only.

    Args:
        findings: Of the trial.
        chosen: The device that was taken.
        when: `now` or `before`.
    """
    others = [f"{_time(time)} on {name}" for name, time in findings.times.items() if name != chosen]
    if not others or chosen not in findings.times:
        return ""
    return f"{_time(findings.times[chosen])} against {' and '.join(others)} (measured {when})"


def _time(milliseconds: float) -> str:
    digits = 0 if milliseconds >= 100 else 1 if milliseconds >= 1 else 3
    return f"{milliseconds:.{digits}f} ms"


def left_out(findings: Findings, failures: Mapping[str, EdgeKitError]) -> Iterator[str]:
    """Why what is attached did not come into question, with the cures."""
    for name in findings.different:
        yield f"{name} gives other results than the cpu and is left out"
    for name, reason in findings.unsuited.items():
        yield f"{name} cannot be used: {reason}"
    for name, error in failures.items():
        yield f"{name} cannot be used: {of(error)}"


def of(error: EdgeKitError) -> str:
    """What an error says, with its cure where that is more than to take the processor."""
    hint = " ".join(error.hint.replace(OTHERWISE, "").split()).rstrip(".")
    return f"{error.message} ({hint})" if hint else error.message


def missing(target: str, device: str) -> str:
    """That the device is not there for which the model was converted."""
    return f"the model was converted for {target}, and no {device} is attached"
