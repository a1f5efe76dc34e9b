"""Reads what an ONNX file says of its graph: inputs, outputs, operations and metadata, the weights left where they are.

What comes of it is the same description that `edgekit.tflite` gives, so that everything behind it treats both alike.
Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edgekit.errors import ModelFileError
from edgekit.onnx.protobuf import BYTES, Field, fields, text
from edgekit.tflite.flatbuffer import DamagedError, Data
from edgekit.tflite.model_file import Entry, ModelFile, Operator, Subgraph, Tensor
from edgekit.tflite.reader import damaged, open_data

ONNX: Final = "onnx"
SUFFIX = ".onnx"
METADATA_PROPS = 14
"""Number of the field of a model that holds pairs of texts, free for anyone to use."""
_IR_VERSION, _PRODUCER, _GRAPH, _OPSETS = 1, 2, 7, 8

TYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
}
"""NumPy's names of TensorProto.DataType."""
LIKE_TFLITE = {
    "Softmax": "SOFTMAX", "Sigmoid": "LOGISTIC", "QuantizeLinear": "QUANTIZE", "DequantizeLinear": "DEQUANTIZE",
    "Reshape": "RESHAPE", "Squeeze": "RESHAPE", "Unsqueeze": "RESHAPE", "Flatten": "RESHAPE", "Identity": "RESHAPE",
    "ArgMax": "ARG_MAX", "Conv": "CONV_2D", "Gemm": "FULLY_CONNECTED", "MatMul": "FULLY_CONNECTED",
}
"""What EdgeKit asks of a model's last operations, in the words that it uses; other operations keep their names."""


def is_onnx(path: str | os.PathLike[str]) -> bool:
    """Whether a file is called as ONNX files are."""
    return Path(path).suffix.lower() == SUFFIX


def read_onnx(path: str | os.PathLike[str]) -> ModelFile:
    """Read an `.onnx` file.

    Raises:
        MissingFileError: there is no such file, or it is a folder.
        ModelFileError: it is no ONNX model, or is damaged or cut short.
    """
    with open_data(path) as data:
        return parse_onnx(data, os.fspath(path))


def parse_onnx(data: Data, path: str = "") -> ModelFile:
    """Read a model from bytes.

    Args:
        data: The whole file.
        path: Where it comes from, for messages.

    Raises:
        ModelFileError: it is no ONNX model, or is damaged or cut short.
    """
    try:
        return _model(data, path)
    except DamagedError as error:
        name = path or "the model"
        if not _begins_as_onnx(data):
            raise ModelFileError(
                f"{name} is not an ONNX model", hint="Make one with edgekit convert model.keras --also onnx."
            ) from error
        raise damaged(name, str(error)) from error


def _begins_as_onnx(data: Data) -> bool:
    """Whether the first bytes are the version of the format, as every exporter has them."""
    return len(data) > 2 and data[0] == _IR_VERSION << 3 and data[1] < 0x80


def _model(data: Data, path: str) -> ModelFile:
    found: defaultdict[int, list[Field]] = defaultdict(list)
    for item in fields(data, 0, len(data)):
        found[item.number].append(item)
    if not all(found[number] for number in (_IR_VERSION, _GRAPH, _OPSETS)):
        raise DamagedError("its graph is missing, or the versions of what it is made of")
    if any(item.kind != BYTES for number in (_GRAPH, METADATA_PROPS) for item in found[number]):
        raise DamagedError("its graph or metadata is no message")
    producer = text(data, found[_PRODUCER][0]) if found[_PRODUCER] else ""
    properties = found[METADATA_PROPS]
    entries = tuple(_entry(data, item) for item in properties)
    return ModelFile(
        path=path,
        size=len(data),
        flatbuffer_size=properties[0].at if properties else len(data),
        description=producer,
        min_runtime_version="",
        subgraphs=(_Graph(data).read(found[_GRAPH][-1]),),
        entries=entries,
        files={entry.name: entry.length for entry in entries},
        format=ONNX,
    )


