"""Reading a head's options, which come as text from the command line and as values from Python or a model file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any, TypeVar

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.tasks.types import Settings

Value = TypeVar("Value")

_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


class HeadOptions:
    """The options given to one head.

    Args:
        head: Its name, for messages.
        known: The names that exist.
        given: By name.

    Raises:
        UsageError: one has a name that does not exist.
    """

    def __init__(self, head: str, known: Mapping[str, str], given: Mapping[str, object]) -> None:
        if given and not known:
            raise UsageError(f"head {head} has no options, and {', '.join(given)} was given", hint="Leave it out.")
        for name in given:
            one_of(f"an option of head {head}", name, tuple(known))
        self._head, self._given = head, given

    def number(self, name: str, default: float, *, least: float = -inf, most: float = inf) -> float:
        """A real number."""
        return self.numbers(name, (default,), least=least, most=most, count=1)[0]

    def whole(self, name: str, default: int, *, least: int = 0) -> int:
        """A whole number."""
        return self.wholes(name, (default,), least=least, count=1)[0]

    def wholes(self, name: str, default: Sequence[int], *, least: int = 0, count: int | None = None) -> tuple[int, ...]:
        """Whole numbers, in text separated by commas."""
        found = self.numbers(name, default, least=least, count=count)
        if any(not value.is_integer() for value in found):
            raise self._bad(name, "whole numbers")
        return tuple(int(value) for value in found)

    def numbers(
        self, name: str, default: Sequence[float], *, least: float = -inf, most: float = inf, count: int | None = None
    ) -> tuple[float, ...]:
        """Real numbers, in text separated by commas; as many as `count` says."""
        given = self._given.get(name, default)
        items: Sequence[Any] = given.split(",") if isinstance(given, str) else _listed(given)
        try:
            found = tuple(float(item) for item in items)
        except (TypeError, ValueError):
            raise self._bad(name, "a number" if count == 1 else "numbers, separated by commas") from None
        if not found or any(not isfinite(value) or not least <= value <= most for value in found):
            raise self._bad(name, f"{'a number' if count == 1 else 'numbers'} from {least:g} to {most:g}")
        if count is not None and len(found) != count:
            raise self._bad(name, "one number" if count == 1 else f"{count} numbers")
        return found

    def word(self, name: str, default: str, allowed: Sequence[str]) -> str:
        """One of a few words."""
        return one_of(f"option {name} of head {self._head}", str(self._given.get(name, default)), allowed)

    def value(self, name: str) -> object:
        """What was given, as it is; None where nothing was."""
        return self._given.get(name)

    def text(self, name: str) -> str:
        """Any text; empty where it is not given."""
        return str(self._given.get(name, ""))

    def flag(self, name: str, default: bool) -> bool:
        """Yes or no."""
        given = str(self._given.get(name, default)).lower()
        if given not in (*_YES, *_NO):
            raise self._bad(name, "yes or no")
        return given in _YES

    def _bad(self, name: str, wanted: str) -> UsageError:
        return UsageError(f"option {name} of head {self._head} is {self._given.get(name)!r}", hint=f"Give {wanted}.")


def refuse_options(head: str, settings: Settings) -> None:
    """See that nothing is said of a head that has neither options nor a least score.

    Raises:
        UsageError: something is.
    """
    HeadOptions(head, {}, settings.options)
    refuse_score(head, settings)


def refuse_score(head: str, settings: Settings) -> None:
    """See that no least score is given to a head that has none.

    Raises:
        UsageError: one is.
    """
    if settings.score is not None:
        raise UsageError(f"head {head} has no least score", hint="Leave score out.")


def _listed(given: object) -> Sequence[Any]:
    return given if isinstance(given, (list, tuple)) else (given,)
