"""`edgekit inspect`: what a model file holds and says of itself, without running it."""

from __future__ import annotations

import json
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

import click

from edgekit import host
from edgekit import metadata as metadata_files
from edgekit.cli import debug_option, examples
from edgekit.cli.layout import Rows, count, pairs, paragraph, section, short, visible
from edgekit.cli.placing import analyse, placement_lines, write_drawing
from edgekit.cli.streams import print_output
from edgekit.errors import ModelFileError, UsageError
from edgekit.inputs import ImageOptions, Input, image_spec, is_picture_shape
from edgekit.metadata import InputMetadata, Metadata, Normalization
from edgekit.metadata.types import Origin
from edgekit.normalization import NAMED
from edgekit.placement import Placement, operation_facts
from edgekit.preprocess import ImageSpec, needs_normalization
from edgekit.quantization import scale_of
from edgekit.results import to_json
from edgekit.tasks import choose_task
from edgekit.tflite import ModelFile, Operator, Subgraph, Tensor, read_model
from edgekit.windows.spec import describe_window

SHOWN_LABELS = 5
SHOWN_FLOATS = 3
LONGEST_LABEL = 24
SAYS_NOTHING = ("MLIR Converted.", "TOCO Converted.")
"""What TensorFlow's converters describe every model as."""


@click.command(
    "inspect",
    epilog=examples("""
        edgekit inspect model.tflite
        edgekit inspect model_edgetpu.tflite
        edgekit inspect model.tflite --json
        edgekit inspect model.tflite --target coral
        edgekit inspect model.tflite --target coral --svg model.svg
    """),
)
@click.argument("model", metavar="MODEL")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--target", metavar="NAME", help="Tell which operations run on this accelerator, and why the others not.")
@click.option(
    "--subgraphs", metavar="first|all", default="first", show_default=True,
    help="Whether the accelerator takes only the first part that it can run, or every part.",
)
@click.option("--svg", metavar="FILE", help="Draw the graph in the colours of its placement.")
@debug_option
def inspect_command(model: str, as_json: bool, target: str | None, subgraphs: str, svg: str | None) -> None:
    """Show what MODEL, a .tflite file, takes, gives, computes and says of itself; for a target, what runs where."""
    if target is None and (svg is not None or subgraphs != "first"):
        raise UsageError("--subgraphs and --svg are about a target", hint="Give --target, such as --target coral.")
    file = read_model(model)
    placed = analyse(model, target, subgraphs) if target is not None else None
    if placed and svg is not None:
        write_drawing(svg, file, placed)
    if as_json:
        print_output(to_json(describe(file, metadata_files.read(file), placed), indent=2))
    else:
        shown = placement_lines(file, placed) if placed else _lines(file, metadata_files.read(file))
        print_output("\n".join(shown))


def describe(file: ModelFile, about: Metadata, placed: Placement | None = None) -> dict[str, Any]:
    """The object that `--json` prints.

    `inputs`, `outputs`: `name`, `shape` (-1 for an open dimension), `dtype`, and `quantization`, null or
    `scales`, `zero_points` and `axis`. `metadata`: the fields of `edgekit.metadata.Metadata`. `operations`,
    in execution order: `index`, `type`, `custom_code` (null but for a custom operator), `version`, and the
    tensor names `inputs` (null for an optional one left out) and `outputs`; with a placement also the fields of
    `edgekit.placement.PlacedOperation`, and the totals as `placement`. Numbers that JSON does not have, NaN and
    infinity, are null.
    """
    operations = [_operation(operator, file.main) for operator in file.main.operators]
    for entry, operation in zip(operations, placed.operations if placed else (), strict=False):
        entry.update(operation_facts(operation))
    shown: dict[str, Any] = {
        "file": file.path,
        "size": file.size,
        "description": file.description,
        "inputs": [_tensor(*pair) for pair in zip(file.inputs, file.input_names, strict=True)],
        "outputs": [_tensor(*pair) for pair in zip(file.outputs, file.output_names, strict=True)],
        "metadata": _plain(asdict(about)),
        "operations": operations,
    }
    return {**shown, "placement": _plain(placed.to_dict())} if placed else shown


def _tensor(tensor: Tensor, name: str) -> dict[str, Any]:
    quantization = asdict(tensor.quantization) if tensor.quantization else None
    return {
        "name": name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "quantization": _plain(quantization),
    }


def _operation(operator: Operator, graph: Subgraph) -> dict[str, Any]:
    def names(indices: Sequence[int]) -> list[str | None]:
        return [graph.tensors[index].name if index >= 0 else None for index in indices]

    return {
        "index": operator.index,
        "type": operator.type,
        "custom_code": operator.custom_code or None,
        "version": operator.version,
        "inputs": names(operator.inputs),
        "outputs": names(operator.outputs),
    }


