"""Finds out what a model file says of itself, whoever wrote it."""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from edgekit.errors import ModelFileError
from edgekit.labels import parse_labels
from edgekit.metadata import own, ultralytics
from edgekit.metadata.standard import ENTRY, Standard
from edgekit.metadata.types import InputMetadata, Metadata, OutputMetadata
from edgekit.onnx.reader import ONNX, is_onnx, parse_onnx
from edgekit.tflite.archive import read_members
from edgekit.tflite.flatbuffer import DamagedError, Data
from edgekit.tflite.model_file import Entry, ModelFile
from edgekit.tflite.reader import damaged, open_data, parse_model


def read(model: ModelFile | bytes | str | os.PathLike[str]) -> Metadata:
    """Read what a `.tflite` or `.onnx` file says of its model.

    Understood are, the richest one winning: EdgeKit's own `edgekit.json`, Ultralytics' `metadata.json` and
    `temp_meta.txt`, and the standard TFLite Model Metadata. A file that says nothing gives empty fields.
    What other tools wrote in an unknown way is passed over; a damaged file is always refused, and so is one
    that differs from what EdgeKit wrote.

    Args:
        model: A path, a file already read, or all bytes of one.

    Returns:
        Metadata with as many inputs and outputs as the graph has.

    Raises:
        MissingFileError: there is no such file.
        ModelFileError: the file is no model, is damaged or cut short, or its checksum does not fit.
    """
    if isinstance(model, bytes):
        return _read(parse_model(model), model)
    if isinstance(model, ModelFile):
        with open_data(model.path) as data:
            if len(data) != model.size:
                raise ModelFileError(f"{model.path} changed while it was read", hint="Run it again.")
            return _read(model, data)
    with open_data(model) as data:
        return _read((parse_onnx if is_onnx(model) else parse_model)(data, os.fspath(model)), data)


def _read(model: ModelFile, data: Data) -> Metadata:
    try:
        return _Reading(model, data).metadata()
    except DamagedError as error:
        raise damaged(model.path or model.label, str(error)) from error


class _Reading:
    """One file: its standard metadata, and the members of its archive that matter."""

    def __init__(self, model: ModelFile, data: Data) -> None:
        self._model = model
        self._data = data
        self._standard = next(
            (Standard(self._content(entry)) for entry in model.entries if entry.name == ENTRY and entry.length), None
        )
        self._refuse_lost_files()

    def _content(self, entry: Entry) -> bytes:
        """The standard's FlatBuffer; that of an ONNX file, whose metadata are texts, is in Base64."""
        content = bytes(self._data[entry.start : entry.start + entry.length])
        if self._model.format != ONNX:
            return content
        try:
            return b64decode(content, validate=True)
        except ValueError as error:
            raise DamagedError(f"its {ENTRY} is no Base64 ({error})") from error

    def metadata(self) -> Metadata:
        """What all the formats found say together; the richest wins."""
        found = Metadata(
            inputs=(InputMetadata(),) * len(self._model.inputs),
            outputs=(OutputMetadata(),) * len(self._model.outputs),
            files=tuple(sorted(self._model.files)),
        )
        document = self._own()
        if self._standard:
            labels = self._declared_labels(exact=document is not None)
            found = self._standard.apply(found, labels)
        if document is not None:
            return own.apply_own(document, found)
        if theirs := self._ultralytics():
            return ultralytics.apply_ultralytics(theirs, found)
        return self._with_loose_labels(found)

    def _refuse_lost_files(self) -> None:
        declared = self._standard.files() if self._standard else ()
        # Other tools declare names that they then store differently; EdgeKit does not.
        lost = own.FILE in declared and not set(declared) <= set(self._model.files)
        if lost or (any(declared) and not self._model.files):
            names = ", ".join(declared)
            raise DamagedError(f"the archive that should follow the model, with {names}, is missing or incomplete")

    def _own(self) -> dict[str, Any] | None:
        """`edgekit.json`, once the model is known to be the one that it was written for."""
        content = self._members([own.FILE]).get(own.FILE)
        if content is None:
            return None
        document = own.decode_own(content)
        if document["model_sha256"] != own.digest(self._data, self._model.flatbuffer_size):
            raise ModelFileError(
                f"{self._model.path or self._model.label} is not what EdgeKit wrote: its checksum differs",
                hint="It was damaged on the way, or changed by another tool. Copy or convert it again.",
            )
        return document

    def _declared_labels(self, exact: bool) -> Mapping[str, tuple[str, ...]]:
        names = self._standard.labels_files() if self._standard else ()
        contents = self._members(filter(None, names))
        return {name: _lines(content) if exact else _labels(content) for name, content in contents.items()}

    def _ultralytics(self) -> dict[str, Any]:
        for name, content in self._members(ultralytics.FILES).items():
            if found := ultralytics.parse_ultralytics(name, content):
                return found
        return {}

    def _with_loose_labels(self, found: Metadata) -> Metadata:
        """Labels of a file that is called so, where no output claims one."""
        loose = [name for name in sorted(self._model.files) if _is_labels_name(name)]
        if not loose or not found.outputs or any(output.labels for output in found.outputs):
            return found
        labels = _labels(self._members(loose[:1])[loose[0]])
        index = _output_for(labels, self._model)
        outputs = list(found.outputs)
        outputs[index] = replace(outputs[index], labels=labels)
        return replace(found, outputs=tuple(outputs), origin="tflite")

    def _members(self, names: Iterable[str]) -> dict[str, bytes]:
        """Contents by the names asked for; a folder before a member's name does not count."""
        stored = {PurePosixPath(name).name: name for name in sorted(self._model.files, reverse=True)}
        wanted = {name: stored[base] for name in names if (base := PurePosixPath(name).name) in stored}
        if not wanted:
            return {}
        contents = self._files(set(wanted.values()))
        return {name: contents[member] for name, member in wanted.items()}

    def _files(self, names: Collection[str]) -> dict[str, bytes]:
        """Contents of associated files: members of the archive, or an ONNX file's own entries."""
        if self._model.format != ONNX:
            return read_members(self._data, self._model.flatbuffer_size, set(names))
        return {
            entry.name: bytes(self._data[entry.start : entry.start + entry.length])
            for entry in self._model.entries if entry.name in names
        }


def _is_labels_name(name: str) -> bool:
    return "label" in name.lower() and name.lower().endswith(".txt")


def _labels(content: bytes) -> tuple[str, ...]:
    return parse_labels(content.decode("utf-8", "replace"))


def _lines(content: bytes) -> tuple[str, ...]:
    """Labels as EdgeKit writes them: every line counts, as it stands."""
    return tuple(content.decode("utf-8", "replace").removesuffix("\n").split("\n"))


def _output_for(labels: Sequence[str], model: ModelFile) -> int:
    """The output with as many classes as there are labels; the first one where none has."""
    sizes = [tensor.static_shape[-1:] for tensor in model.outputs]
    return sizes.index((len(labels),)) if (len(labels),) in sizes else 0
