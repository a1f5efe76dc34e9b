"""`edgekit evaluate`."""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, get_args

import click

from edgekit.cli import debug_option, examples, is_debug
from edgekit.cli.terminal import LiveLine, plain_warnings, quieten_opencv, without_chatter
from edgekit.errors import UsageError
from edgekit.labels import read_labels
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.normalization import FORMS
from edgekit_converters.evaluating.dataset import Task
from edgekit_converters.evaluating.evaluation import evaluate
from edgekit_converters.evaluating.metrics.names import METRICS
from edgekit_converters.evaluating.printing import describe
from edgekit_converters.evaluating.running.clusters import FORMS as BACKEND_FORMS
from edgekit_converters.evaluating.running.models import RUNNABLE, SUFFIX
from edgekit_converters.evaluating.running.tflite import TflitePredictor
from edgekit_converters.events import Progress
from edgekit_converters.reporting.planning import PlannedReport, plan_report

BAR = 24
SHOWN_SKIPPED = 3


@click.command(
    "evaluate",
    epilog=examples("""
        edgekit evaluate model.tflite --data photos/
        edgekit evaluate model.tflite --data test.npz --against model.keras
        edgekit evaluate model.tflite --data photos/ --against model.h5 --group-by folder:2
        edgekit evaluate model.tflite --data rows.csv --target-column label --group-by site
        edgekit evaluate detector.tflite --data instances_val.json --images photos/
        edgekit evaluate model.tflite --data photos/ --workers 4 --json
    """),
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(path_type=Path), metavar="PATH",
              help="A folder of pictures with a folder for each class, an .npz with x and y, a .csv with a target "
                   "column, or COCO annotations (.json). Without labels it takes --against.")
@click.option("--against", type=click.Path(path_type=Path), metavar="MODEL",
              help="Another model on the same data, such as the float one: shows what has changed.")
@click.option("--task", type=click.Choice(get_args(Task)), default=None,
              help="What is scored; agreement leaves labels alone.  [default: what model and labels suggest]")
@click.option("--metric", "metrics", multiple=True, metavar="NAME",
              help=f"Compute only this, the main one first. May be given several times: {', '.join(METRICS)}.")
@click.option("--target-column", metavar="NAME", help="Column of a table, or array of an .npz, that holds the labels.")
@click.option("--group-by", multiple=True, metavar="NAME",
              help="Give each metric by group: a column, an array, or folder:LEVEL (1 is right under the data). May be "
                   "given several times.")
@click.option("--metadata", type=click.Path(path_type=Path), metavar="FILE",
              help="A .csv with a column file, and others, for a folder of pictures.  [default: its metadata.csv]")
@click.option("--images", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where the pictures of COCO annotations lie.  [default: beside the annotations]")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Use so many samples at most, evenly spread.")
@click.option("--labels", type=click.Path(path_type=Path), metavar="FILE",
              help="Class names, one a line, in place of the model's.")
@click.option("--normalize", metavar="RANGE",
              help=f"How pixels are normalized, in place of what the file says. {FORMS}")
@click.option("--channels", type=click.Choice(get_args(ColourOrder)), help="Order of colours that the model takes.")
@click.option("--resize", type=click.Choice(get_args(ResizeRule)), help="How pictures of another shape are fitted.")
@click.option("--input-shape", multiple=True, metavar="[NAME=]H,W,C", help="Size that a Keras model leaves open.")
@click.option("--custom-objects", multiple=True, metavar="MODULE[:NAME]",
              help="A class of your own that a Keras model names. Imported as code.")
@click.option("--head", metavar="NAME", help="Form of a detector's outputs, such as yolov8, where nothing says it.")
@click.option("--device", default="auto", show_default=True, metavar="NAME", help="What a .tflite runs on.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes that share the samples of a .tflite.")
@click.option("--backend", metavar="NAME", help=f"Where the workers are. {BACKEND_FORMS}  [default: processes]")
@click.option("--report", type=click.Path(path_type=Path), metavar="DIR",
              help="Write a report there on a .tflite MODEL: a page, the same as JSON, and a model card.")
