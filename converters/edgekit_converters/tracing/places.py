"""Where a layer stands in a model, in the user's words."""

from __future__ import annotations

from collections.abc import Mapping
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

    @property
    def path(self) -> str:
        """Its name, after those of the nested models around it: `encoder/conv`."""
        return "/".join((*self.inside, self.name))

    def __str__(self) -> str:
        inside = f" inside '{'/'.join(self.inside)}'" if self.inside else ""
        return f"layer {self.number} of {self.count}, '{self.name}' ({self.kind}){inside}"


def first_place(tensor: str, places: Mapping[str, Place]) -> Place | None:
    """The layer that computes a tensor; of several that were fused into one operation, the one that comes first.

    Args:
        tensor: Its name: TensorFlow joins scopes by slashes and fused ones by ';', and puts digits behind a name that
            a constant has too.
        places: Layers by the names of their operations.
    """
    found = (_known(part, places) for part in tensor.split(";"))
    return min((place for place in found if place), key=lambda place: place.number, default=None)


def _known(name: str, places: Mapping[str, Place]) -> Place | None:
    """The layer of an operation whose name may have one or two digits more."""
    shorter = (name[: len(name) - cut] for cut in range(3) if not cut or name[-cut:].isdigit())
    return next((places[each] for each in shorter if each in places), None)
