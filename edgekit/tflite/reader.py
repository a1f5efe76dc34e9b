"""Reads a `.tflite` file without an interpreter, and refuses one that is damaged or cut short.

Everything that the file refers to is followed once, with bounds checked: tflite-runtime, the interpreter of
32-bit boards, dies of files that this refuses.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from struct import calcsize, unpack_from
from typing import TypeVar

from edgekit.errors import MissingFileError, ModelFileError
from edgekit.tflite.archive import find_archive
from edgekit.tflite.flatbuffer import DamagedError, Data, Decoder, Record
from edgekit.tflite.lookalikes import identify
from edgekit.tflite.model_file import Entry, ModelFile, Operator, Quantization, Signature, Subgraph, Tensor
from edgekit.tflite.opcodes import operator_name, tensor_type_name
from edgekit.tflite.schema import model_schema
from edgekit.tflite.soundness import check_graph, check_parts

T = TypeVar("T")

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
_HEAD = 512
_INLINE = 1
"""Buffer.offset and size of 0 or 1 mean that the values are in the vector `data` (schema.fbs)."""


MOST_VALUES = 1024
"""Elements of the largest constant whose values are read: axes, shapes and paddings have a few."""
_INTEGERS = {"int8": "b", "uint8": "B", "int16": "h", "int32": "i", "int64": "q"}


def read_model(path: str | os.PathLike[str], *, details: bool = False) -> ModelFile:
    """Read a `.tflite` file.

    Args:
        path: Where it is.
        details: Whether to read the options of operators and the values of small integer constants as well.

    Raises:
        MissingFileError: there is no such file, or it is a folder.
        ModelFileError: it is not a TFLite model, or is damaged or cut short.
    """
    with open_data(path) as data:
        return parse_model(data, os.fspath(path), details=details)


def parse_model(data: Data, path: str = "", *, details: bool = False) -> ModelFile:
    """Read a model from bytes.

    Args:
        data: The whole file.
        path: Where it comes from, for messages.
        details: As for `read_model`.

    Raises:
        ModelFileError: it is not a TFLite model, or is damaged or cut short.
    """
    name = path or "the model"
    if data[4:8] != IDENTIFIER:
        raise _not_a_model(bytes(data[:_HEAD]), name)
    decoder = Decoder(data, model_schema())
    try:
        return _model(decoder, decoder.root("Model", IDENTIFIER), data, path, details)
    except DamagedError as error:
        raise damaged(name, str(error)) from error


def damaged(name: str, why: str) -> ModelFileError:
    """The error for a file whose bytes contradict each other."""
    return ModelFileError(
        f"{name} is damaged or cut short: {why}", hint="Copy or convert it again, and compare the sizes."
    )


def open_data(path: str | os.PathLike[str]) -> mmap.mmap:
    """Map a file into memory, without loading it; for use in `with`.

    Raises:
        MissingFileError: there is no such file, or it is a folder or a device.
        ModelFileError: it is empty, or may not be read.
    """
    where = os.fspath(path)
    if not where:  # to Path it is this folder
        raise MissingFileError("no such file: ''", hint="Give the path of a .tflite file.")
    try:
        status = Path(where).stat()
        if stat.S_ISREG(status.st_mode) and status.st_size:
            with Path(where).open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(f"no such file: {where}", hint="Check the path.") from error
    except PermissionError as error:
        raise ModelFileError(f"{where} may not be read", hint="Check its permissions.") from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{where} cannot be read: {error}") from error
    if stat.S_ISREG(status.st_mode):
        raise ModelFileError(f"{where} is empty", hint="Copy or convert it again.")
    what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
    raise MissingFileError(f"{where} is {what}, where a .tflite file is wanted")


def _not_a_model(head: bytes, name: str) -> ModelFileError:
    if not head:
        return ModelFileError(f"{name} is empty", hint="Copy or convert it again.")
    kind = identify(head, name)
    return ModelFileError(f"{name} is not a TFLite model: it is {kind.what}", hint=kind.hint)


def _model(decoder: Decoder, root: Record, data: Data, path: str, details: bool) -> ModelFile:
    if root.number("version") != SCHEMA_VERSION:
        raise DamagedError(f"its schema version is {root.number('version')}, and only 3 exists")
    places = [_place(decoder, buffer) for buffer in root.records("buffers")]
    constants = data if details else b""
    subgraphs = tuple(_subgraph(graph, root, places, constants) for graph in root.records("subgraphs"))
    if not subgraphs:
        raise DamagedError("it holds no graph")
    for subgraph in subgraphs:
        check_graph(subgraph)
    entries = tuple(
        Entry(entry.text("name"), *_at(places, entry.number("buffer"), "buffer"))
        for entry in root.records("metadata")
    )
    external = any(buffer.number("offset") > _INLINE for buffer in root.records("buffers"))
    operators = (operator for graph in root.records("subgraphs") for operator in graph.records("operators"))
    options = [_large_options(decoder, operator) for operator in operators]
    archive = find_archive(data, decoder.extent)
    return ModelFile(
        path=path,
        size=len(data),
        flatbuffer_size=archive.start if archive else len(data),
        description=root.text("description"),
        min_runtime_version=_runtime_version(data, entries),
        subgraphs=subgraphs,
        signatures=tuple(_signature(signature, subgraphs) for signature in root.records("signature_defs")),
        entries=entries,
        files=archive.sizes if archive else {},
        external_data=external or any(options) or bool(root.records("external_buffers")),
    )


def _place(decoder: Decoder, buffer: Record) -> tuple[int, int]:
    """Where the values of a buffer lie, and how many bytes they take."""
    offset, size = buffer.number("offset"), buffer.number("size")
    if offset > _INLINE:
        decoder.need(offset, size)
        return offset, size
    inline = buffer.vector("data")
    return (inline.start, inline.nbytes) if inline else (0, 0)


def _large_options(decoder: Decoder, operator: Record) -> bool:
    """Whether the options of a custom operator lie behind the model."""
    offset = operator.number("large_custom_options_offset")
    if offset > _INLINE:
        decoder.need(offset, operator.number("large_custom_options_size"))
    return offset > _INLINE


def _subgraph(graph: Record, root: Record, places: list[tuple[int, int]], constants: Data) -> Subgraph:
    """One graph; with `constants`, the whole file, also options and small constants."""
    tensors = tuple(
        _tensor(index, tensor, places, constants) for index, tensor in enumerate(graph.records("tensors"))
    )
    codes = [
        (operator_name(code.number("deprecated_builtin_code"), code.number("builtin_code")),
         code.number("version", 1), code.text("custom_code"))
        for code in root.records("operator_codes")
    ]

    def numbers(record: Record, name: str, lowest: int = 0) -> tuple[int, ...]:
        indices = record.integers(name)
        if indices and not (lowest <= min(indices) and max(indices) < len(tensors)):
            raise DamagedError(f"{name} refer to tensors that do not exist")
        return indices

    def operator(index: int, record: Record) -> Operator:
        type_, version, custom = _at(codes, record.number("opcode_index"), "operator code")
        inputs, outputs = numbers(record, "inputs", -1), numbers(record, "outputs")
        numbers(record, "intermediates", -1)
        options = record.record("builtin_options")
        check_parts(type_, len(outputs), options)
        shown = options.options() if constants and options else {}
        return Operator(index, type_, version, inputs, outputs, custom, shown, _custom_options(record))

    return Subgraph(
        name=graph.text("name"),
        tensors=tensors,
        operators=tuple(operator(index, record) for index, record in enumerate(graph.records("operators"))),
        inputs=numbers(graph, "inputs"),
        outputs=numbers(graph, "outputs"),
    )


def _custom_options(operator: Record) -> tuple[int, int]:
    if operator.number("large_custom_options_offset") > _INLINE:
        return operator.number("large_custom_options_offset"), operator.number("large_custom_options_size")
    inline = operator.vector("custom_options")
    return (inline.start, inline.nbytes) if inline else (0, 0)


def _tensor(index: int, tensor: Record, places: list[tuple[int, int]], constants: Data) -> Tensor:
    start, nbytes = _at(places, tensor.number("buffer"), "buffer")
    static = tensor.integers("shape")
    dtype = tensor_type_name(tensor.number("type"))
    return Tensor(
        index=index,
        name=tensor.text("name"),
        shape=tensor.integers("shape_signature") or static,
        static_shape=static,
        dtype=dtype,
        quantization=_quantization(tensor.record("quantization")),
        constant=nbytes > 0 or tensor.number("external_buffer") > 0,
        nbytes=nbytes,
        variable=bool(tensor.number("is_variable")),
        values=_values(constants, start, nbytes, dtype) if constants and nbytes else None,
    )


def _values(data: Data, start: int, nbytes: int, dtype: str) -> tuple[int, ...] | None:
    """The integers of a constant; None where they are none, or too many."""
    code = _INTEGERS.get(dtype)
    size = calcsize(f"<{code}") if code else 0
    if not size or nbytes % size or nbytes > MOST_VALUES * size:
        return None
    return unpack_from(f"<{nbytes // size}{code}", data, start)


def _quantization(quantization: Record | None) -> Quantization | None:
    scales = quantization.reals("scale") if quantization else ()
    if quantization is None or not scales:
        return None
    # Zero points may be left out where all are zero.
    zero_points = quantization.integers("zero_point") or (0,) * len(scales)
    return Quantization(scales, zero_points, quantization.number("quantized_dimension"))


def _signature(signature: Record, subgraphs: tuple[Subgraph, ...]) -> Signature:
    index = signature.number("subgraph_index")
    tensors = _at(subgraphs, index, "graph").tensors

    def names(kind: str) -> dict[str, int]:
        pairs = [(entry.text("name"), entry.number("tensor_index")) for entry in signature.records(kind)]
        return {name: _at(tensors, number, "tensor").index for name, number in pairs}

    return Signature(signature.text("signature_key"), index, names("inputs"), names("outputs"))


def _runtime_version(data: Data, entries: tuple[Entry, ...]) -> str:
    """The text of the entry `min_runtime_version`: 16 bytes, padded with zeros."""
    for entry in entries:
        if entry.name == "min_runtime_version":
            text = bytes(data[entry.start : entry.start + min(entry.length, 16)])
            return text.rstrip(b"\0").decode("ascii", "replace")
    return ""


def _at(items: Sequence[T], index: int, what: str) -> T:
    """An item by a number that the file gives."""
    if not 0 <= index < len(items):
        raise DamagedError(f"{what} {index} does not exist")
    return items[index]
