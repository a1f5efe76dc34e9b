"""One operation of a model as a model of its own, to run it alone.

Nothing moves in the file: the list of the graph's operators is cut to one entry that points to the operation, and its
inputs and outputs are named by new lists behind the file. Weights and variables stay where they are.
"""

from __future__ import annotations

from pathlib import Path
from struct import pack, pack_into, unpack_from

from edgekit.tflite.flatbuffer import Decoder
from edgekit.tflite.model_file import ModelFile, Operator
from edgekit.tflite.reader import IDENTIFIER
from edgekit.tflite.schema import model_schema

_ALIGNMENT = 4


class Alone:
    """Makes models of single operations out of one file.

    Args:
        file: The model, with the path that it was read from.
    """

    def __init__(self, file: ModelFile) -> None:
        self._data = Path(file.path).read_bytes()
        self._graph = file.main
        decoder = Decoder(self._data, model_schema())
        graph = decoder.root("Model", IDENTIFIER).records("subgraphs")[0].position
        names = [field.name for field in model_schema().tables["SubGraph"]]
        slots = dict(zip(names, decoder.slots(graph), strict=False))
        self._fields = {name: graph + slots[name] for name in ("inputs", "outputs", "operators")}

    def inputs(self, operator: Operator) -> tuple[int, ...]:
        """Numbers of the tensors that have to be given to an operation: neither constants nor its own state."""
        tensors = [self._graph.tensors[index] for index in operator.inputs if index >= 0]
        return tuple(dict.fromkeys(tensor.index for tensor in tensors if not (tensor.constant or tensor.variable)))

    def model(self, operator: Operator) -> bytes:
        """A model of that operation alone, whose inputs are those of `inputs` and whose outputs are its own."""
        data = bytearray(self._data)
        list_at = self._target(self._fields["operators"])
        entry = list_at + _ALIGNMENT * (1 + operator.index)
        table = entry + int(unpack_from("<I", data, entry)[0])
        pack_into("<II", data, list_at, 1, table - (list_at + _ALIGNMENT))
        for field, numbers in (("inputs", self.inputs(operator)), ("outputs", operator.outputs)):
            data += bytes(-len(data) % _ALIGNMENT)
            pack_into("<I", data, self._fields[field], len(data) - self._fields[field])
            data += pack(f"<I{len(numbers)}i", len(numbers), *numbers)
        return bytes(data)

    def _target(self, at: int) -> int:
        """Where the offset at `at` points."""
        return at + int(unpack_from("<I", self._data, at)[0])
