"""Single cells of text: numbers, times, and what people leave in their place."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from typing import Any

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Units of time, in seconds."""
MOST_SHOWN = 40
_TIME_NAME = re.compile(r"(?i)(?:t|time|timestamp|seconds|datetime)(?:[_ (\[]*(s|sec|seconds|ms|us|ns)[)\]]?)?")
_FRACTION = re.compile(r"\.(\d+)")
_EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none"})


def is_time(name: str) -> bool:
    """Whether a column of that name holds times: `t`, `time`, `timestamp`, `time_ms`, ..."""
    return _TIME_NAME.fullmatch(name) is not None


def unit_of(name: str) -> str:
    """The unit that the name of a column of times says; seconds where it says none."""
    match = _TIME_NAME.fullmatch(name)
    said = match.group(1).lower() if match and match.group(1) else "s"
    return said if said in UNITS else "s"


def is_value(cell: str) -> bool:
    """Whether it is data rather than a heading."""
    return cell.lower() not in _EMPTY and moment(cell) is not None


def number(cell: Any) -> float | None:
    """A number; NaN for what is left empty; None for what is none."""
    if isinstance(cell, (bool, int, float)):
        return float(cell)
    if cell is None or (isinstance(cell, str) and cell.lower() in _EMPTY):
        return math.nan
    try:
        return None if not isinstance(cell, str) or "_" in cell else float(cell)
    except ValueError:
        return None


def moment(cell: Any) -> float | None:
    """A time: a number, or a date by ISO 8601 (UTC where it does not say) as seconds since 1970; None for neither."""
    found = number(cell)
    if found is not None or not isinstance(cell, str):
        return found
    plain = _FRACTION.sub(lambda found: f".{found[1][:6]:0<6}", cell.replace("Z", "+00:00"))
    try:
        date = datetime.fromisoformat(plain)  # which before Python 3.11 takes no Z, and three or six digits only
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()


def shown(text: str) -> str:
    """Text for a message: cut short, and without what no terminal should get."""
    text = text.strip()
    printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return f"'{printable[:MOST_SHOWN]}…'" if len(printable) > MOST_SHOWN else f"'{printable}'"
