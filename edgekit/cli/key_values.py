"""Options of the form KEY=VALUE, which may be given several times."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.errors import UsageError


def key_values(options: Sequence[str], kind: str = "device option") -> dict[str, str]:
    """What `--device-option` or another of its form gave, by key.

    Raises:
        UsageError: one has no value, or is given twice.
    """
    pairs: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not key or not equals:
            raise UsageError(f"the {kind} '{option}' has no value", hint="Write it as KEY=VALUE.")
        if key in pairs:
            raise UsageError(f"the {kind} {key} is given twice", hint="Leave one of the two.")
        pairs[key] = value
    return pairs
