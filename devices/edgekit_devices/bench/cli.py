"""`edgekit bench`: how fast models are on devices, side by side."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgekit.atomic import check_writable, write_atomically
from edgekit.cli import INTERRUPTED, debug_option, examples
from edgekit.cli.key_values import key_values
from edgekit.cli.streams import print_output
from edgekit.cli.terminal import LiveLine
from edgekit.errors import UsageError
from edgekit.interpreter import MOST_THREADS
from edgekit.results import to_json
from edgekit_devices.bench.measuring import SECONDS, Plan, bench
from edgekit_devices.bench.report import lines
from edgekit_devices.bench.types import Benchmark

SUFFIX = ".svg"


@click.command(
    "bench",
    epilog=examples("""
        edgekit bench model.tflite
        edgekit bench model.tflite --device cpu --device gpu
        edgekit bench small.tflite large.tflite --source photos/ --plot latency.svg
        edgekit bench model_edgetpu.tflite --device coral --device-option Performance=High
        edgekit bench model.tflite --runs 200 --json
    """),
)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option(
    "--device", "devices", multiple=True, default=("auto",), show_default=True, metavar="NAME",
    help="auto, cpu, cpu:reference, coral, gpu, ... Several of these are compared with the first.",
)
@click.option(
    "--device-option", "--delegate-option", "device_options", multiple=True, metavar="KEY=VALUE",
    help="An option of the devices that take it. May be given several times.",
)
@click.option(
    "--source", default="", metavar="SOURCE",
    help="Take samples from here, as edgekit run does, the first 16 again and again; noise unless it is given.",
)
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), metavar="N",
    help=f"Measure each model on each device for so long.  [default: {SECONDS:g}]",
)
@click.option("--runs", type=click.IntRange(min=1), metavar="N", help="Instead of that, run each so many times.")
@click.option(
    "--normalize", metavar="RANGE", help="How pixels are normalized: 0..1, -1..1, 0..255, imagenet or MEAN/STD."
)
@click.option("--threads", type=click.IntRange(1, MOST_THREADS), help="Threads of the processor.")
@click.option(
    "--operations/--no-operations", default=True, show_default=True, help="Time each operation of the network, too."
)
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw the distribution of latencies.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debug_option
def bench_command(
    models: tuple[str, ...], devices: tuple[str, ...], device_options: tuple[str, ...], source: str,
    normalize: str | None, seconds: float | None, runs: int | None, threads: int | None, operations: bool,
    plot: Path | None, as_json: bool,
) -> int:
    """Measure MODEL..., .tflite files, on one device or several.

    Latency (from sample to result, by stage, and by operation on the processor), throughput, load time, the first
    inference, memory, and how the device fared. Each runs in a process of its own, in turns after a warm-up; ratios are
    to the first. Ctrl-C gives the figures up to then. The exit code is 1 where something failed.
    """
    if seconds is not None and runs is not None:
        raise UsageError("--seconds and --runs say the same in two ways", hint="Leave one of them.")
    if plot is not None:
        _check_plot(plot)
    line = LiveLine(sys.stderr)
    try:
        found = bench(
            models, devices, source=source, threads=threads, device_options=key_values(device_options),
            normalize=normalize, plan=Plan(seconds or SECONDS, runs, operations), tell=line.show,
        )
    finally:
        line.clear()
    if plot is not None and found.first:
        _write_plot(plot, found)
    print_output(to_json(found.to_dict(), indent=2) if as_json else "\n".join(lines(found)))
    if found.interrupted:
        return INTERRUPTED
    return int(any(one.error for one in found.measured))


def _check_plot(plot: Path) -> None:
    if plot.suffix.lower() != SUFFIX:
        raise UsageError(f"{plot} is to be a picture of lines", hint=f"Let its name end in {SUFFIX}.")
    check_writable(plot)


def _write_plot(plot: Path, found: Benchmark) -> None:
    from edgekit_devices.bench.chart import draw

    write_atomically(plot, draw(found).encode())
    click.echo(f"drew {plot}", err=True)