@click.option("--card", type=click.Path(path_type=Path), metavar="FILE",
              help="Markdown text for the report: intended use, limits, where the data is from.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@debug_option
def evaluate_command(
    model: Path, against: Path | None, data: Path, labels: Path | None, report: Path | None, card: Path | None,
    as_json: bool, **options: Any,
) -> int:
    """Measure how good MODEL is on data: as a whole, by class and by group, with 95 % intervals.

    MODEL and the one that it is held against are .tflite, .onnx, .keras, .h5 or a SavedModel. With --against, all
    figures of both are given and what has changed; classes and groups that lose more than the others are flagged. The
    exit code is 1 where some of the samples could not be read.
    """
    debug = is_debug()
    if not debug:
        quieten_opencv()
    planned = _planned(model, report, card)
    names = read_labels(labels) if labels else ()
    line = LiveLine(sys.stderr)
    with plain_warnings(lambda text: click.echo(text, err=True)):
        opened = [_opened(path, names, options, debug) for path in (model, against)]
        try:
            found = evaluate(
                opened[0] or model, data, against=opened[1] or against, labels=names or None,
                progress=_Display(line).show, debug=debug, **options,
            )
        finally:
            line.clear()
        if planned is not None:
            planned.write_evaluation(model, found)
    for warning in (*found.warnings, *_skipped(found.skipped)):
        click.secho("Warning: ", fg="yellow", nl=False, err=True)
        click.echo(warning, err=True)
    click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False) if as_json else describe(found))
    return 1 if found.skipped else 0


def _planned(model: Path, report: Path | None, card: Path | None) -> PlannedReport | None:
    if report is not None and model.suffix.lower() != SUFFIX:
        raise UsageError(
            f"a report is on a {SUFFIX} file, and {model} is none",
            hint="Convert it with --report, or evaluate what came of it.",
        )
    return plan_report(report, card)


def _opened(path: Path | None, names: tuple[str, ...], options: dict[str, Any], debug: bool) -> TflitePredictor | None:
    """A file that is run as it is, opened without what the runtime says of it; None where it is none."""
    if path is None or path.suffix.lower() not in RUNNABLE:
        return None
    with nullcontext() if debug else without_chatter():
        return TflitePredictor(
            path, device=options["device"], labels=names, normalize=options["normalize"],
            channels=options["channels"], resize=options["resize"],
        )


def _skipped(reasons: tuple[str, ...]) -> list[str]:
    if not reasons:
        return []
    more = f" and {len(reasons) - SHOWN_SKIPPED} more" if len(reasons) > SHOWN_SKIPPED else ""
    return [f"skipped {len(reasons)}: {'; '.join(reasons[:SHOWN_SKIPPED])}{more}"]


class _Display:
    """A bar on the terminal with the rate and the time that is left; nothing where there is no terminal."""

    def __init__(self, line: LiveLine) -> None:
        self._line, self._stage, self._started = line, "", 0.0

    def show(self, progress: Progress) -> None:
        """Put the progress in the line."""
        if not self._line.enabled:
            return
        new = progress.stage != self._stage
        if new:
            self._stage, self._started = progress.stage, time.monotonic()
        self._line.show(self._text(progress), at_once=new)

    def _text(self, progress: Progress) -> str:
        if not progress.total:
            return f"{progress.stage} …"
        filled = BAR * progress.done // progress.total
        seconds = time.monotonic() - self._started
        rate = progress.done / seconds if seconds > 0 else 0.0
        left = f", {rate:.0f}/s, {(progress.total - progress.done) / rate:.0f} s left" if rate else ""
        return f"{progress.stage} [{'=' * filled}{' ' * (BAR - filled)}] {progress.done}/{progress.total}{left}"
