"""`edgekit convert`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

import click

from edgekit.cli import debug_option, examples, is_debug, own_command
from edgekit.cli.layout import visible
from edgekit.cli.terminal import LiveLine
from edgekit.cli.window_options import window_options
from edgekit.inputs import is_picture_shape
from edgekit.normalization import FORMS
from edgekit.tasks import TASKS, head_names
from edgekit_converters import convert
from edgekit_converters.accuracy.names import CALIBRATOR_NAMES
from edgekit_converters.cures import CURES
from edgekit_converters.display import Display
from edgekit_converters.evaluating.metrics.names import METRICS
from edgekit_converters.evaluating.results import Evaluation, Figure
from edgekit_converters.onnx.types import ALSO, OnnxFile
from edgekit_converters.options import DEFAULT_SAMPLES, IO_TYPES, ORDERS, PRECISIONS, RESIZE_RULES
from edgekit_converters.outcome import Agreement, Conversion, Twin
from edgekit_converters.placing import placement_lines
from edgekit_devices.runtimes import RUNTIMES
from edgekit_devices.targets import TARGETS

KILO = 1000
ROWS = 2
"""Dimensions of an input of which a sample is a row of a table, the batch among them."""


@click.command(
    "convert",
    epilog=examples("""
        edgekit convert model.keras --calibration photos/ --labels labels.txt
        edgekit convert model.h5 -o out.tflite --calibration data.npz --normalize 0..1
        edgekit convert saved_model/ --calibration rows.csv --io float32
        edgekit convert model.keras --target coral --calibration photos/
        edgekit convert model.keras --target jetson --calibration photos/
        edgekit convert model.keras --calibration photos/ --evaluate labelled/ --max-drop 0.5% --report report/
        edgekit convert model.keras --precision float16
        edgekit convert model.keras --also onnx --calibration photos/
        edgekit convert model.keras --task timeseries --rate 50 --window 2s --hop 0.5s --calibration logs/
    """),
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="File to write  [default: the model's name with .tflite, in this folder]")
@click.option("--calibration", type=click.Path(path_type=Path), metavar="PATH",
              help="What the model will see: a folder of pictures (subfolders too), an .npz, .npy or .csv file; "
                   "with --window also raw logs (.csv, .wav, .npz) and folders of them. "
                   "Needed for int8; synthetic makes samples up, for trying things only.")
@click.option("--samples", type=click.IntRange(min=1), default=DEFAULT_SAMPLES, show_default=True,
              help="Calibration samples used at most, evenly spread over the data.")
@click.option("--calibrator", type=click.Choice(CALIBRATOR_NAMES), default=None,
              help="How the ranges of int8 tensors are chosen; auto tries the others on samples that it holds back.  "
                   "[default: auto]")
@click.option("--evaluate", type=click.Path(path_type=Path), metavar="DATA",
              help="Measure the accuracy on this, against the float model: a folder of pictures by class, an .npz "
                   "with x and y, a .csv, COCO .json, or data without labels.")
@click.option("--max-drop", metavar="LOSS", default=None,
              help="What may be lost on it: 0.5% (points of the task's metric) or 30dB (an SQNR of 30 dB at least). "
                   "Where more is, other ways to quantize are tried; if none does, nothing is written.")
@click.option("--target-column", metavar="NAME", default=None,
              help="Column or array of that data that holds the labels.")
@click.option("--group-by", multiple=True, metavar="NAME",
              help="Give its metrics by group: a column, an array, or folder:LEVEL. May be given several times.")
@click.option("--report", type=click.Path(path_type=Path), metavar="DIR",
              help="Write a report on the model there: a page, the same as JSON, and a model card.")
@click.option("--card", type=click.Path(path_type=Path), metavar="FILE",
              help="Markdown text for the report: intended use, limits, where the data is from.")
@click.option("--also", type=click.Choice(ALSO), multiple=True,
              help="Write the same network in this format too, beside the .tflite: an ONNX file for TensorRT, held "
                   "against the .tflite. Takes the onnx extra.")
@click.option("--precision", type=click.Choice(PRECISIONS), default=None,
              help="What is quantized: weights and activations (int8; int16x8 has activations of 16 bits), weights "
                   "(dynamic), or nothing.  [default: int8, and for jetson float16]")
@click.option("--io", type=click.Choice(IO_TYPES), default=None,
              help="Type of input and output tensors.  [default: int8 for int8, int16 for int16x8, else float32]")
@click.option("--target", type=click.Choice(sorted(TARGETS)), default="cpu", show_default=True,
              help="What the file will run on. For jetson an int8 file for the processor is written besides, where "
                   "there is calibration data.")
@click.option("--runtime", type=click.Choice(list(RUNTIMES)), default=None,
              help="The interpreter that will load the file; one that is too old for an operation is refused.  "
                   "[default: litert, or what the target takes]")
@click.option("--keep", type=click.Choice(list(CURES)), multiple=True, metavar="FORM",
              help="Keep Keras's own form of something that would be rewritten. May be given several times: "
                   f"{', '.join(CURES)}.")
@click.option("--replace", multiple=True, metavar="OLD=NEW",
              help="Compute another activation where the target lacks one, such as gelu=silu. This changes the model: "
                   "measure it. May be given several times.")
@click.option("--require-full-mapping", is_flag=True,
              help="Fail where an operation would stay off the accelerator.")
@click.option("--move-to-host", is_flag=True,
              help="Leave resizes and argmax at the end of the model out of the network: EdgeKit computes them on the "
                   "processor.")
@click.option("--allow-float", is_flag=True,
              help="Take a model of which a part stays float, where all of it was to be quantized.")
@click.option("--input-shape", multiple=True, metavar="[NAME=]H,W,C",
              help="Size of an input that the model leaves open, without the batch. May be given once an input.")
@click.option("--custom-objects", multiple=True, metavar="MODULE[:NAME]",
              help="A class of your own that the model file names: module:Name, folder/file.py:Name, or a module "
                   "alone for all in it. Imported as code. May be given several times.")
@click.option("--labels", type=click.Path(path_type=Path), metavar="FILE",
              help="Class names, one a line, to carry in the file.")
@click.option("--task", type=click.Choice(tuple(TASKS)), default=None,
              help="What the runtime makes of the outputs.  [default: what the last layer suggests]")
@click.option("--head", type=click.Choice(head_names()), metavar="NAME", default=None,
              help=f"The form in which the outputs say it: {', '.join(head_names())}.  [default: what they suggest]")
@click.option("--head-option", "head_options", multiple=True, metavar="KEY=VALUE",
              help="What the head has to know besides, such as anchors=FILE.npy. May be given several times.")
@window_options
@click.option("--normalize", metavar="RANGE", default=None,
              help=f"What pixels become before they reach the model. {FORMS}  [default: 0..255]")
@click.option("--channels", type=click.Choice(ORDERS), default=None,
              help="Order of colours that the model was trained on.  [default: rgb]")
@click.option("--resize", type=click.Choice(RESIZE_RULES), default=None,
              help="How pictures are brought to the model's size.  [default: stretch]")
@click.option("--description", default="", help="A sentence for the file's metadata.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
@debug_option
def convert_command(model: Path, output: Path | None, as_json: bool, **options: Any) -> None:
    """Convert a trained Keras MODEL (.keras, .h5 or a SavedModel folder) to a TFLite file.

    The result is int8 by default, with a batch of 1, and carries its labels and preprocessing with it. Its
    outputs are compared with the float model's on the calibration samples.
    """
    line = LiveLine(sys.stderr)
    try:
        conversion = convert(model, output, progress=Display(line).show, debug=is_debug(), **options)
    finally:
        line.clear()
    for warning in conversion.warnings:
        click.secho("Warning: ", fg="yellow", nl=False, err=True)
        click.echo(warning, err=True)
    click.echo(json.dumps(conversion.to_dict(), indent=2) if as_json else describe(conversion))


def describe(conversion: Conversion) -> str:
    """A conversion in a few lines for a person."""
    was = f" (was {_size(conversion.source_size)})" if conversion.source_size else ""
    count = sum(conversion.operations.values())
    lines = [
        f"{conversion.path}  {_size(conversion.size)}{was}, {conversion.precision}, {count} operations, "
        f"{conversion.seconds:.1f} s, {_size(conversion.peak_memory)} of memory",
        *(f"  input        {t.name}  {t.dtype} {list(t.shape)}" for t in conversion.inputs),
        *(f"  output       {t.name}  {t.dtype} {list(t.shape)}" for t in conversion.outputs),
        f"  task         {conversion.task}" + (f", {conversion.labels} labels" if conversion.labels else ""),
    ]
    lines += [f"  on the host  {sentence}" for sentence in conversion.moved]
    if conversion.calibration:
        about = conversion.calibration
        lines.append(f"  calibration  {about['samples']} samples of {about['source']}{_ranges(about)}")
    if conversion.agreement:
        lines.append(f"  accuracy     {_agreement(conversion.agreement)}")
    if conversion.evaluation:
        lines.append(f"  evaluation   {_evaluation(conversion.evaluation)}")
        lines += [f"  flagged      {visible(part.name)} {part.note}" for part in conversion.evaluation.flagged]
    if conversion.recovery:
        lines.append(f"  gate         held: {conversion.recovery.best.verdict.said}")
    if conversion.recovery and len(conversion.recovery.steps) > 1:
        lines += [f"  recovery     {line}" for line in conversion.recovery.lines()]
    if conversion.placement:
        found = placement_lines(conversion.placement, conversion.target)
        lines += [f"  placement    {line}" for line in found]
    lines += _twin(conversion.twin) if conversion.twin else []
    lines += _onnx(conversion.onnx) if conversion.onnx else []
    lines += [f"  rewritten    {sentence} ({name})" for name, sentence in conversion.rewrites.items()]
    return "\n".join([*lines, f"Next: {own_command()} {_next(conversion)}"])


def _onnx(made: OnnxFile) -> list[str]:
    """The ONNX file, how well it agrees, and what builds an engine of it."""
    kind = "int8 where TensorRT computes so" if made.quantized else "float32"
    same = f", same class in {made.same_class:.1%}" if made.same_class is not None else ""
    agrees = f"{made.sqnr_db:.1f} dB SQNR" if math.isfinite(made.sqnr_db) else "equal"
    return [
        f"  onnx         {made.path}  {_size(made.size)}, {kind}; {agrees}{same} against the .tflite on "
        f"{made.samples} sample{'s' if made.samples > 1 else ''}",
        f"  tensorrt     {made.trtexec}",
    ]


def _ranges(about: Mapping[str, Any]) -> str:
    """How the ranges were chosen, and how many samples were enough."""
    if "calibrator" not in about:
        return ""
    text = f", ranges by {about['calibrator']}{', biases corrected' if about['bias_corrected'] else ''}"
    if about["error_by_count"]:
        count, enough = about["error_by_count"][-1][0], about["enough_samples"]
        text += f"; {enough} samples were enough" if enough else f"; more may help: the error still changed at {count}"
    return text


def _next(conversion: Conversion) -> str:
    if len(conversion.inputs) > 1:
        return f"inspect {quote(str(conversion.path))}"
    device = " --device gpu,cpu" if conversion.target == "jetson" else ""
    return f"run {quote(str(conversion.path))} {_what_to_run(conversion)}{device}"


def _what_to_run(conversion: Conversion) -> str:
    if conversion.calibration.get("kind") == "logs":
        return "log.csv"
    shape = conversion.inputs[0].shape
    if is_picture_shape(shape):
        return "PICTURE"
    return "rows.csv" if len(shape) <= ROWS else "samples.npz"


def _twin(twin: Twin) -> Iterator[str]:
    """The file for the processor."""
    yield f"  for the cpu  {twin.path}  {_size(twin.size)}, {twin.precision}, {twin.speed:.1f} times as fast on this " \
        "machine's processor"
    yield f"               {_agreement(twin.agreement)}"
    if twin.evaluation:
        yield f"               {_evaluation(twin.evaluation)}"


def _agreement(agreement: Agreement) -> str:
    parts = []
    if math.isfinite(agreement.sqnr_db):
        parts.append(f"{agreement.sqnr_db:.1f} dB SQNR")
    elif agreement.same_numbers is None:
        parts.append("equal" if agreement.sqnr_db > 0 else "nothing in common")
    if agreement.same_class is not None:
        parts.append(f"same class in {agreement.same_class:.1%}")
    if agreement.same_numbers is not None:
        parts.append(f"{agreement.same_numbers:.1%} of the whole numbers equal")
    return f"{', '.join(parts)} against the float model on {agreement.samples} calibration samples"


def _evaluation(found: Evaluation) -> str:
    """The main metric, of the float model and of the finished one."""
    main, data = found.main, f"on {found.samples} samples of {found.data}"
    title, share = METRICS[main.name].title, main.unit == "share"

    def said(figure: Figure) -> str:
        return f"{figure.value:.1%}" if share else f"{figure.value:.4g}{f' {main.unit}' if main.unit else ''}"

    if main.against is None:
        return f"{title} {said(main.model)} {data}"
    return f"{title} {said(main.against)} in float, {said(main.model)} as converted, {data}"


def _size(count: int) -> str:
    if count < KILO:
        return f"{count} B"
    return f"{count / KILO:.1f} kB" if count < KILO**2 else f"{count / KILO**2:.1f} MB"
