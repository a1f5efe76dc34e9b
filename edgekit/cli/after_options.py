"""The options of the command line for what happens to results after the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.after import Step
    from edgekit.after.places import Point

_OPTIONS = (
    click.option("--track", is_flag=True, help="Give each object a number that it keeps from frame to frame."),
    click.option(
        "--zone", "zones", multiple=True, metavar="NAME=X0,Y0,X1,Y1,...",
        help="Count the objects in a polygon; in pixels, or in parts of the frame from 0 to 1. May be given several "
        "times.",
    ),
    click.option(
        "--line", "lines", multiple=True, metavar="NAME=X0,Y0,X1,Y1",
        help="Count the objects that go over a line, in each direction; tracks them. May be given several times.",
    ),
    click.option(
        "--smooth", type=click.FloatRange(min=0), metavar="SECONDS", help="Average the scores of classes over time."
    ),
    click.option(
        "--debounce", type=click.FloatRange(min=0), metavar="SECONDS",
        help="Keep a class until another has been the best for so long.",
    ),
    click.option("--max-rate", metavar="N/s", help="Pass on no more results than 5/s, 10/min or 1/h."),
    click.option("--on-change", is_flag=True, help="Pass on only results that tell something new."),
    click.option(
        "--hold", type=click.FloatRange(min=0), metavar="SECONDS", help="With --on-change: how long it has to last."
    ),
)


@dataclass(frozen=True, slots=True)
class AfterOptions:
    """What is to happen to results, as the user wrote it."""

    track: bool = False
    zones: Sequence[str] = ()
    lines: Sequence[str] = ()
    smooth: float | None = None
    debounce: float | None = None
    max_rate: str | None = None
    on_change: bool = False
    hold: float | None = None

    def changing(self) -> list[Step]:
        """Steps that add to results.

        Raises:
            UsageError: a zone or line that is none.
        """
        if not (self.track or self.zones or self.lines or self.smooth is not None or self.debounce is not None):
            return []
        from edgekit.after import Debounce, Places, Smooth, Tracker

        steps: list[Step] = [Tracker()] if self.track or self.lines else []
        if self.zones or self.lines:
            zones, lines = _shapes("zone", self.zones), _shapes("line", self.lines)
            _check_names(zones, lines)
            steps.append(Places(zones, lines))
        if self.smooth is not None:
            steps.append(Smooth(self.smooth))
        if self.debounce is not None:
            steps.append(Debounce(self.debounce))
        return steps

    def passing(self) -> list[Step]:
        """Steps that leave results out: the rate first, so that a change that it leaves out is told a little later.

        Raises:
            UsageError: a rate that is none, or `hold` alone.
        """
        if self.hold is not None and not self.on_change:
            raise UsageError("--hold goes with --on-change", hint="Leave one, or give both.")
        if self.max_rate is None and not self.on_change:
            return []
        from edgekit.after import OnChange, RateLimit

        steps: list[Step] = [RateLimit(self.max_rate)] if self.max_rate is not None else []
        return [*steps, OnChange(self.hold or 0.0)] if self.on_change else steps


def after_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command with these options, which it gets as one: `after`, an `AfterOptions`."""
    names = tuple(AfterOptions.__dataclass_fields__)

    @wraps(command)
    def with_after(*arguments: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in names if name in options}
        return command(*arguments, after=AfterOptions(**given), **options)

    wrapped: Callable[..., Any] = with_after
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _shapes(kind: str, given: Sequence[str]) -> dict[str, list[Point]]:
    """Points of each zone or line, by its name."""
    found: dict[str, list[Point]] = {}
    for text in given:
        name, _, numbers = text.partition("=")
        try:
            values = [float(number) for number in numbers.split(",")]
        except ValueError:
            values = []
        if not name or not values or len(values) % 2:
            form = "NAME=X0,Y0,X1,Y1" if kind == "line" else "NAME=X0,Y0,X1,Y1,X2,Y2"
            raise UsageError(f"--{kind} '{text}' is no {kind}", hint=f"Write it as {form}.")
        if name in found:
            raise UsageError(f"the {kind} {name} is given twice", hint="Give each a name of its own.")
        found[name] = list(zip(values[0::2], values[1::2], strict=True))
    return found


def _check_names(zones: Mapping[str, object], lines: Mapping[str, object]) -> None:
    both = next((name for name in zones if name in lines), None)
    if both is not None:
        raise UsageError(f"{both} is a zone and a line", hint="Give each a name of its own.")