def _entry(data: Data, item: Field) -> Entry:
    """A pair of texts: the name, and where the value lies."""
    parts = {part.number: part for part in fields(data, item.start, item.end)}
    value = parts.get(2)
    return Entry(
        text(data, parts[1]) if 1 in parts else "",
        value.start if value else item.end,
        value.end - value.start if value else 0,
    )


@dataclass(slots=True)
class _Graph:
    """One GraphProto; tensors are numbered as they come up."""

    data: Data
    numbers: dict[str, int] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)

    def read(self, graph: Field) -> Subgraph:
        parts: defaultdict[int, list[Field]] = defaultdict(list)
        for part in fields(self.data, graph.start, graph.end):
            parts[part.number].append(part)
        self.constants = {name for item in parts[5] for name in self._texts(item, 8)}
        given = dict(map(self._value, parts[11]))
        results = dict(map(self._value, parts[12]))
        # Files of before 2019 list weights among the inputs.
        inputs = [name for name in given if name not in self.constants]
        operators = tuple(self._operator(index, node) for index, node in enumerate(parts[1]))
        ends = [self._number(name) for name in (*inputs, *results)]
        return Subgraph(
            name="".join(text(self.data, part) for part in parts[2][:1]),
            tensors=tuple(self._tensors({**given, **results})),
            operators=operators,
            inputs=tuple(ends[: len(inputs)]),
            outputs=tuple(ends[len(inputs) :]),
        )

    def _number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers)) if name else -1

    def _tensors(self, known: Mapping[str, tuple[str, tuple[int, ...]]]) -> Iterator[Tensor]:
        """All tensors; types and shapes of those between are not known."""
        for name, index in self.numbers.items():
            dtype, shape = known.get(name, ("", ()))
            static = tuple(max(size, 1) if at == 0 else size for at, size in enumerate(shape))
            yield Tensor(index, name, shape, static, dtype, constant=name in self.constants)

    def _operator(self, index: int, node: Field) -> Operator:
        inputs, outputs, kind = (self._texts(node, number) for number in (1, 2, 4))
        if not kind or not outputs:
            raise DamagedError(f"operation {index} has no name, or gives nothing")
        numbers = [[self._number(name) for name in names] for names in (inputs, outputs)]
        return Operator(index, LIKE_TFLITE.get(kind[0], kind[0]), 1, tuple(numbers[0]), tuple(numbers[1]))

    def _value(self, item: Field) -> tuple[str, tuple[str, tuple[int, ...]]]:
        """A ValueInfoProto: name, type and shape; -1 for a size that is left open."""
        names = self._texts(item, 1)
        tensors = self._inside([item], 2, 1)
        if not names:
            raise DamagedError("an input or output of its graph has no name")
        if not tensors:
            raise ModelFileError(
                f"the ONNX model takes or gives '{names[0]}', which is no tensor but a sequence or a map",
                hint="Export it with tensors alone; skl2onnx does so with the option zipmap=False.",
            )
        kinds = [part.value for part in self._all(tensors[-1:], 1)]
        dimensions = self._inside(tensors[-1:], 2, 1)
        return names[0], (TYPES.get(kinds[-1] if kinds else 0, "unknown"), tuple(map(self._size, dimensions)))

    def _size(self, dimension: Field) -> int:
        sizes = [part.value for part in self._all([dimension], 1)]
        return sizes[-1] if sizes else -1

    def _inside(self, items: Sequence[Field], *numbers: int) -> list[Field]:
        """Messages within messages, by the number at each depth."""
        for number in numbers:
            items = self._all(items, number)
            if any(item.kind != BYTES for item in items):
                raise DamagedError("a part of its graph is no message")
        return list(items)

    def _all(self, items: Sequence[Field], number: int) -> list[Field]:
        return [
            part for item in items for part in fields(self.data, item.start, item.end) if part.number == number
        ]

    def _texts(self, item: Field, number: int) -> list[str]:
        return [text(self.data, part) for part in self._all([item], number)]
