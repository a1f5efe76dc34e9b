"""An ONNX graph that is being edited: who makes a tensor and who takes it, constants, new names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain, count
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Graph:
    """The graph of a model, edited in its place.

    Args:
        model: A model without subgraphs that refer to outer tensors.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.proto = model.graph
        self._constants = {item.name: item for item in self.proto.initializer}
        self._names = {*self._constants, *self.makers(), *(item.name for item in self.proto.input)}

    @property
    def nodes(self) -> list[Any]:
        """The operations, in order."""
        return list(self.proto.node)

    def takers(self) -> Mapping[str, list[Any]]:
        """For each tensor the operations that take it."""
        found: defaultdict[str, list[Any]] = defaultdict(list)
        for node in self.proto.node:
            for name in dict.fromkeys(node.input):
                found[name].append(node)
        return found

    def makers(self) -> dict[str, Any]:
        """For each tensor that is computed the operation that does so."""
        return {name: node for node in self.proto.node for name in node.output}

    def is_constant(self, name: str) -> bool:
        """Whether a tensor's values lie in the file."""
        return name in self._constants

    def values(self, name: str) -> NDArray[Any]:
        """The values of a constant."""
        return np.asarray(numpy_helper.to_array(self._constants[name]))

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant, by that name unless there is one of it that holds other values."""
        known = name in self._constants and np.array_equal(self.values(name), values)
        if not known:
            name = self.free(name)
            self.proto.initializer.append(numpy_helper.from_array(values, name))
            self._constants[name] = self.proto.initializer[-1]
            self._names.add(name)
        return name

    def free(self, name: str) -> str:
        """The name, or one like it where that is taken."""
        others = (f"{name}_{number}" for number in count(1))
        return next(one for one in chain([name], others) if one not in self._names)

    def add(self, at: int, kind: str, inputs: Iterable[str], output: str, **attributes: Any) -> None:
        """Put an operation before the one at that place."""
        self.proto.node.insert(at, helper.make_node(kind, [*inputs], [output], name=output, **attributes))
        self._names.add(output)

    def remove(self, nodes: Iterable[Any]) -> None:
        """Take operations out; those that are left are other objects afterwards."""
        gone = {node.output[0] for node in nodes}
        kept = [node for node in self.proto.node if node.output[0] not in gone]
        del self.proto.node[:]
        self.proto.node.extend(kept)

    def replace_taken(self, others: Mapping[str, str]) -> None:
        """Have every operation that took a tensor take another, and for that one its own other."""
        for node in self.proto.node:
            for at, name in enumerate(node.input):
                if name in others:
                    node.input[at] = _last(others, name)

    def rename(self, names: Mapping[str, str]) -> None:
        """Give tensors other names, wherever they are mentioned."""
        for node in self.proto.node:
            for names_of in (node.input, node.output):
                for at, name in enumerate(names_of):
                    names_of[at] = names.get(name, name)
        for items in (self.proto.input, self.proto.output, self.proto.initializer, self.proto.value_info):
            for item in items:
                item.name = names.get(item.name, item.name)
        self._constants = {item.name: item for item in self.proto.initializer}
        self._names |= {*names.values()}

    def tidy(self) -> None:
        """Drop constants that nobody takes, and what is known of tensors between."""
        taken = {name for node in self.proto.node for name in node.input} | {item.name for item in self.proto.output}
        for item in [item for item in self.proto.initializer if item.name not in taken]:
            self.proto.initializer.remove(item)
        del self.proto.value_info[:]
        self._constants = {item.name: item for item in self.proto.initializer}


def _last(others: Mapping[str, str], name: str) -> str:
    while name in others:
        name = others[name]
    return name
