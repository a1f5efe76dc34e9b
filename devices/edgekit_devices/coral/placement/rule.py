"""Rules: functions whose docstring is the message that the user reads, and the row of Coral's table behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import cleandoc

from edgekit_devices.coral.placement.phrases import UNSPECIFIED
from edgekit_devices.coral.placement.step import Step

Check = Callable[[Step], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that an operation has to meet.

    Attributes:
        name: Of the function.
        message: What has to hold.
        source: Where that is from: a row of Coral's table, or what was seen.
        types: Operations that it is about; all where empty.
        status: The compiler's phrase where it does not hold.
        advice: What to change in the model; empty where it depends on the operation.
        certain: False where the limit is not published and only lies somewhere near.
        holds: The condition.
    """

    name: str
    message: str
    source: str
    types: frozenset[str]
    status: str
    advice: str
    certain: bool
    holds: Check

    def concerns(self, step: Step) -> bool:
        """Whether the rule is about this kind of operation."""
        return not self.types or step.type in self.types


def rule(
    *types: str, status: str = UNSPECIFIED, advice: str = "", certain: bool = True, **numbers: int
) -> Callable[[Check], Rule]:
    """Make a rule of a function.

    Its docstring's first paragraph is the message and the second the source; `{names}` in it stand for `numbers`.
    """

    def make(holds: Check) -> Rule:
        message, _, source = cleandoc(holds.__doc__ or "").format(**numbers).partition("\n\n")
        name = getattr(holds, "__name__", "")
        return Rule(
            name, " ".join(message.split()), " ".join(source.split()), frozenset(types), status, advice, certain, holds
        )

    return make
