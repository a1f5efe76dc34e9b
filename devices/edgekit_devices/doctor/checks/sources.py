"""A source that could be opened: whether samples come, how many, how old, and whether anything is on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgekit_devices.doctor.failures import cure
from edgekit_devices.doctor.finding import Finding, blocked, ok, warning
from edgekit_devices.machine import Machine

OLD_SECONDS = 0.5
APART_SECONDS = 0.2
RETRYING = ": retrying"
"""An event that says only what comes next."""


def source_findings(shown: str, found: Mapping[str, Any], _machine: Machine) -> Iterator[Finding]:
    """What came of it.

    Args:
        shown: The source, without passwords.
        found: From `edgekit_devices.doctor.trial.try_sources`.
    """
    if found["first"] is None:
        yield _nothing(shown, found)
        return
    rate = f", {found['fps']:.1f} a second" if found["fps"] else ""
    ran = f"; the model makes {found['ran']} of it" if found["ran"] else ""
    yield ok(f"{shown}: {found['what']} after {found['first']:.1f} s{rate}{ran}")
    yield from _quality(shown, found)
    for text in (*found["problems"], *found["warnings"]):
        yield warning(text, *cure(text))


def _nothing(shown: str, found: Mapping[str, Any]) -> Finding:
    told = [text for text in (*found["problems"], *found["events"]) if RETRYING not in text]
    last = told[-1].removeprefix(f"{shown}: ") if told else ""
    why, mend = cure(last)
    return blocked(f"{shown}: it was opened, and gives no sample{f': {last}' if last else ''}", why,
                   mend or "edgekit devices   # what is attached, and who uses it")


def _quality(shown: str, found: Mapping[str, Any]) -> Iterator[Finding]:
    if found["dark"]:
        yield warning(f"{shown}: the picture is black", "A cap, no light, or a camera that has not adjusted yet.")
    elif found["alike"]:
        yield warning(
            f"{shown}: all pictures are the same, to the last bit", "A camera's noise makes each differ: it hangs, or "
            "was unplugged and the driver repeats its last picture.", "Unplug it and plug it in again.",
        )
    if found["age"] is not None and found["age"] > OLD_SECONDS:
        yield warning(f"{shown}: samples are {found['age']:.1f} s old when they arrive",
                      "They wait in a buffer of the camera or the network.",
                      "edgekit run ... --max-age 0.5   # and a smaller picture, or a key frame a second")
    if found["apart"] > APART_SECONDS:
        yield warning(f"{shown}: what the sources give at a time lies {found['apart']:.2f} s apart",
                      "The model gets a moment of one with another moment of the other.",
                      "Give the slower source a higher rate, such as ?rate=100 or ?fps=30.")
    if found["lost"]:
        yield warning(
            f"{shown}: {found['lost']} samples were lost before they arrived",
            "The processor or the bus does not keep up: an overrun of a microphone, a gap in a camera's numbers.",
            "Take a smaller size or rate, such as camera:0?size=640x480&fps=15, or a USB port of its own.",
        )
