"""`edgekit run`: a model over pictures, videos and tables, one line of JSON a sample."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing, nullcontext
from itertools import islice
from pathlib import Path
from typing import get_args

import click

from edgekit.cli import debug_option, examples, is_debug
from edgekit.cli.terminal import Progress, plain_warnings, quieten_opencv, without_chatter
from edgekit.errors import DataError, EdgeKitError, UsageError
from edgekit.interpreter import MOST_THREADS
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.model import Model, load
from edgekit.pipeline import row_shape, run
from edgekit.sinks import STDOUT, open_sink
from edgekit.sources import Problem, Source, open_source
from edgekit.sources.rows import Rows
from edgekit.tasks import TASKS

SHOWN_ROWS = 5


@click.command(
    "run",
    epilog=examples("""
        edgekit run model.tflite photo.jpg
        edgekit run model.tflite photos/ --labels labels.txt --top 1
        edgekit run model.tflite 'photos/**/*.png' --sink results.jsonl
        edgekit run model.tflite clip.mp4 --limit 100 --sink - --sink results.jsonl
        edgekit run model.tflite measurements.csv --task values
        edgekit run model_edgetpu.tflite photos/ --device coral:usb:0 --device-option Performance=High
        edgekit run model_edgetpu.tflite clip.mp4 --device coral,cpu
    """),
)
@click.argument("model", metavar="MODEL")
@click.argument("source", metavar="SOURCE")
@click.option(
    "--sink",
    "sinks",
    multiple=True,
    metavar="URI",
    help="Where results go: - (the standard output, the default) or FILE.jsonl. May be given several times.",
)
@click.option(
    "--device", default="auto", show_default=True, metavar="NAME",
    help="auto, cpu, coral, coral:usb:0, ... Several, separated by commas, are tried in turn: coral,cpu.",
)
@click.option(
    "--device-option", "device_options", multiple=True, metavar="KEY=VALUE",
    help="An option of the device, such as Performance=High. May be given several times.",
)
@click.option("--task", metavar="NAME", help=f"{', '.join(TASKS)}. By default what the file says.")
@click.option("--labels", metavar="FILE", help="Class names, one a line.")
@click.option(
    "--normalize",
    metavar="RANGE",
    help="How pixels are normalized: 0..1, -1..1, 0..255, imagenet or MEAN/STD.",
)
@click.option(
    "--channels", type=click.Choice(get_args(ColourOrder)), help="Order of colours that the network takes."
)
@click.option(
    "--resize",
    type=click.Choice(get_args(ResizeRule)),
    help="How pictures of another shape are fitted.",
)
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Classes to name.")
@click.option("--threads", type=click.IntRange(1, MOST_THREADS), help="Threads of the processor.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after so many results.")
@debug_option
@click.pass_context
def run_command(
    context: click.Context,
    /,
    *,
    model: str,
    source: str,
    sinks: tuple[str, ...],
    device: str,
    device_options: tuple[str, ...],
    task: str | None,
    labels: str | None,
    normalize: str | None,
    channels: ColourOrder | None,
    resize: ResizeRule | None,
    top: int,
    threads: int | None,
    limit: int | None,
) -> int:
    """Run MODEL on every sample of SOURCE and print one line of JSON for each.

    SOURCE is a picture, a folder of pictures, a quoted pattern, a video, or a .csv, .npy or .npz file with
    one sample a row. The exit code is 1 where some of the samples could not be read.
    """
    _check_sinks(sinks)
    debug = is_debug(context)
    if not debug:
        quieten_opencv()
    progress = Progress(sys.stderr)
    with plain_warnings(progress.message):
        with nullcontext() if debug else without_chatter():
            opened = load(
                model,
                device=device,
                device_options=_key_values(device_options),
                threads=threads,
                task=task,
                labels=labels,
                normalize=normalize,
                channels=channels,
                resize=resize,
                top=top,
            )
        samples = open_source(source, shape=row_shape(opened))
        _run(opened, samples, sinks or (STDOUT,), limit, progress)
    if progress.samples == 0:
        # A file of which nothing can be used is a mistake in the call, as a damaged model is.
        kind = DataError if Path(source).is_file() else EdgeKitError
        raise kind(f"no results: nothing in {source} could be read")
    return 1 if progress.skipped else 0


def _check_sinks(sinks: Sequence[str]) -> None:
    """See that each result goes to a place once."""
    places = [uri if uri == STDOUT else os.path.realpath(uri) for uri in sinks]
    for at, place in enumerate(places):
        if place in places[:at]:
            raise UsageError(f"the sink {sinks[at]} is given twice", hint="Leave one of the two.")


def _key_values(options: Sequence[str]) -> dict[str, str]:
    """What `--device-option` gave, by key."""
    pairs: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not key or not equals:
            raise UsageError(f"the device option '{option}' has no value", hint="Write it as KEY=VALUE.")
        if key in pairs:
            raise UsageError(f"the device option {key} is given twice", hint="Leave one of the two.")
        pairs[key] = value
    return pairs


class _Skipping:
    """Tells of samples that could not be read; of a table's rows the first few, since often all of them are alike."""

    def __init__(self, progress: Progress, most: int | None) -> None:
        self._progress, self._most = progress, most

    def __call__(self, problem: Problem) -> None:
        self._progress.skipped += 1
        if self._most is None or self._progress.skipped <= self._most:
            self._progress.message(f"skipped {problem}")

    def finish(self) -> None:
        """Say how many were not told of."""
        more = self._progress.skipped - (self._most or self._progress.skipped)
        if more > 0:
            self._progress.message(f"skipped {more} more {'row' if more == 1 else 'rows'}")


def _run(model: Model, source: Source, sinks: Sequence[str], limit: int | None, progress: Progress) -> None:
    skip = _Skipping(progress, SHOWN_ROWS if isinstance(source, Rows) else None)
    with ExitStack() as stack:
        outputs = [stack.enter_context(closing(open_sink(uri))) for uri in sinks]
        stack.callback(progress.finish)
        stack.callback(skip.finish)
        results = stack.enter_context(closing(run(model, source, on_problem=skip)))
        for result in islice(results, limit):
            if STDOUT in sinks:
                progress.clear()
            for output in outputs:
                output.write(result)
            progress.count(result.latency)
