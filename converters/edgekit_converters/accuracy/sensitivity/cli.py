"""`edgekit sensitivity`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from edgekit.atomic import check_writable, protect, write_atomically
from edgekit.cli import debug_option, examples, is_debug
from edgekit.cli.terminal import LiveLine
from edgekit.errors import UsageError
from edgekit.normalization import FORMS
from edgekit_converters.accuracy.names import CALIBRATOR_NAMES
from edgekit_converters.accuracy.sensitivity.asking import sensitivity_of
from edgekit_converters.accuracy.sensitivity.chart import decibels, draw, layer_name, said, table
from edgekit_converters.accuracy.sensitivity.results import Sensitivity
from edgekit_converters.cures import CURES
from edgekit_converters.display import Display
from edgekit_converters.options import DEFAULT_SAMPLES, ORDERS, RESIZE_RULES
from edgekit_devices.runtimes import RUNTIMES
from edgekit_devices.targets import TARGETS

NAMED = 3
SVG = ".svg"


@click.command(
    "sensitivity",
    epilog=examples("""
        edgekit sensitivity model.keras --calibration photos/
        edgekit sensitivity model.keras --calibration data.npz --chart layers.svg
        edgekit sensitivity model.h5 --calibration rows.csv --target coral --json
    """),
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--calibration", type=click.Path(path_type=Path), metavar="PATH", required=True,
              help="What the model will see: a folder of pictures (subfolders too), an .npz, .npy or .csv file; "
                   "synthetic makes samples up, for trying things only.")
@click.option("--samples", type=click.IntRange(min=1), default=DEFAULT_SAMPLES, show_default=True,
              help="Calibration samples used at most, evenly spread over the data.")
@click.option("--chart", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw it into this file.")
@click.option("--calibrator", type=click.Choice(CALIBRATOR_NAMES), default=None,
              help="How the ranges of int8 tensors are chosen.  [default: auto]")
@click.option("--target", type=click.Choice(sorted(TARGETS)), default="cpu", show_default=True,
              help="What the file will run on.")
@click.option("--runtime", type=click.Choice(list(RUNTIMES)), default=None,
              help="The interpreter that will load the file.  [default: litert, or what the target takes]")
@click.option("--keep", type=click.Choice(list(CURES)), multiple=True, metavar="FORM",
              help="Keep Keras's own form of something that would be rewritten, as in edgekit convert.")
@click.option("--replace", multiple=True, metavar="OLD=NEW",
              help="Compute another activation where the target lacks one, as in edgekit convert.")
@click.option("--input-shape", multiple=True, metavar="[NAME=]H,W,C",
              help="Size of an input that the model leaves open, without the batch.")
@click.option("--custom-objects", multiple=True, metavar="MODULE[:NAME]",
              help="A class of your own that the model file names. Imported as code.")
@click.option("--normalize", metavar="RANGE", default=None,
              help=f"What pixels become before they reach the model. {FORMS}  [default: 0..255]")
@click.option("--channels", type=click.Choice(ORDERS), default=None,
              help="Order of colours that the model was trained on.  [default: rgb]")
@click.option("--resize", type=click.Choice(RESIZE_RULES), default=None,
              help="How pictures are brought to the model's size.  [default: stretch]")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@debug_option
def sensitivity_command(model: Path, calibration: Path, chart: Path | None, as_json: bool, **options: Any) -> None:
    """Show which operations and layers of a Keras MODEL lose most by being quantized to int8.

    Each operation is quantized alone, then left in float alone. Figures are signal to quantization noise of the
    model's outputs (SQNR): 20 dB is an error of 10 %, 40 dB one of 1 %.
    """
    if chart is not None:
        if chart.suffix.lower() != SVG:
            raise UsageError(f"the chart {chart} is to be an SVG picture", hint=f"Let its name end in {SVG}.")
        check_writable(chart)
        protect(chart, model, calibration)
    line = LiveLine(sys.stderr)
    try:
        found = sensitivity_of(model, calibration, progress=Display(line).show, debug=is_debug(), **options)
    finally:
        line.clear()
    if chart is not None:
        write_atomically(chart, draw(found, f"Sensitivity of {model.name} to int8").encode())
    for warning in found.warnings:
        click.secho("Warning: ", fg="yellow", nl=False, err=True)
        click.echo(warning, err=True)
    facts = {"model": str(model), **found.to_dict(), "warnings": list(found.warnings)}
    click.echo(json.dumps(facts, indent=2) if as_json else describe(found, chart))


def describe(found: Sensitivity, chart: Path | None) -> str:
    """A sensitivity for a person."""
    worst = [f"{cost.type} of {layer_name(cost)}, {decibels(cost.alone_db)}" for cost in found.ranked[:NAMED]]
    lines = [said(found), *table(found), "", f"Most is lost by {'; '.join(worst)}."]
    return "\n".join([*lines, *([f"Drawn in {chart}."] if chart else [])])
