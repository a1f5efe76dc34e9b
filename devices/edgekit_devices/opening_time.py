"""The option `timeout` of devices whose opening may take long: seconds until it is given up."""

from __future__ import annotations

import math
from collections.abc import Mapping

from edgekit.device import Option
from edgekit.errors import UsageError

TIMEOUT = "timeout"
OPTION = Option(TIMEOUT, (), "SECONDS")
MOST_SECONDS = 3600.0


def seconds_of(options: Mapping[str, str], default: float, *, zero: str = "") -> float:
    """The time limit that a user's options give.

    Args:
        options: By name.
        default: In seconds, where none is given.
        zero: What 0 stands for, in words for the user; empty where it stands for nothing.

    Raises:
        UsageError: it is no number of seconds, or one out of range.
    """
    text = options.get(TIMEOUT, "")
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = math.nan
    if 0 < seconds <= MOST_SECONDS or (seconds == 0 and zero):
        return seconds
    allowed = f"from 0 to {MOST_SECONDS:g}; 0 {zero}" if zero else f"above 0, up to {MOST_SECONDS:g}"
    raise UsageError(f"device option {TIMEOUT} cannot be '{text}'", hint=f"Give seconds {allowed}.")
