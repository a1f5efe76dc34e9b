"""What a check found, and what a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from edgekit_devices.machine import Machine

Level = Literal["ok", "note", "warning", "blocked"]
LEVELS: tuple[Level, ...] = ("ok", "note", "warning", "blocked")
"""From the least to the gravest. Blocked: what was asked for, what every run needs, or an Edge TPU that is attached,
cannot be used."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: How grave it is.
        what: What is so, in one sentence.
        why: What comes of it; empty where that is plain, or nothing does.
        mend: The command that changes it, or several, a line each; in words where no command can do it. Empty where
            nothing has to be done.
    """

    level: Level
    what: str
    why: str = ""
    mend: str = ""


Look = Callable[[Machine], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One question.

    Attributes:
        name: Short, lasting, such as `python-version`: scripts may look for it.
        group: The heading under which its findings are shown.
        look: Answers it; nothing where the question does not arise on the machine.
    """

    name: str
    group: str
    look: Look


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, with the check that made it."""

    check: Check
    finding: Finding


def ok(what: str) -> Finding:
    """All is well."""
    return Finding("ok", what)


def note(what: str, why: str = "", mend: str = "") -> Finding:
    """Worth knowing; nothing need be done."""
    return Finding("note", what, why, mend)


def warning(what: str, why: str = "", mend: str = "") -> Finding:
    """It works worse than it could, or may fail later."""
    return Finding("warning", what, why, mend)


def blocked(what: str, why: str = "", mend: str = "") -> Finding:
    """It cannot work."""
    return Finding("blocked", what, why, mend)


def gravest(found: Iterable[Found]) -> Level:
    """The level of the whole."""
    return max((one.finding.level for one in found), key=LEVELS.index, default="ok")
