"""`edgekit compile`."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from edgekit.cli import debug_option, examples
from edgekit.cli.layout import WIDTH, count, pairs, paragraph, short, visible
from edgekit.cli.placing import placement_lines
from edgekit.cli.streams import print_output
from edgekit.cli.terminal import LiveLine
from edgekit.results import to_json
from edgekit_devices.coral.compiler import (
    Compilation,
    CompilerNotFoundError,
    Options,
    Output,
    Source,
    compile_sources,
    prepare,
)
from edgekit_devices.coral.compiler.comparing import ComparedRow, Difference
from edgekit_devices.coral.compiler.outcome import TIMEOUT

SHOWN_DIFFERENCES = 20
SHOWN_MESSAGES = 20
KIB, MIB = 2**10, 2**20


@click.command(
    "compile",
    epilog=examples("""
        edgekit compile model.tflite
        edgekit compile model.tflite -o compiled/ --compiler docker:edgetpu-compiler
        edgekit compile faces.tflite objects.tflite
        edgekit compile model.tflite --segments 2
        edgekit compile model.tflite --made downloads/
    """),
)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR",
              help="Folder for the compiled files; it is made where it is missing.  [default: this folder]")
@click.option("--compiler", metavar="PATH|docker:IMAGE|podman:IMAGE",
              help="The compiler, or a container image that has it.  "
                   "[default: what EDGEKIT_EDGETPU_COMPILER says, or edgetpu_compiler on PATH]")
@click.option("--min-runtime", type=int, metavar="N",
              help="Oldest version of the Edge TPU's runtime that is to take the file, 10 to 14.  "
                   "[default: the compiler's, 14 for version 16]")
@click.option("--segments", type=int, default=1, metavar="N",
              help="Cut the model into N files, one for each of N Edge TPUs.")
@click.option("--all-subgraphs", is_flag=True,
              help="Put every part that can run there on the Edge TPU, and not only the first.")
@click.option("--search-delegate", is_flag=True,
              help="Let the compiler leave operations out until the rest passes (version 16).")
@click.option("--timeout", type=float, default=TIMEOUT, show_default=True, metavar="SECONDS",
              help="How long the compiler may take.")
@click.option("--require-full-mapping", is_flag=True,
              help="Fail, and leave no file, where an operation stays on the processor.")
@click.option("--made", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
              help="Take what the compiler made elsewhere from this folder, and do not start it.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made, and how it compares, as JSON.")
@debug_option
def compile_command(
    models: tuple[Path, ...], output: Path | None, compiler: str | None, min_runtime: int | None, segments: int,
    all_subgraphs: bool, search_delegate: bool, timeout: float, require_full_mapping: bool, made: Path | None,
    as_json: bool,
) -> None:
    """Compile each MODEL, a quantized .tflite file, for the Coral Edge TPU with Google's compiler.

    Several models are compiled together and share the Edge TPU's memory for parameters. What a model says of itself
    is carried over, and what the compiler decided is shown beside what EdgeKit foretold.
    """
    options = Options(
        output=output, compiler=compiler, min_runtime=min_runtime, segments=segments, all_subgraphs=all_subgraphs,
        search_delegate=search_delegate, timeout=timeout, require_full_mapping=require_full_mapping, made=made,
    )
    sources = prepare(models, options)
    line = LiveLine(sys.stderr)
    try:
        done = compile_sources(sources, options, progress=_Display(line).show)
    except CompilerNotFoundError:
        line.clear()
        print_output(_foretold_json(sources) if as_json else "\n".join(_foretold(sources)))
        raise
    finally:
        line.clear()
    print_output(
        to_json({"models": [one.to_dict() for one in done]}, indent=2) if as_json else "\n".join(_lines(done))
    )


class _Display:
    """One line on the terminal that says what is being done; nothing where there is no terminal."""

    def __init__(self, line: LiveLine) -> None:
        self._line, self._stage = line, ""

    def show(self, stage: str, seconds: float) -> None:
        spent = f" {seconds:.0f} s" if seconds >= 1 else ""
        self._line.show(f"{stage} …{spent}", at_once=stage != self._stage)
        self._stage = stage


def _foretold(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        yield from placement_lines(source.file, source.placement)
        yield ""


def _foretold_json(sources: Sequence[Source]) -> str:
    models = [
        {"source": str(source.path), "outputs": [], "foretold": source.placement.to_dict()} for source in sources
    ]
    return to_json({"models": models}, indent=2)


def _lines(done: Sequence[Compilation]) -> Iterator[str]:
    """The view for people, 80 columns wide."""
    for one in done:
        for output in one.outputs:
            yield visible(str(output.path))
            yield from pairs(_file_facts(output))
        yield from ("", "Compiled")
        yield from pairs(_facts(one, shared=len(done) > 1))
        yield from _table(one)
        yield from _differences(one)
        for note in (*one.verdict.notes, *one.notes):
            yield from paragraph(note)
        yield from _segments(one)
        yield ""
    yield from _messages(done)


def _file_facts(output: Output) -> Iterator[tuple[str, str]]:
    yield "Size", f"{count(output.size)} bytes"
    if output.runtime is None:
        yield "Edge TPU", "nothing of it"
        return
    yield "Runtime", f"{output.runtime} or later"
    left = "" if output.remaining_bytes is None else f", {_size(output.remaining_bytes)} left there"
    yield "On chip", f"{_size(output.cached_bytes)} of parameters{left}"
    yield "Off chip", f"{_size(output.streamed_bytes)}, sent for each run" if output.streamed_bytes else "nothing"


def _facts(one: Compilation, *, shared: bool) -> Iterator[tuple[str, str]]:
    placement, verdict = one.source.placement, one.verdict
    total = len(placement.operations)
    yield "From", str(one.source.path)
    spent = "" if one.milliseconds is None else f", {one.milliseconds / 1000:.1f} s"
    yield "Compiler", f"edgetpu_compiler {one.version or 'of an unknown version'}{spent}"
    yield "Operations", f"{count(verdict.on_target)} of {count(total)} on {placement.target}, " \
        f"{count(verdict.on_cpu)} on the cpu"
    yield "Foretold", f"{count(placement.on_target)} on {placement.target}, {count(placement.on_cpu)} on the cpu"
    labels = sum(len(output.labels) for output in one.source.about.outputs)
    yield "Metadata", "the model has none" if one.source.about.origin == "none" \
        else f"carried over{f', {count(labels)} labels' if labels else ''}"
    yield "Shares memory", "with the other models of this run" if shared else ""


def _size(number: int) -> str:
    if number < KIB:
        return f"{number} B"
    return f"{number / MIB:.2f} MiB" if number >= MIB else f"{number / KIB:.2f} KiB"


def _table(one: Compilation) -> Iterator[str]:
    rows = sorted(one.verdict.rows, key=lambda row: (row.type, row.status))
    column = max((len(short(visible(row.type))) for row in rows), default=8) + 2
    yield from ("", f"  {'Operator'.ljust(column)}Foretold  Compiler  Status")
    for row in rows:
        yield from _row(row, column)


def _row(row: ComparedRow, column: int) -> list[str]:
    theirs = "?" if row.compiler is None else count(row.compiler)
    mark = "!" if row.differs else " "
    first = f"{mark} {short(visible(row.type)).ljust(column)}{count(row.foretold):>8}  {theirs:>8}  "
    return textwrap.wrap(visible(row.status), WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _differences(one: Compilation) -> Iterator[str]:
    verdict = one.verdict
    known = any(row.compiler is not None for row in verdict.rows)
    if verdict.agrees:
        said = "by type and status" if known else "by what the file holds; the compiler's table is not known"
        yield from paragraph(f"The compiler decided all {count(len(one.source.placement.operations))} operations as "
                             f"foretold, {said}.")
        return
    if any(row.differs for row in verdict.rows):
        yield from paragraph("Rows marked ! differ.")
    for difference in verdict.differences[:SHOWN_DIFFERENCES]:
        yield from paragraph(_difference(difference))
    if more := len(verdict.differences) - SHOWN_DIFFERENCES:
        yield from paragraph(f"And {count(more)} operations more; --json lists them.") if more > 0 else ()


def _difference(difference: Difference) -> str:
    layer = f" (layer {difference.layer})" if difference.layer else ""
    doubt = "" if difference.certain else ", with doubt"
    return (
        f"Operation {difference.index}, {difference.type}{layer}: foretold on {difference.foretold}{doubt}; the "
        f"compiler has it on {difference.compiler}."
    )


def _segments(one: Compilation) -> Iterator[str]:
    if len(one.outputs) > 1:
        yield from paragraph(
            "The segments run one after the other, each on an Edge TPU of its own: what segment 0 gives is what "
            "segment 1 takes. The first has the inputs of the model, the last its outputs and labels."
        )


def _messages(done: Sequence[Compilation]) -> Iterator[str]:
    messages = list(dict.fromkeys(message for one in done for message in one.messages))
    if messages:
        yield "The compiler also said:"
        yield from (f"  | {visible(message)[:300]}" for message in messages[:SHOWN_MESSAGES])
