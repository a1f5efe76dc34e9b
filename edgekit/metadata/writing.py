"""Writes metadata into a model, whose own bytes stay as they are."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from typing import TypeVar

from edgekit.errors import DataError, ModelFileError, UsageError
from edgekit.metadata import own
from edgekit.metadata.graft import graft, ungraft
from edgekit.metadata.standard import ENTRY, Standard, encode_standard
from edgekit.metadata.types import InputMetadata, Metadata, OutputMetadata
from edgekit.onnx.protobuf import encode
from edgekit.onnx.reader import METADATA_PROPS, parse_onnx
from edgekit.tflite.archive import append_members, read_members
from edgekit.tflite.flatbuffer import DamagedError
from edgekit.tflite.model_file import ModelFile
from edgekit.tflite.reader import damaged, parse_model

Item = TypeVar("Item", InputMetadata, OutputMetadata)

_OWN_DESCRIPTION = "Task, target, preprocessing, provenance and checksum."
_OTHER_DESCRIPTION = "Kept from the model as it was."
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def write(model: bytes, metadata: Metadata) -> bytes:
    """Write metadata into a model: standard TFLite Model Metadata, labels files, and `edgekit.json`.

    What the model computes is untouched, bit for bit, and equal arguments give equal bytes. Metadata that
    the model has is replaced; other files of its archive are kept. Inputs and outputs that `metadata` does
    not name get the names that the model gives them.

    Args:
        model: All bytes of a `.tflite` file.
        metadata: What to say; `origin` and `files` are not written.

    Returns:
        All bytes of the new file.

    Raises:
        ModelFileError: it is not a model, is damaged, or keeps values outside its FlatBuffer.
        UsageError: `metadata` describes more inputs or outputs than the model has.
        DataError: a label holds a line break, or the provenance is no JSON.
    """
    file = parse_model(model)
    if file.external_data:
        raise ModelFileError(
            "the model keeps values outside its FlatBuffer, where metadata would move them",
            hint="Export it with the values inside (a model under 2 GB fits).",
        )
    complete = _complete(metadata, file)
    names = _labels_names(complete)
    kept = _kept(model, file)
    members = kept | {name: _text(complete.outputs[index].labels) for index, name in names.items()}
    others = {name: _OTHER_DESCRIPTION for name in kept if name not in names.values()}
    entry = encode_standard(complete, file, names, others | {own.FILE: _OWN_DESCRIPTION})
    flatbuffer = graft(_bare(model, file), ENTRY, entry)
    members[own.FILE] = own.encode_own(complete, own.digest(flatbuffer, len(flatbuffer)))
    return append_members(flatbuffer, members)


def write_onnx(model: bytes, metadata: Metadata) -> bytes:
    """Write metadata behind an ONNX model, as its `metadata_props`: the same content by the same names as `write`.

    The standard's FlatBuffer is written in Base64, since those are texts.

    Args:
        model: All bytes of an `.onnx` file that has no metadata.
        metadata: What to say; `origin` and `files` are not written.

    Returns:
        All bytes of the new file.

    Raises:
        ModelFileError: it is no ONNX model, is damaged, or has metadata.
        UsageError: `metadata` describes more inputs or outputs than the model has.
        DataError: a label holds a line break, or the provenance is no JSON.
    """
    file = parse_onnx(model)
    if file.entries:
        raise ModelFileError("the model has metadata already", hint="Export it again.")
    complete = _complete(metadata, file)
    names = _labels_names(complete)
    properties = {name: _text(complete.outputs[index].labels) for index, name in names.items()}
    properties[ENTRY] = b64encode(encode_standard(complete, file, names, {own.FILE: _OWN_DESCRIPTION}))
    properties[own.FILE] = own.encode_own(complete, own.digest(model, len(model)))
    pairs = (encode(1, name.encode()) + encode(2, value) for name, value in properties.items())
    return model + b"".join(encode(METADATA_PROPS, pair) for pair in pairs)


def _complete(metadata: Metadata, file: ModelFile) -> Metadata:
    """The metadata with an item for each input and output of the file."""
    return replace(
        metadata,
        inputs=_named(metadata.inputs, file.input_names, InputMetadata(), "inputs"),
        outputs=_named(metadata.outputs, file.output_names, OutputMetadata(), "outputs"),
    )


def _bare(model: bytes, file: ModelFile) -> bytes:
    """The model without archive, and without what an earlier `write` put before it."""
    flatbuffer = model[: file.flatbuffer_size]
    old = next((entry for entry in file.entries if entry.name == ENTRY), None)
    return ungraft(flatbuffer, old) if old else flatbuffer


def _named(items: tuple[Item, ...], names: tuple[str, ...], blank: Item, what: str) -> tuple[Item, ...]:
    """As many items as the model has tensors, each with a name."""
    if len(items) > len(names):
        raise UsageError(f"metadata for {len(items)} {what} was given, and the model has {len(names)}")
    filled = items + (blank,) * (len(names) - len(items))
    return tuple(
        item if item.name else replace(item, name=name) for item, name in zip(filled, names, strict=True)
    )


def _labels_names(metadata: Metadata) -> dict[int, str]:
    """File names of the labels, by number of the output."""
    labelled = [index for index, output in enumerate(metadata.outputs) if output.labels]
    if len(labelled) <= 1:
        return dict.fromkeys(labelled, "labels.txt")
    names: dict[int, str] = {}
    for index in labelled:
        name = f"labels_{_UNSAFE.sub('_', metadata.outputs[index].name)}"
        names[index] = f"{name}_{index}.txt" if f"{name}.txt" in names.values() else f"{name}.txt"
    return names


def _text(labels: tuple[str, ...]) -> bytes:
    for label in labels:
        if "\n" in label or "\r" in label:
            raise DataError(f"the label {label!r} holds a line break", hint="A label is one line.")
    return "".join(f"{label}\n" for label in labels).encode("utf-8")


def _kept(model: bytes, file: ModelFile) -> dict[str, bytes]:
    """Members of the archive that metadata written before did not put there."""
    try:
        old = [Standard(model[entry.start : entry.start + entry.length])
               for entry in file.entries if entry.name == ENTRY and entry.length]
        replaced = {own.FILE, *(name for standard in old for name in standard.labels_files())}
        return read_members(model, file.flatbuffer_size, set(file.files) - replaced)
    except DamagedError as error:
        raise damaged(file.label, str(error)) from error
