"""`edgekit run`: a model over pictures, videos and tables, one line of JSON a sample."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing, nullcontext
from itertools import islice
from typing import get_args

import click

from edgekit.cli import debug_option, examples, is_debug
from edgekit.cli.terminal import Progress, plain_warnings, quieten_opencv, without_chatter
from edgekit.errors import EdgeKitError
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.model import Model, load
from edgekit.pipeline import row_shape, run
from edgekit.sinks import STDOUT, open_sink
from edgekit.sources import Problem, Source, open_source
from edgekit.tasks import TASKS


@click.command(
    "run",
    epilog=examples("""
        edgekit run model.tflite photo.jpg
        edgekit run model.tflite photos/ --labels labels.txt --top 1
        edgekit run model.tflite 'photos/**/*.png' --sink results.jsonl
        edgekit run model.tflite clip.mp4 --limit 100 --sink - --sink results.jsonl
        edgekit run model.tflite measurements.csv --task values
        edgekit run model_edgetpu.tflite photos/ --device coral:usb:0
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
    "--device", default="auto", show_default=True, metavar="NAME", help="auto, cpu, coral, coral:usb:0, ..."
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
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the processor.")
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
    one sample a row. The exit code is 1 where a sample could not be read.
    """
    debug = is_debug(context)
    if not debug:
        quieten_opencv()
    progress = Progress(sys.stderr)
    with plain_warnings(progress.message):
        with nullcontext() if debug else without_chatter():
            opened = load(
                model,
                device=device,
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
        raise EdgeKitError(f"no results: nothing in {source} could be read")
    return 1 if progress.skipped else 0


def _run(model: Model, source: Source, sinks: Sequence[str], limit: int | None, progress: Progress) -> None:
    def skip(problem: Problem) -> None:
        progress.skipped += 1
        progress.message(f"skipped {problem}")

    with ExitStack() as stack:
        outputs = [stack.enter_context(closing(open_sink(uri))) for uri in sinks]
        stack.callback(progress.finish)
        results = stack.enter_context(closing(run(model, source, on_problem=skip)))
        for result in islice(results, limit):
            if STDOUT in sinks:
                progress.clear()
            for output in outputs:
                output.write(result)
            progress.count(result.latency)
