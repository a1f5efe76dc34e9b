"""Where a layer stands in a model, in the user's words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A layer's place.

    Attributes:
        name: Its name.
        kind: Its class.
        number: Counted from 1 over all layers, those of nested models in their order; inputs are not counted.
        count: How many there are.
        inside: Names of the nested models around it, outermost first.
    """

    name: str
    kind: str
    number: int
    count: int
    inside: tuple[str, ...] = ()

    def __str__(self) -> str:
        inside = f" inside '{'/'.join(self.inside)}'" if self.inside else ""
        return f"layer {self.number} of {self.count}, '{self.name}' ({self.kind}){inside}"
