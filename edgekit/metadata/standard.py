"""The TFLite Model Metadata of tensorflow/tflite-support, which most tools read and write.

Schema: metadata_schema.fbs, as `metadata.fbs` beside this file. It says what each input and output is, how
inputs are normalized, and which files of the archive hold labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.metadata.numbers import normalization, shortest
from edgekit.metadata.types import Channels, Content, InputMetadata, Metadata, Normalization, OutputMetadata
from edgekit.tflite.builder import encode
from edgekit.tflite.flatbuffer import Data, Decoder, Record
from edgekit.tflite.model_file import ModelFile, Tensor
from edgekit.tflite.schema import Schema, load_schema

ENTRY = "TFLITE_METADATA"
IDENTIFIER = b"M001"
PARSER_VERSION = "1.0.0"
"""Oldest reader that knows all we write; 1.0.1 and later brought tokenizers, groups and audio."""
AUDIO_PARSER_VERSION = "1.3.0"

AXIS_LABELS = 2
VALUE_LABELS = 3
"""AssociatedFileType: names of the places along an axis, and names of the values that come out."""
_LABEL_TYPES = frozenset({AXIS_LABELS, VALUE_LABELS})

_UNKNOWN, _RGB, _GRAYSCALE = 0, 1, 2
_COLOR_SPACES: dict[int, Channels] = {_RGB: "rgb", _GRAYSCALE: "gray"}
_CONTENTS: dict[str, Content] = {
    "FeatureProperties": "features", "ImageProperties": "image", "AudioProperties": "audio",
}


def schema() -> Schema:
    """The metadata schema."""
    return load_schema(Path(__file__).with_name("metadata.fbs"))


class Standard:
    """Metadata in the standard form.

    Raises:
        DamagedError: the bytes are not of the format.
    """

    def __init__(self, data: Data) -> None:
        self._root = Decoder(data, schema()).root("ModelMetadata", IDENTIFIER)
        graphs = self._root.records("subgraph_metadata")
        self._graph = graphs[0] if graphs else None

    def files(self) -> tuple[str, ...]:
        """Names of all files that are said to be in the archive."""
        return tuple(_file_names(self._root, self._graph, *self._tensors("input"), *self._tensors("output")))

    def labels_files(self) -> tuple[str, ...]:
        """For each output the name of the file of its labels, empty where it has none."""
        return tuple(_labels_file(tensor) for tensor in self._tensors("output"))

    def apply(self, metadata: Metadata, labels: Mapping[str, tuple[str, ...]]) -> Metadata:
        """`metadata` with what is said here; `labels` holds those of the labels files, by name."""
        root, graph = self._root, self._graph
        inputs = [_input(tensor) for tensor in self._tensors("input")[: len(metadata.inputs)]]
        outputs = [_output(tensor, labels) for tensor in self._tensors("output")[: len(metadata.outputs)]]
        return replace(
            metadata,
            name=root.text("name") or (graph.text("name") if graph else ""),
            description=root.text("description") or (graph.text("description") if graph else ""),
            version=root.text("version"),
            author=root.text("author"),
            license=root.text("license"),
            inputs=(*inputs, *metadata.inputs[len(inputs) :]),
            outputs=(*outputs, *metadata.outputs[len(outputs) :]),
            origin="tflite",
        )

    def _tensors(self, kind: str) -> tuple[Record, ...]:
        return self._graph.records(f"{kind}_tensor_metadata") if self._graph else ()


def _file_names(*holders: Record | None) -> Iterator[str]:
    for holder in holders:
        if holder:
            yield from (file.text("name") for file in holder.records("associated_files"))


def _labels_file(tensor: Record) -> str:
    """The labels file of a tensor; the one without a locale where there are translations."""
    files = [file for file in tensor.records("associated_files") if file.number("type") in _LABEL_TYPES]
    best = min(files, key=lambda file: file.text("locale") not in {"", "en"}, default=None)
    return best.text("name") if best else ""


def _input(tensor: Record) -> InputMetadata:
    content: Content = "unknown"
    channels: Channels | None = None
    if described := tensor.record("content"):
        members = schema().unions["ContentProperties"]
        content = _CONTENTS.get(members.get(described.number("content_properties_type"), ""), "unknown")
        if content == "image" and (properties := described.record("content_properties")):
            channels = _COLOR_SPACES.get(properties.number("color_space"))
    stats = tensor.record("stats")
    return InputMetadata(
        name=tensor.text("name"),
        description=tensor.text("description"),
        content=content,
        channels=channels,
        normalization=next(filter(None, map(_normalization, tensor.records("process_units"))), None),
        minimum=tuple(map(shortest, stats.reals("min"))) if stats else (),
        maximum=tuple(map(shortest, stats.reals("max"))) if stats else (),
    )


def _normalization(unit: Record) -> Normalization | None:
    member = schema().unions["ProcessUnitOptions"].get(unit.number("options_type"))
    options = unit.record("options")
    if options is None or member != "NormalizationOptions":
        return None
    return normalization(options.reals("mean"), options.reals("std"))


def _output(tensor: Record, labels: Mapping[str, tuple[str, ...]]) -> OutputMetadata:
    return OutputMetadata(
        name=tensor.text("name"),
        description=tensor.text("description"),
        labels=labels.get(_labels_file(tensor), ()),
    )


def encode_standard(
    metadata: Metadata, model: ModelFile, labels_files: Mapping[int, str], other_files: Mapping[str, str]
) -> bytes:
    """The FlatBuffer for the entry `TFLITE_METADATA`.

    Args:
        metadata: What to say, with as many inputs and outputs as the model.
        model: The file that it describes.
        labels_files: Names of the labels files, by number of the output.
        other_files: Other files of the archive: descriptions by name.
    """
    audio = any(item.content == "audio" for item in metadata.inputs)
    graph = {
        "name": metadata.name,
        "input_tensor_metadata": [_input_values(item) for item in metadata.inputs],
        "output_tensor_metadata": [
            _output_values(item, tensor, labels_files.get(index))
            for index, (item, tensor) in enumerate(zip(metadata.outputs, model.outputs, strict=True))
        ],
    }
    values = {
        "name": metadata.name,
        "description": metadata.description,
        "version": metadata.version,
        "author": metadata.author,
        "license": metadata.license,
        "subgraph_metadata": [graph],
        "associated_files": [
            {"name": name, "description": text} for name, text in sorted(other_files.items())
        ],
        "min_parser_version": AUDIO_PARSER_VERSION if audio else PARSER_VERSION,
    }
    return encode(schema(), "ModelMetadata", values, IDENTIFIER)


def _input_values(item: InputMetadata) -> dict[str, Any]:
    rule = item.normalization
    return {
        "name": item.name,
        "description": item.description,
        "content": _content_values(item),
        "process_units": [
            {"options": ("NormalizationOptions", {"mean": list(rule.mean), "std": list(rule.std)})}
        ] if rule else (),
        "stats": {"min": item.minimum, "max": item.maximum} if item.minimum or item.maximum else None,
    }


def _content_values(item: InputMetadata) -> dict[str, Any] | None:
    if item.content == "image":
        # The standard has no number for BGR; edgekit.json says it.
        color = {"rgb": _RGB, "gray": _GRAYSCALE}.get(item.channels or "", _UNKNOWN)
        return {"content_properties": ("ImageProperties", {"color_space": color})}
    member = next((name for name, content in _CONTENTS.items() if content == item.content), None)
    return {"content_properties": (member, {})} if member else None


def _output_values(item: OutputMetadata, tensor: Tensor, file: str | None) -> dict[str, Any]:
    along_axis = tensor.static_shape[-1:] == (len(item.labels),)
    labels = {
        "name": file,
        "description": "Class names, one a line.",
        "type": AXIS_LABELS if along_axis else VALUE_LABELS,
    }
    return {
        "name": item.name,
        "description": item.description,
        "content": {"content_properties": ("FeatureProperties", {})},
        "associated_files": [labels] if file else (),
    }
