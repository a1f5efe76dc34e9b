"""Options that are one of a few words."""

from __future__ import annotations

from collections.abc import Sequence

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
