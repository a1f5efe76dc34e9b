"""What is attached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["accelerator", "camera", "sensor", "audio"]
State = Literal["usable", "no permission", "busy", "library missing", "not usable"]


@dataclass(frozen=True, slots=True)
class Listed:
    """Something that a model can run on, or take samples from.

    Attributes:
        kind: What it is.
        use: What to write for it: behind `--device` for an accelerator, as SOURCE for the others. Where more has to be
            said, that is in capitals, as in `i2c:1?address=ADDRESS&registers=...`.
        name: What its driver or maker calls it.
        state: Whether it can be used, as far as can be told without using it.
        detail: What else is known of it, or why it cannot be used.
        mend: The command that changes that, or what to do; empty where nothing has to be done.
    """

    kind: Kind
    use: str
    name: str
    state: State = "usable"
    detail: str = ""
    mend: str = ""
