"""Options that are one of a few words, or a count."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

from edgekit.errors import UsageError


def one_of(option: str, value: str, allowed: Sequence[str]) -> str:
    """`value`, where it is allowed.

    Args:
        option: What it is called, for the message.
        value: As the user wrote it.
        allowed: The words that exist.

    Raises:
        UsageError: it is none of them; the hint names the one that looks like it, and lists them all.
    """
    if value in allowed:
        return value
    import difflib  # 4 ms, for mistakes only

    near = difflib.get_close_matches(str(value), allowed, n=1)
    meant = f"Did you mean '{near[0]}'? " if near else ""
    raise UsageError(f"{option} cannot be '{value}'", hint=f"{meant}Choose one of {', '.join(allowed)}.")


MOST = 2**31 - 1


def check_count(option: str, value: Any, most: int | None = None) -> None:
    """See that an option is a whole number from 1.

    Args:
        option: What it is called, for the message.
        value: As the user gave it.
        most: The largest that it may be.

    Raises:
        UsageError: it is none.
    """
    if not 1 <= _integer(value) <= (most or MOST):
        wanted = f"a whole number from 1 to {most}" if most else "a whole number, 1 or more"
        raise UsageError(f"{option} is {value!r}", hint=f"Give {wanted}.")


def _integer(value: Any) -> int:
    """The value as an integer; 0 where it is none. To Python `True` is one, and it is hardly meant as a count."""
    try:
        return 0 if isinstance(value, bool) else index(value)
    except TypeError:
        return 0