def _plain(value: Any) -> Any:
    """The value with lists for tuples, and null for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _lines(file: ModelFile, about: Metadata) -> Iterator[str]:
    yield visible(file.label)
    yield from pairs(_file_facts(file))
    yield from section("Inputs", _tensor_rows(file.inputs, file.input_names))
    yield from section("Outputs", _tensor_rows(file.outputs, file.output_names))
    yield from ("", "Feeding")
    feeding = [_feeding(*pair, about.origin) for pair in zip(file.inputs, about.inputs, strict=True)]
    yield from pairs(zip(file.input_names, feeding, strict=True))
    yield from ("", f"Metadata: {_ORIGINS[about.origin]}")
    yield from pairs(_metadata_facts(file, about))
    yield from section(f"Operations: {count(len(file.main.operators))}", _operator_rows(file))
    yield from _notes(file)


_ORIGINS = {
    "none": "none",
    "tflite": "TFLite Model Metadata",
    "edgekit": "EdgeKit",
    "ultralytics": "Ultralytics",
}


def _file_facts(file: ModelFile) -> Iterator[tuple[str, str]]:
    archive = file.size - file.flatbuffer_size
    yield "Size", f"{count(file.size)} bytes" + (f", {count(archive)} of them archive" if archive else "")
    yield "Description", "" if file.description in SAYS_NOTHING else file.description
    yield "Oldest runtime", f"TensorFlow {file.min_runtime_version}" if file.min_runtime_version else ""


def _tensor_rows(tensors: Sequence[Tensor], names: Sequence[str]) -> Rows:
    return [
        (short(name), tensor.dtype, _shape(tensor.shape), _quantization(tensor))
        for tensor, name in zip(tensors, names, strict=True)
    ]


def _shape(shape: Sequence[int]) -> str:
    return " x ".join("?" if size < 0 else str(size) for size in shape) or "scalar"


def _quantization(tensor: Tensor) -> str:
    parameters = tensor.quantization
    if parameters is None:
        return ""
    if len(parameters.scales) > 1:
        return f"{len(parameters.scales)} scales"
    return f"scale {parameters.scales[0]:.6g}, zero point {parameters.zero_points[0]}"


def _feeding(tensor: Tensor, about: InputMetadata, origin: Origin) -> str:
    """How `edgekit run` makes this input of a picture or of numbers."""
    try:
        known = scale_of(tensor)
    except ModelFileError:
        return "not to be fed: it has a scale for each slice"
    if about.window:
        return describe_window(about.window) + (f", quantized to {tensor.dtype}" if known else "")
    plain = Input(tensor.name, tensor.static_shape, tensor.dtype, known)
    picture = image_spec(plain, about, ImageOptions(), origin)
    if picture is None:
        return "numbers" + (f", quantized to {tensor.dtype}" if known else f" as {tensor.dtype}")
    return ", ".join(_picture_steps(picture))


def _picture_steps(picture: ImageSpec) -> Iterator[str]:
    yield f"{picture.channels} pictures"
    yield f"{_RESIZING[picture.resize]} to {picture.width} x {picture.height}"
    if picture.normalization:
        yield _formula(picture.normalization)
        if picture.quantization:
            yield f"quantized to {picture.dtype}"
    elif needs_normalization(picture):
        yield "normalized as nobody said: give --normalize"
    else:
        yield "pixels less 128" if picture.dtype == "int8" else "pixels as they are"


_RESIZING = {"stretch": "stretched", "letterbox": "letterboxed", "crop": "cropped"}


def _formula(rule: Normalization) -> str:
    if rule == NAMED["0..255"]:
        return "pixels as they are, 0..255"
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (rule.mean, rule.std))
    several = len(rule.mean) > 1 or len(rule.std) > 1
    return f"(pixel - [{mean}]) / [{std}]" if several else f"(pixel - {mean}) / {std}"


def _metadata_facts(file: ModelFile, about: Metadata) -> Iterator[tuple[str, str]]:
    yield "Task", about.task or f"{_guess(file, about)} (a guess)"
    yield "Head", about.head or ""
    yield "Target", about.target or ""
    for key in ("name", "description", "version", "author", "license"):
        yield key.capitalize(), getattr(about, key)
    for output in about.outputs:
        yield "Labels", _labels(output.labels)
        yield "On the host", host.describe_output(output) if output.host else ""
    for key, value in about.provenance.items():
        yield key, value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)
    yield "Files", ", ".join(about.files)


def _guess(file: ModelFile, about: Metadata) -> str:
    """The task that `edgekit run` would choose."""
    outputs = [
        host.output_of(file, index, about.outputs[index]) for index in about.data_outputs(len(file.outputs))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return choose_task(outputs, wanted=None, from_file=None, labelled=False, size=_picture_size(file))


def _picture_size(file: ModelFile) -> tuple[int, int]:
    """Width and height of the first picture that the model takes; 0 where it takes none."""
    shapes = [tensor.static_shape for tensor in file.inputs if is_picture_shape(tensor.static_shape)]
    return (shapes[0][2], shapes[0][1]) if shapes else (0, 0)


def _labels(labels: Sequence[str]) -> str:
    first = labels[:SHOWN_LABELS]
    shown = [textwrap.shorten(label, LONGEST_LABEL, placeholder="...") or "(none)" for label in first]
    more = ["..."] if len(labels) > SHOWN_LABELS else []
    return f"{count(len(labels))}: {'; '.join(shown + more)}" if labels else ""


def _operator_rows(file: ModelFile) -> Rows:
    counted = Counter((operator.label, operator.version) for operator in file.main.operators)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    digits = len(str(max(counted.values(), default=0)))
    return [(f"{number:>{digits}}", short(label), f"v{version}") for (label, version), number in ordered]


def _notes(file: ModelFile) -> Iterator[str]:
    floats = file.float_tensors
    if floats:
        names = ", ".join(short(name) for name in floats[:SHOWN_FLOATS])
        more = ", ..." if len(floats) > SHOWN_FLOATS else ""
        yield from paragraph(f"{count(len(floats))} computed tensors are float: {names}{more}")
    if file.is_edgetpu:
        yield from paragraph("Compiled for the Edge TPU: it runs on nothing else (edgekit run --device coral); "
                             "--target coral shows what is in it.")
