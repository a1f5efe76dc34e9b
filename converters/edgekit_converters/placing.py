"""Where the finished network will run: the target's analyser, held to what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgekit.errors import ConversionError
from edgekit.placement import PlacedOperation, Placement
from edgekit_converters.content import layer_of
from edgekit_converters.options import Options
from edgekit_converters.tracing.places import Place
from edgekit_devices.coral.placement import analyse

PERCENT = 100
LITTLE = 0.5
"""Share of the work below which an accelerator is of little use."""


def place(flatbuffer: bytes, options: Options, places: Mapping[str, Place]) -> Placement | None:
    """Tell where each operation will run; None for a target without an accelerator.

    Args:
        flatbuffer: The network, before anything is put in front of it.
        options: Target, and whether all of it has to run there.
        places: Layers by the names of their operations.

    Raises:
        ConversionError: the accelerator's compiler would refuse the file, or leaves out part of it that was required.
    """
    if options.target != "coral":
        return None
    placed = analyse(flatbuffer)
    if placed.refusals:
        refusal = placed.refusals[0]
        causes = dict.fromkeys(_where(placed.operations[index], places) for index in refusal.operations)
        raise ConversionError(
            f"the Edge TPU's compiler would refuse the model ({refusal.status}): {refusal.reason}"
            + (f" They come from {'; '.join(causes)}." if causes else ""),
            hint=refusal.advice,
        )
    if options.require_full_mapping and placed.on_cpu:
        raise ConversionError(
            f"{placed.on_cpu} of {len(placed.operations)} operations would stay off the Edge TPU: "
            + "; ".join(f"{_where(one, places)}: {one.reason}" for one in _left(placed)),
            hint=next((one.advice for one in _left(placed) if one.advice), ""),
        )
    return placed


def warnings_of(placed: Placement | None) -> list[str]:
    """A warning where the accelerator has next to nothing to do."""
    if placed is None or placed.mac_share is None or placed.mac_share >= LITTLE:
        return []
    share = placed.mac_share * PERCENT
    return [f"only {share:.0f} % of this model's work runs on the Edge TPU: it will hardly be faster than on the cpu"]


def _where(operation: PlacedOperation, places: Mapping[str, Place]) -> str:
    return f"{operation.type} in {layer_of(operation.name, places)}"


def _left(placed: Placement) -> list[PlacedOperation]:
    """The operations that stay off the accelerator for their own sake, one of each kind."""
    own = [one for one in placed.operations if one.placement != placed.target and not one.after]
    return list({(one.type, one.reason): one for one in reversed(own)}.values())[::-1]


def placement_lines(placed: Placement) -> Iterator[str]:
    """Where the model will run, and what to change, a line each."""
    share = f", {placed.mac_share * PERCENT:.1f} % of the work" if placed.mac_share is not None else ""
    yield f"{placed.on_target} of {len(placed.operations)} operations on the Edge TPU{share}, as far as its rules tell"
    for one in _left(placed):
        yield f"{one.type} stays on the cpu: {one.reason}" + (f" {one.advice}" if one.advice else "")
