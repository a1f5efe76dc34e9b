"""What `edgekit inspect --target` shows: what runs where, why, and what to change."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from edgekit import plugins
from edgekit.atomic import protect, write_atomically
from edgekit.choices import one_of
from edgekit.cli.drawing import draw
from edgekit.cli.layout import WIDTH, count, pairs, paragraph, short, visible
from edgekit.placement import SUBGRAPHS, Analyser, Memory, Package, PlacedOperation, Placement, Subgraphs
from edgekit.tflite import ModelFile

MIB = 2**20
SHOWN_LAYERS = 6
SHOWN_REASONS = 3
_FITS = {"probably": "probably stay in it", "perhaps": "may not all stay in it", "no": "do not fit"}


def analyse(model: str, target: str, subgraphs: str) -> Placement:
    """Ask the analyser that is registered for a target.

    Raises:
        UsageError: nobody registered one under that name, or `subgraphs` is no mode.
        ModelFileError: the model is damaged.
    """
    one_of("--target", target, sorted(plugins.registered("edgekit.placements")))
    mode = cast(Subgraphs, one_of("--subgraphs", subgraphs, SUBGRAPHS))
    analyser: Analyser = plugins.load("edgekit.placements", target)
    return analyser(model, subgraphs=mode)


def write_drawing(path: str, file: ModelFile, placed: Placement) -> None:
    """Write the drawing beside its place, then rename: nobody sees half of it.

    Raises:
        UsageError: it would replace the model.
        OutputError: it cannot be written there.
    """
    where = Path(path)
    protect(where, file.path)
    write_atomically(where, draw(placed, file.label).encode("utf-8", "backslashreplace"))


def placement_lines(file: ModelFile, placed: Placement) -> Iterator[str]:
    """The view for people, 80 columns wide."""
    yield visible(file.label)
    yield from pairs(_facts(placed))
    if placed.wrong:
        yield from paragraph(f"Wrong: {placed.wrong}")
    for refusal in placed.refusals:
        yield from paragraph(f"Refused: {refusal.status}")
        yield from _indented(refusal.reason)
        yield from _indented(f"-> {refusal.advice}")
    for package in placed.packages:
        yield from ("", f"Package of operation {package.operation}")
        yield from pairs(_package_facts(package))
    if not placed.packages:
        yield from _table(placed)
    yield from _reasons(placed)
    for note in placed.notes:
        yield from paragraph(note)


def _facts(placed: Placement) -> Iterator[tuple[str, str]]:
    yield "Target", placed.target
    yield "Compiler", f"{placed.compiler}, foretold and not run" if placed.compiler else ""
    yield "Asked", placed.asked
    yield "Operations", f"{count(placed.on_target)} of {count(len(placed.operations))} on {placed.target}, " \
        f"{count(placed.on_cpu)} on the cpu"
    unsure = sum(not operation.certain for operation in placed.operations)
    yield "Uncertain", f"{_operations(unsure)}, by limits that are not published" if unsure else ""
    if placed.packages:
        left = Counter(o.custom_code or o.type for o in placed.operations if o.placement != placed.target)
        yield "On the cpu", ", ".join(f"{number} {type_}" for type_, number in left.items())
    share = placed.mac_share
    yield "Arithmetic", f"{share:.1%} of all multiply-accumulates on {placed.target}" if share is not None else ""
    yield "Parameters", _memory(placed.memory) if placed.memory and placed.on_target else ""
    for number, part in enumerate(placed.parts):
        yield (
            f"Part {number}",
            f"{_operations(len(part.operations))}; each run {count(part.bytes_in)} bytes go in and "
            f"{count(part.bytes_out)} come out",
        )


def _memory(memory: Memory) -> str:
    least, most = memory.streamed
    text = f"about {_size(memory.parameters)} of {_size(memory.capacity)}: they {_FITS[memory.fits]}"
    if most:
        text += f", and {_size(least)} to {_size(most)} are sent again for each run"
    return f"{text} (estimated; {memory.error})"


def _size(number: int) -> str:
    return f"{number / MIB:.3g} MiB" if number >= MIB // 10 else f"{number / 1024:.3g} KiB"


def _operations(number: int) -> str:
    return f"{count(number)} operation{'s' if number != 1 else ''}"


def _package_facts(package: Package) -> Iterator[tuple[str, str]]:
    yield "Runtime", f"{package.min_runtime_version} or later"
    yield "Compiler", package.compiler_version
    yield "Chips", str(package.chips) if package.chips > 1 else ""
    yield "Programs", ", ".join(executable.type for executable in package.executables)
    yield "Cached parameters", f"{count(package.cached_bytes)} bytes, sent once"
    yield "Streamed parameters", f"{count(package.streamed_bytes)} bytes, sent for each run"
    narrow = max((executable.narrow_memory_bytes for executable in package.executables), default=0)
    yield "Activation memory", f"{count(narrow)} bytes in each tile"


def _table(placed: Placement) -> Iterator[str]:
    """The compiler's own summary."""
    rows = placed.summary()
    column = max(len("Operator"), *(len(short(visible(type_))) for type_, _, _ in rows)) + 2
    yield from ("", f"{'Operator'.ljust(column)}Count  Status")
    for type_, number, status in sorted(rows):
        first = f"{short(visible(type_)).ljust(column)}{count(number):>5}  "
        yield from textwrap.wrap(status, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _reasons(placed: Placement) -> Iterator[str]:
    """Operations with something to say, those with the same cure together."""
    groups: dict[tuple[str, str], list[PlacedOperation]] = {}
    said = {refusal.reason for refusal in placed.refusals}
    for operation in placed.operations:
        if operation.advice and not operation.after and operation.reason not in said:
            groups.setdefault((operation.placement, operation.advice), []).append(operation)
    for (placement, advice), members in groups.items():
        where = f"on the {placement}" if placement == "cpu" else f"on {placement}, with doubt"
        yield from paragraph(f"{_kinds(members)} {where}{_layers(members)}")
        for reason in list(dict.fromkeys(member.reason for member in members))[:SHOWN_REASONS]:
            yield from _indented(reason)
        yield from _indented(f"-> {advice}")
    yield from _followers(placed)


def _followers(placed: Placement) -> list[str]:
    """Operations that are on the cpu for the sake of others alone, in one sentence."""
    members = [operation for operation in placed.operations if operation.after]
    if not members:
        return []
    causes = sorted({cause for member in members for cause in member.after})
    return paragraph(
        f"{_operations(len(members))} could run on {placed.target}, and stay on the cpu because they come after "
        f"operation{'s' if len(causes) > 1 else ''} {_ranges(causes)}: {_ranges([member.index for member in members])}."
    )


def _kinds(members: Sequence[PlacedOperation]) -> str:
    """`operation 3: LEAKY_RELU`, or `operations 3-5, 9: 3 ADD, CONV_2D`."""
    counted = Counter(member.custom_code or member.type for member in members)
    kinds = ", ".join(f"{number} {type_}" if number > 1 else type_ for type_, number in counted.items())
    return f"operation{'s' if len(members) > 1 else ''} {_ranges([member.index for member in members])}: {kinds}"


def _ranges(indices: Sequence[int]) -> str:
    """`3-5, 9` for 3, 4, 5 and 9."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)


def _layers(members: Sequence[PlacedOperation]) -> str:
    layers = list(dict.fromkeys(short(member.layer) for member in members if member.layer))
    if not layers:
        return ""
    more = f" and {len(layers) - SHOWN_LAYERS} more" if len(layers) > SHOWN_LAYERS else ""
    return f"; layer{'s' if len(layers) > 1 else ''} {', '.join(layers[:SHOWN_LAYERS])}{more}"


def _indented(text: str) -> list[str]:
    arrow = text.startswith("-> ")
    return textwrap.wrap(
        visible(text), WIDTH, initial_indent="  ", subsequent_indent="     " if arrow else "  ",
        break_long_words=True, break_on_hyphens=False,
    )
