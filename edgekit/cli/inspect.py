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

from edgekit import metadata as metadata_files
from edgekit.cli import debug_option, examples
from edgekit.cli.streams import print_output
from edgekit.errors import ModelFileError
from edgekit.inputs import ImageOptions, Input, image_spec
from edgekit.metadata import InputMetadata, Metadata, Normalization
from edgekit.metadata.types import Origin
from edgekit.normalization import NAMED
from edgekit.preprocess import ImageSpec, needs_normalization
from edgekit.quantization import scale_of
from edgekit.results import to_json
from edgekit.tasks import Output, choose_task
from edgekit.tflite import ModelFile, Operator, Subgraph, Tensor, read_model

WIDTH = 80
LONGEST_NAME = 36
SHOWN_LABELS = 5
SHOWN_FLOATS = 3
LONGEST_LABEL = 24
SAYS_NOTHING = ("MLIR Converted.", "TOCO Converted.")
"""What TensorFlow's converters describe every model as."""

Rows = Sequence[Sequence[str]]


@click.command(
    "inspect",
    epilog=examples("""
        edgekit inspect model.tflite
        edgekit inspect model_edgetpu.tflite
        edgekit inspect model.tflite --json
    """),
)
@click.argument("model", metavar="MODEL")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debug_option
def inspect_command(model: str, as_json: bool) -> None:
    """Show what MODEL, a .tflite file, takes, gives, computes and says of itself."""
    file = read_model(model)
    about = metadata_files.read(file)
    text = to_json(describe(file, about), indent=2) if as_json else "\n".join(_lines(file, about))
    print_output(text)


def describe(file: ModelFile, about: Metadata) -> dict[str, Any]:
    """The object that `--json` prints.

    `inputs`, `outputs`: `name`, `shape` (-1 for an open dimension), `dtype`, and `quantization`, null or
    `scales`, `zero_points` and `axis`. `metadata`: the fields of `edgekit.metadata.Metadata`. `operations`,
    in execution order: `index`, `type`, `custom_code` (null but for a custom operator), `version`, and the
    tensor names `inputs` (null for an optional one left out) and `outputs`. Numbers that JSON does not
    have, NaN and infinity, are null.
    """
    return {
        "file": file.path,
        "size": file.size,
        "description": file.description,
        "inputs": [_tensor(*pair) for pair in zip(file.inputs, file.input_names, strict=True)],
        "outputs": [_tensor(*pair) for pair in zip(file.outputs, file.output_names, strict=True)],
        "metadata": _plain(asdict(about)),
        "operations": [_operation(operator, file.main) for operator in file.main.operators],
    }


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
    yield _visible(file.label)
    yield from _pairs(_file_facts(file))
    yield from _section("Inputs", _tensor_rows(file.inputs, file.input_names))
    yield from _section("Outputs", _tensor_rows(file.outputs, file.output_names))
    yield from ("", "Feeding")
    feeding = [_feeding(*pair, about.origin) for pair in zip(file.inputs, about.inputs, strict=True)]
    yield from _pairs(zip(file.input_names, feeding, strict=True))
    yield from ("", f"Metadata: {_ORIGINS[about.origin]}")
    yield from _pairs(_metadata_facts(file, about))
    yield from _section(f"Operations: {_count(len(file.main.operators))}", _operator_rows(file))
    yield from _notes(file)


_ORIGINS = {
    "none": "none",
    "tflite": "TFLite Model Metadata",
    "edgekit": "EdgeKit",
    "ultralytics": "Ultralytics",
}


def _file_facts(file: ModelFile) -> Iterator[tuple[str, str]]:
    archive = file.size - file.flatbuffer_size
    yield "Size", f"{_count(file.size)} bytes" + (f", {_count(archive)} of them archive" if archive else "")
    yield "Description", "" if file.description in SAYS_NOTHING else file.description
    yield "Oldest runtime", f"TensorFlow {file.min_runtime_version}" if file.min_runtime_version else ""


def _tensor_rows(tensors: Sequence[Tensor], names: Sequence[str]) -> Rows:
    return [
        (_short(name), tensor.dtype, _shape(tensor.shape), _quantization(tensor))
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
    yield "Target", about.target or ""
    for key in ("name", "description", "version", "author", "license"):
        yield key.capitalize(), getattr(about, key)
    for output in about.outputs:
        yield "Labels", _labels(output.labels)
    for key, value in about.provenance.items():
        yield key, value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)
    yield "Files", ", ".join(about.files)


def _guess(file: ModelFile, about: Metadata) -> str:
    """The task that `edgekit run` would choose."""
    outputs = [
        Output(name, tensor.static_shape, file.final_activation(index), about.outputs[index].labels)
        for index, (name, tensor) in enumerate(zip(file.output_names, file.outputs, strict=True))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return choose_task(outputs, wanted=None, from_file=None, labelled=False)


def _labels(labels: Sequence[str]) -> str:
    first = labels[:SHOWN_LABELS]
    shown = [textwrap.shorten(label, LONGEST_LABEL, placeholder="...") or "(none)" for label in first]
    more = ["..."] if len(labels) > SHOWN_LABELS else []
    return f"{_count(len(labels))}: {'; '.join(shown + more)}" if labels else ""


def _operator_rows(file: ModelFile) -> Rows:
    counted = Counter((operator.label, operator.version) for operator in file.main.operators)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    digits = len(str(max(counted.values(), default=0)))
    return [(f"{number:>{digits}}", _short(label), f"v{version}") for (label, version), number in ordered]


def _notes(file: ModelFile) -> Iterator[str]:
    floats = file.float_tensors
    if floats:
        names = ", ".join(_short(name) for name in floats[:SHOWN_FLOATS])
        more = ", ..." if len(floats) > SHOWN_FLOATS else ""
        yield from _paragraph(f"{_count(len(floats))} computed tensors are float: {names}{more}")
    if file.is_edgetpu:
        yield from _paragraph("Compiled for the Edge TPU: it runs on nothing else (edgekit run --device coral).")


def _paragraph(text: str) -> list[str]:
    return ["", *textwrap.wrap(_visible(text), WIDTH)]


def _section(title: str, rows: Rows) -> Iterator[str]:
    """A table whose columns are as wide as they need; the last one goes below where that is too wide."""
    yield from ("", title)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    below = sum(widths) + 2 * len(widths) > WIDTH
    for row in rows:
        cells = [_visible(cell).ljust(width) for cell, width in zip(row, widths, strict=True)]
        last = [cells.pop().rstrip()] if below else []
        yield f"  {'  '.join(cells)}".rstrip()
        yield from (f"    {cell}" for cell in last if cell)


def _pairs(pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
    """What is known, one fact a line, long ones wrapped under their own beginning."""
    known = [(_short(_visible(name)), _visible(value)) for name, value in pairs if value]
    column = max((len(name) for name, _ in known), default=0) + 4
    for name, value in known:
        first = f"  {name}".ljust(column)
        yield from textwrap.wrap(value, WIDTH, initial_indent=first, subsequent_indent=" " * column)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"...{name[3 - LONGEST_NAME :]}"


def _visible(text: str) -> str:
    """Text from a file, without what would steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _count(number: int) -> str:
    return f"{number:,}"
