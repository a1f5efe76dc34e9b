"""`edgekit explain`: which part of a sample made the decision."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, get_args

import click
from numpy.typing import NDArray

from edgekit.cli import debug_option, examples, is_debug
from edgekit.cli.layout import pairs, paragraph, section, visible
from edgekit.cli.streams import print_output
from edgekit.cli.terminal import LiveLine, plain_warnings, quieten_opencv, without_chatter
from edgekit.errors import UsageError
from edgekit.explaining import METHODS, Explanation, explain
from edgekit.explaining.drawing import check_drawing, write_drawing
from edgekit.explaining.explainer import ALL_CLASSES, LEAST_MASKS, MASKS, SECONDS
from edgekit.explaining.planes import BASELINES
from edgekit.explaining.reading import column_names, read_sample
from edgekit.interpreter import MOST_THREADS
from edgekit.loading import load
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.model import Model
from edgekit.pipeline import row_shape
from edgekit.results import to_json
from edgekit.tables import TABLE_SUFFIXES, read_rows

SHOWN_COLUMNS = 12


@click.command(
    "explain",
    epilog=examples("""
        edgekit explain model.tflite photo.jpg -o why.png
        edgekit explain model.tflite photo.jpg --class cat --method rise
        edgekit explain imu.tflite recording.csv --sample 250 -o why.png
        edgekit explain table.tflite rows.csv --sample 3 --baseline normal.csv --json
    """),
)
@click.argument("model", metavar="MODEL")
@click.argument("sample", metavar="INPUT")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PICTURE", help="Draw it: why.png.")
@click.option("--class", "target", metavar="LABEL|INDEX",
              help="What to explain: a class, or the place of an output number.  [default: the best class]")
@click.option("--sample", "number", type=click.IntRange(min=0), default=0, show_default=True, metavar="N",
              help="Which sample of INPUT, from 0: a picture of a folder, a frame, a row of a table.")
@click.option("--method", type=click.Choice(METHODS), default="occlusion", show_default=True,
              help="Hide patches, from coarse to fine, or half of all at random.")
@click.option("--masks", type=click.IntRange(min=LEAST_MASKS), metavar="N",
              help=f"How many masks.  [default: {MASKS['occlusion']}; {MASKS['rise']} for rise]")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), default=SECONDS, show_default=True,
              help="Use fewer masks where it would take longer than that.")
@click.option("--baseline", default="auto", show_default=True, metavar="mean|blur|zero|FILE",
              help="What hidden parts show: the mean, the picture blurred, zero, or the mean of the rows of a table of "
                   "normal data. By default blur for pictures, each channel's mean for windows, zero for features.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="For what is random.")
@click.option("--faithfulness/--no-faithfulness", "faithful", default=True, show_default=True,
              help="Measure deletion and insertion, against random order.")
@click.option("--device", default="auto", show_default=True, metavar="NAME", help="As in edgekit run.")
@click.option("--task", metavar="NAME", help="As in edgekit run.")
@click.option("--labels", metavar="FILE", help="Class names, one a line.")
@click.option("--normalize", metavar="RANGE", help="How pixels are normalized, as in edgekit run.")
@click.option("--channels", type=click.Choice(get_args(ColourOrder)), help="Order of colours that the network takes.")
@click.option("--resize", type=click.Choice(get_args(ResizeRule)), help="How pictures of another shape are fitted.")
@click.option("--threads", type=click.IntRange(1, MOST_THREADS), help="Threads of the processor.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debug_option
def explain_command(
    model: str, sample: str, output: Path | None, number: int, baseline: str, as_json: bool, **options: Any
) -> None:
    """Show which part of INPUT made MODEL decide as it does, by hiding parts of it.

    INPUT is a picture, a folder, a video or a .csv, .npy or .npz file. The score with a part hidden comes from the
    very file on the very device. The map says what this model looks at, and not whether it should.
    """
    if not is_debug():
        quieten_opencv()
    if output is not None:
        check_drawing(output)
    asked = {name: options.pop(name) for name in ("target", "method", "masks", "seconds", "seed", "faithful")}
    line = LiveLine(sys.stderr)
    try:
        with plain_warnings(lambda text: click.echo(text, err=True)):
            with nullcontext() if is_debug() else without_chatter():
                opened = load(model, top=ALL_CLASSES, **options)
            row_shape(opened)  # refuses several inputs
            data = read_sample(sample, number, opened)
            explanation = explain(
                opened, data.data, channels=data.channels, names=_names(sample, opened),
                baseline=_baseline(baseline), progress=_progress(line), **asked,
            )
    finally:
        line.clear()
    if output is not None:
        write_drawing(output, explanation, data.data, data.channels)
    if as_json:
        print_output(to_json({"sample": data.source, "sequence": data.sequence, **explanation.to_dict()}, indent=2))
    else:
        print_output("\n".join(_lines(explanation, output)))


def _progress(line: LiveLine) -> Any:
    return lambda stage, done, total: line.show(f"{stage} {done}/{total} …")


def _baseline(given: str) -> str | NDArray[Any]:
    if given in BASELINES:
        return given
    if Path(given).suffix.lower() not in TABLE_SUFFIXES:
        raise UsageError(
            f"--baseline cannot be '{given}'", hint=f"Choose {', '.join(BASELINES)}, or give a table of normal data."
        )
    return read_rows(given)


def _names(uri: str, model: Model) -> tuple[str, ...]:
    shape = [length for length in model.inputs[0].shape[1:] if length > 1] or [1]
    return column_names(uri, {shape[-1]}) if len(shape) < 3 else ()


def _lines(explanation: Explanation, output: Path | None) -> Iterator[str]:
    yield f"{visible(explanation.explained)}: {explanation.score:.4g}"
    yield from pairs(_facts(explanation))
    if explanation.regions:
        rows = [("", *_HEADS[explanation.kind], "importance", "score without it")]
        rows += [(f"{rank}", *_place(explanation, region.box), f"{region.share:.0%}", f"{region.without:.4g}")
                 for rank, region in enumerate(explanation.regions, 1)]
        yield from section("Regions", rows)
    if explanation.columns:
        shown = explanation.columns[:SHOWN_COLUMNS]
        what = "Features" if explanation.kind == "features" else "Channels"
        yield from section(what, [("", "fall of the score"), *((c.name, f"{c.drop:+.4f}") for c in shown)])
        left = len(explanation.columns) - len(shown)
        yield from [f"  ... and {left} more in --json"] if left else []
    for note in explanation.notes:
        yield from paragraph(note)
    if output is not None:
        yield from ("", f"Drawn: {output}")


_HEADS = {"picture": ("x", "y"), "window": ("steps", "channels"), "features": ("feature",)}


def _place(explanation: Explanation, box: tuple[int, int, int, int]) -> tuple[str, ...]:
    y0, x0, y1, x1 = box
    if explanation.kind == "picture":
        return f"{x0}-{x1 - 1}", f"{y0}-{y1 - 1}"
    names = {column.index: column.name for column in explanation.columns}
    first, last = names.get(x0, str(x0)), names.get(x1 - 1, str(x1 - 1))
    columns = first if first == last else f"{first} - {last}"
    return (f"{y0}-{y1 - 1}", columns) if explanation.kind == "window" else (columns,)


def _facts(explanation: Explanation) -> Iterator[tuple[str, str]]:
    yield "Model", f"{explanation.model} on {explanation.device}"
    yield "Hidden parts", f"show {explanation.baseline}; with all of it hidden the score is " \
        f"{explanation.hidden_score:.4g}"
    yield "Method", f"{explanation.method}, {explanation.masks} masks; {explanation.runs} runs in " \
        f"{explanation.seconds:.1f} s, seed {explanation.seed}"
    faith = explanation.faithfulness
    if faith:
        yield "Deletion", f"{faith.deletion.area:.3f} (random order {faith.random_deletion:.3f}; lower is better)"
        yield "Insertion", f"{faith.insertion.area:.3f} (random order {faith.random_insertion:.3f}; higher is better)"
        verdict = "the map knows more than chance" if faith.gain > 0 else "the map is no better than chance"
        yield "Faithfulness", f"{faith.gain:+.3f}: {verdict}"


