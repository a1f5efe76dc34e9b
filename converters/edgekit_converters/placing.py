"""Where the finished network will run: the target's analyser, held to what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from edgekit import plugins
from edgekit.errors import ConversionError, DeviceError, MissingDependencyError
from edgekit.placement import Analyser, PlacedOperation, Placement
from edgekit_converters.content import layer_of
from edgekit_converters.options import Options
from edgekit_converters.tracing.places import Place
from edgekit_devices.targets import TARGETS

GROUP: Final = "edgekit.placements"
PERCENT = 100
LITTLE = 0.5
"""Share of the work below which an accelerator is of little use."""


def place(flatbuffer: bytes, options: Options, places: Mapping[str, Place]) -> Placement | None:
    """Tell where each operation will run; None for a target without an accelerator, and where it is not known here.

    Args:
        flatbuffer: The network, before anything is put in front of it.
        options: Target, and whether all of it has to run there.
        places: Layers by the names of their operations.

    Raises:
        ConversionError: the accelerator's compiler would refuse the file, or leaves out part of it that was required.
    """
    if options.target not in plugins.registered(GROUP):
        return None
    title = TARGETS[options.target].title
    analyse: Analyser = plugins.load(GROUP, options.target)
    try:
        placed = analyse(flatbuffer)
    except (DeviceError, MissingDependencyError) as error:  # nothing here that could be asked
        if not options.require_full_mapping:
            return None
        raise ConversionError(error.message, hint=error.hint) from error
    if placed.refusals:
        refusal = placed.refusals[0]
        causes = dict.fromkeys(_where(placed.operations[index], places) for index in refusal.operations)
        who = f"{title}'s compiler" if placed.compiler else title
        raise ConversionError(
            f"{who} would refuse the model ({refusal.status}): {refusal.reason}"
            + (f" They come from {'; '.join(causes)}." if causes else ""),
            hint=refusal.advice,
        )
    if options.require_full_mapping and placed.wrong:
        wrong = [one for one in placed.operations if one.placement == placed.target and one.advice]
        raise ConversionError(
            "; ".join([placed.wrong, *(_where(one, places) for one in wrong)]),
            hint=next((one.advice for one in wrong), "Convert it without --require-full-mapping, and look at the file "
                      f"with edgekit inspect FILE --target {options.target}."),
        )
    if options.require_full_mapping and placed.on_cpu:
        raise ConversionError(
            f"{placed.on_cpu} of {len(placed.operations)} operations would stay off {title}: "
            + "; ".join(f"{_where(one, places)}: {one.reason}" for one in _left(placed)),
            hint=next((one.advice for one in _left(placed) if one.advice), ""),
        )
    return placed


def warnings_of(placed: Placement | None, target: str) -> list[str]:
    """Warnings where the accelerator has next to nothing to do, computes something else, or could not be asked."""
    title = TARGETS[target].title
    if placed is None:
        ask = "edgekit inspect FILE --target jetson tells why, and what it takes"
        return [f"which operations {title} takes is not known here: {ask}"] if title else []
    ask = f"edgekit inspect FILE --target {target} tells which operations, and what to do"
    found = [f"{placed.wrong}: {ask}"] if placed.wrong else []
    if placed.mac_share is not None and placed.mac_share < LITTLE:
        share = f"only {placed.mac_share * PERCENT:.0f} % of this model's work runs on {title}"
        found.append(f"{share}: it will hardly be faster than on the cpu")
    return found


def _where(operation: PlacedOperation, places: Mapping[str, Place]) -> str:
    return f"{operation.type} in {layer_of(operation.name, places)}"


def _left(placed: Placement) -> list[PlacedOperation]:
    """The operations that stay off the accelerator for their own sake, one of each kind.

    Where it was asked, what could run there and lies in another part has no advice.
    """
    off = [one for one in placed.operations if one.placement != placed.target and not one.after]
    own = [one for one in off if one.advice or not placed.asked]
    return list({(one.type, one.reason): one for one in reversed(own)}.values())[::-1]


def _by(placed: Placement) -> str:
    return "as far as its rules tell" if placed.compiler else f"by the answer of {placed.asked}"


def placement_lines(placed: Placement, target: str) -> Iterator[str]:
    """Where the model will run, and what to change, a line each."""
    title = TARGETS[target].title
    share = f", {placed.mac_share * PERCENT:.1f} % of the work" if placed.mac_share is not None else ""
    yield f"{placed.on_target} of {len(placed.operations)} operations on {title}{share}, {_by(placed)}"
    for one in _left(placed):
        yield f"{one.type} stays on the cpu: {one.reason}" + (f" {one.advice}" if one.advice else "")
