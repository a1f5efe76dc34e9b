"""`edgekit run`: a model over pictures, videos and tables, one line of JSON a sample."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any, get_args

import click
from click.core import ParameterSource

from edgekit.cli import debug_option, examples, is_debug
from edgekit.cli.after_options import AfterOptions, after_options
from edgekit.cli.key_values import key_values
from edgekit.cli.running import carry_out, check_sinks, steps_of
from edgekit.cli.streams import print_output
from edgekit.cli.task_options import task_options
from edgekit.cli.terminal import Progress, plain_warnings, quieten_opencv, without_chatter
from edgekit.cli.window_options import window_options
from edgekit.device import DEFAULT_SECONDS, MOST_SECONDS
from edgekit.errors import UsageError
from edgekit.interpreter import MOST_THREADS
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.pipeline import FlowRule
from edgekit.pipeline.config import ModelConfig, PipelineConfig, read_config
from edgekit.pipeline.models import Models, side_by_side
from edgekit.pipeline.setup import open_sources
from edgekit.sinks import STDOUT
from edgekit.uris import redacted

TOML = ".toml"
BESIDE_FILE = ("model", "limit", "record", "check", "debug")
"""What may be given beside a file that says the rest."""


@click.command(
    "run",
    epilog=examples("""
        edgekit run model.tflite photo.jpg
        edgekit run model.tflite photos/ --labels labels.txt --top 1
        edgekit run model.tflite 'photos/**/*.png' --sink results.jsonl
        edgekit run model.tflite clip.mp4 --limit 100 --sink - --sink results.jsonl
        edgekit run model.tflite measurements.csv --task values
        edgekit run model.tflite camera:0 --max-age 0.5
        edgekit run model.tflite camera:0 camera:2 rtsp://10.0.0.7/live --sink results.jsonl
        edgekit run model.tflite camera:0 --serve 8080 --sink 'mqtt://broker/robot/results?discovery=homeassistant'
        edgekit run model.tflite test:pattern --limit 50 --record kept/
        edgekit run model.tflite replay:kept/
        edgekit run motion.tflite serial:/dev/ttyUSB0 --window 2s --hop 0.5s --rate 50
        edgekit run drive.tflite image=camera:0 imu=iio:device0
        edgekit run pipeline.toml --check
        edgekit run person.tflite camera:0 --line gate=0.5,0,0.5,1 --on-change
        edgekit run person.tflite clip.mp4 --head yolov8 --track --zone door=0.4,0,0.6,0,0.6,1,0.4,1
        edgekit run model_edgetpu.tflite photos/ --device coral:usb:0 --device-option Performance=High
        edgekit run model_edgetpu.tflite clip.mp4 --device coral,cpu
        edgekit run model.onnx clip.mp4 --device tensorrt,cuda,cpu
        edgekit run model.tflite camera:0 --device delegate:/usr/lib/libvx_delegate.so,cpu
    """),
)
@click.argument("model", metavar="MODEL|PIPELINE.toml")
@click.argument("sources", metavar="SOURCE...", nargs=-1)
@click.option(
    "--sink",
    "sinks",
    multiple=True,
    metavar="URI",
    help="Where results go: - (the standard output, the default), FILE.jsonl, FILE.csv, FILE.mkv or .mp4 (the frames "
    "with the results drawn on them), mqtt://HOST/TOPIC, http://HOST/PATH (a webhook). May be given several times.",
)
@click.option(
    "--serve", metavar="[HOST:]PORT",
    help="Show a page with the live picture, results, charts, /metrics and /healthz: 8080 for this machine alone; any "
    "other address, such as 0.0.0.0:8080, needs the token that is printed.",
)
@click.option(
    "--device", default="auto", show_default=True, metavar="NAME",
    help="auto (the fastest of what is attached, by a short trial), cpu, cpu:reference (the same bits everywhere), "
    "coral, coral:usb:0, gpu, delegate:/path/lib.so, tensorrt (.onnx files), ... Several, separated by commas, are "
    "tried in turn, and each takes over from one that fails later: coral,cpu.",
)
@click.option(
    "--device-option", "--delegate-option", "device_options", multiple=True, metavar="KEY=VALUE",
    help="An option of the device, such as Performance=High. May be given several times.",
)
@click.option(
    "--inference-timeout", type=click.FloatRange(min=0, min_open=True, max=MOST_SECONDS), default=DEFAULT_SECONDS,
    show_default=True, metavar="SECONDS",
    help="Longest that one inference may take on an accelerator; one that hangs is opened again, then the next device.",
)
@task_options
@window_options
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
@click.option("--threads", type=click.IntRange(1, MOST_THREADS), help="Threads of the processor.")
@click.option(
    "--flow", type=click.Choice(get_args(FlowRule)), default="auto", show_default=True,
    help="freshest: the newest sample wins. every: nothing is dropped, the source waits. auto: by the source.",
)
@click.option(
    "--max-age", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="Drop samples that are older than this when their turn comes.",
)
@after_options
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after so many results.")
@click.option(
    "--record", metavar="DIR", help="Keep every sample that the model runs on; replay:DIR gives the results again."
)
@click.option("--check", is_flag=True, help="Only see whether all is well: the file, the model, sources and sinks.")
@debug_option
@click.pass_context
def run_command(
    context: click.Context,
    /,
    *,
    model: str,
    sources: tuple[str, ...],
    sinks: tuple[str, ...],
    serve: str | None,
    flow: FlowRule,
    max_age: float | None,
    limit: int | None,
    record: str | None,
    check: bool,
    after: AfterOptions,
    **options: Any,
) -> int:
    """Run MODEL on the samples of one or more SOURCEs and print one line of JSON for each.

    SOURCE is a picture, a folder of pictures, a quoted pattern, a video, a .csv, .npy or .npz file with one sample a
    row, or something live: camera:0, csi:0, rtsp://HOST/PATH, http://HOST/PATH, gst:PIPELINE, test:pattern. Of live
    sources the newest sample is taken and what it replaces is counted; they are opened again where they are lost.
    Of sensors (serial:, iio:, i2c:, mic:, mqtt:, - for the standard input, or a log.csv or .wav) windows are cut, as
    the file or --window say: see docs/sensors.md. A model of several inputs takes NAME=SOURCE for each of them.
    replay:DIR is what --record DIR kept. The exit code is 1 where some of the samples could not be read.

    A PIPELINE.toml in the place of MODEL says all of it in a file; see docs/pipelines.md.
    """
    if model.lower().endswith(TOML):
        config = _from_file(context, model)
        config = replace(config, limit=limit or config.limit, record=record or config.record)
    else:
        _check_source(sources)
        config = PipelineConfig(
            {"": ModelConfig(model, _load_options(options))}, sources, sinks or (STDOUT,), flow, max_age, limit, record,
            serve, asdict(after),
        )
    check_sinks(config.sinks)
    steps_of(config)  # says what is wrong before the model is opened
    if not is_debug(context):
        quieten_opencv()
    progress = Progress(sys.stderr)
    with plain_warnings(progress.message):
        with nullcontext() if is_debug(context) else without_chatter():
            opened = side_by_side({name: one.open() for name, one in config.models.items()})
        for reason in _reasons(opened):
            progress.message(reason)
        found = open_sources(config.sources, opened)
        if check:
            places = f"from {_listed(config.sources)} to {_listed(config.sinks)}"
            print_output(f"{model} is sound: {_described(opened)}, {places}")
            return 0
        return carry_out(opened, found, config, progress)


def _listed(uris: Sequence[str]) -> str:
    return ", ".join(map(redacted, uris))


def _reasons(models: Models) -> Iterator[str]:
    """Why each model runs where it does, for those whose device was chosen for them."""
    for name, model in models.named.items():
        if model.device_reason:
            yield f"Device{' of ' if name else ''}{name}: {model.device_reason}"


def _described(models: Models) -> str:
    """Each model's task and device."""
    return "; ".join(
        f"{name}{': ' if name else ''}{model.task} on {model.device}" for name, model in models.named.items()
    )


def _check_source(sources: Sequence[str]) -> None:
    if not sources:
        raise UsageError(
            "there is no SOURCE", hint="Give a picture, folder, video, table or camera, or a PIPELINE.toml as MODEL."
        )


def _from_file(context: click.Context, path: str) -> PipelineConfig:
    """What a file says, where the command line says nothing else of it."""
    given = [
        name for name in context.params
        if name not in BESIDE_FILE and context.get_parameter_source(name) == ParameterSource.COMMANDLINE
    ]
    if given:
        names = ", ".join("SOURCE" if name == "sources" else f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"{names} cannot be given beside {path}", hint="Say it in the file.")
    return read_config(path)


def _load_options(options: dict[str, Any]) -> dict[str, Any]:
    """What the command line says of the model, as `load` takes it."""
    return {
        **options,
        "device_options": key_values(options["device_options"]),
        "head_options": key_values(options["head_options"], "head option"),
    }
