"""Cross-layer equalization: channels of one size, so that they share a scale without loss.

A layer's channel divided by s, and what the next layer makes of it multiplied by s, compute the same where nothing but
positively homogeneous functions, f(s·x) = s·f(x) such as ReLU, stands between them. Source: M. Nagel et al.,
Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019, section 4.1. There a channel's size
is that of its weights; where weights have a scale for each channel, as here mostly, that of its activations matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekit_converters.accuracy.running import Network
from edgekit_converters.lowering.flatbuffer_editing import CODES, Editor, add_buffer, packed, unpacked
from edgekit_converters.samples.calibration import Feed

MOST_ROUNDS = 20
CONVERGED = 0.01
"""Change of all scales in a round, relative to 1, below which it is the last."""
LARGEST_SCALE = 1e4
Array = NDArray[np.float32]
_ACTIVATIONS = schema.ActivationFunctionType
_HOMOGENEOUS = frozenset({_ACTIVATIONS.NONE, _ACTIVATIONS.RELU})
_LAYERS = frozenset({CODES.CONV_2D, CODES.DEPTHWISE_CONV_2D, CODES.FULLY_CONNECTED})
_BETWEEN = frozenset({
    CODES.RELU, CODES.LEAKY_RELU, CODES.MAX_POOL_2D, CODES.AVERAGE_POOL_2D, CODES.MEAN, CODES.RESHAPE, CODES.PAD,
})
_WEIGHTS, _BIAS = 1, 2


@dataclass(frozen=True, slots=True)
class Equalized:
    """A float model that computes the same as the one it was made from.

    Attributes:
        flatbuffer: The model.
        pairs: How many pairs of layers were equalized; with none, the model is as it was.
    """

    flatbuffer: bytes
    pairs: int


def equalize(flatbuffer: bytes, samples: Sequence[Feed] = ()) -> Equalized:
    """Equalize the channels between each two layers that follow each other.

    Layers are convolutions, depthwise convolutions and fully connected ones. ReLU, LeakyReLU, pooling, means over
    places, zero padding and flattening may stand between them; not ReLU6 and other curves, nor anything that takes the
    result a second time, such as an addition around the layers.

    Args:
        flatbuffer: A float model.
        samples: Where given, a channel is as large as the largest value that it takes on them; else as its weights.
    """
    model = unpacked(flatbuffer)
    graph = _Graph(model)
    pairs = list(graph.pairs())
    if not pairs:
        return Equalized(flatbuffer, 0)
    sizes = _largest_values(flatbuffer, [pair.channels for pair in pairs], samples) if samples else {}
    for _ in range(MOST_ROUNDS):
        changes = [_balance(graph, pair, sizes) for pair in pairs]
        if max(changes) < CONVERGED:
            break
    graph.write()
    return Equalized(packed(model), len(pairs))


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two layers, and the tensor between them whose last dimension are the channels."""

    first: Any
    second: Any
    channels: int


class _Graph:
    """The main graph of a model, with the weights of its layers as arrays."""

    def __init__(self, model: Any) -> None:
        self._model, self._tensors = model, model.subgraphs[0].tensors
        self._editor = Editor(model, model.subgraphs[0])
        self._arrays: dict[int, Array] = {}

    def pairs(self) -> Iterator[_Pair]:
        """Layers that follow each other, in execution order."""
        for operator in self._editor.operators:
            if self._is_layer(operator) and operator.builtinOptions.fusedActivationFunction in _HOMOGENEOUS:
                follower = self._follower(operator.outputs[0])
                if follower is not None and self._fits(operator, follower):
                    yield _Pair(operator, follower, int(operator.outputs[0]))

    def _follower(self, tensor: int) -> Any | None:
        """The layer that alone takes a tensor, past what may stand between."""
        users = self._editor.users(tensor)
        if len(users) != 1 or self._editor.is_output(tensor) or list(users[0].inputs).count(tensor) != 1:
            return None
        user = users[0]
        if self._is_layer(user):
            return user if user.inputs[0] == tensor else None
        return self._follower(user.outputs[0]) if self._lets_through(user) else None

    def _is_layer(self, operator: Any) -> bool:
        if self._editor.code(operator) not in _LAYERS:
            return False
        constants = [int(index) for index in operator.inputs[1:] if index >= 0]
        return all(self._holds_floats(index) and len(self._editor.users(index)) == 1 for index in constants)

    def _lets_through(self, operator: Any) -> bool:
        code, ends = self._editor.code(operator), (operator.inputs[0], operator.outputs[0])
        if code not in _BETWEEN:
            return False
        before, after = (self._editor.shape(index) for index in ends)
        if code == CODES.MEAN:
            return len(before) - 1 not in [axis % len(before) for axis in self._editor.integers(operator.inputs[1])]
        activation = getattr(operator.builtinOptions, "fusedActivationFunction", _ACTIVATIONS.NONE)
        flattened = code == CODES.RESHAPE and after[-1] % before[-1] == 0
        return activation in _HOMOGENEOUS and (before[-1] == after[-1] or flattened)

    def _fits(self, first: Any, second: Any) -> bool:
        channels = self._editor.shape(first.outputs[0])[-1]
        weights = self.weights(second)
        taken = int(weights.shape[-1])
        if self._editor.code(second) == CODES.FULLY_CONNECTED:
            return taken % channels == 0  # flattened: the channels come again at each place
        return taken == channels

    def _holds_floats(self, index: int) -> bool:
        return self._model.buffers[self._tensors[index].buffer].data is not None and self._editor.is_float(index)

    def weights(self, operator: Any) -> Array:
        """The weights of a layer, to be changed in place."""
        return self._array(int(operator.inputs[_WEIGHTS]))

    def outgoing(self, operator: Any) -> Array:
        """The same as (channels that come out, all else): a view."""
        weights = self.weights(operator)
        if self._editor.code(operator) == CODES.DEPTHWISE_CONV_2D:
            return weights.reshape(-1, weights.shape[-1]).T
        return weights.reshape(len(weights), -1)

    def incoming(self, operator: Any, channels: int) -> Array:
        """The same as (all else, channels that go in): a view."""
        return self.weights(operator).reshape(-1, channels)

    def bias(self, operator: Any) -> Array | None:
        """The bias of a layer, to be changed in place; None without one."""
        has = len(operator.inputs) > _BIAS and operator.inputs[_BIAS] >= 0
        return self._array(int(operator.inputs[_BIAS])) if has else None

    def _array(self, index: int) -> Array:
        if index not in self._arrays:
            tensor = self._tensors[index]
            values = np.frombuffer(bytes(self._model.buffers[tensor.buffer].data), np.float32)
            self._arrays[index] = values.reshape([int(size) for size in tensor.shape]).copy()
        return self._arrays[index]

    def write(self) -> None:
        """Put the arrays back; each gets a buffer of its own, since equal ones may have shared theirs."""
        for index, values in self._arrays.items():
            self._tensors[index].buffer = add_buffer(self._model, values)


def _balance(graph: _Graph, pair: _Pair, sizes: dict[int, Array]) -> float:
    """Scale the channels between two layers: by how much at most, relative to 1."""
    outgoing = graph.outgoing(pair.first)
    incoming = graph.incoming(pair.second, len(outgoing))
    given = sizes.get(pair.channels)
    first = np.abs(outgoing).max(axis=1) if given is None else given
    second = np.abs(incoming).max(axis=0)
    used = (first > 0) & (second > 0)
    scales = np.sqrt(first / np.where(used, second, 1), where=used, out=np.ones(len(first), np.float32))
    # Only what differs between channels counts: the size of all together stays as it was.
    scales[used] /= np.exp(np.mean(np.log(scales[used]))) if used.any() else 1
    scales = np.clip(scales, 1 / LARGEST_SCALE, LARGEST_SCALE)
    outgoing /= scales[:, None]
    incoming *= scales
    bias = graph.bias(pair.first)
    if bias is not None:
        bias /= scales
    if given is not None:
        sizes[pair.channels] = given / scales
    return float(np.abs(scales - 1).max())


def _largest_values(flatbuffer: bytes, tensors: Sequence[int], samples: Sequence[Feed]) -> dict[int, Array]:
    """The largest absolute value of each channel of some tensors."""
    network = Network(flatbuffer, inside=True)
    found: dict[int, Array] = {}
    for sample in samples:
        network.run(sample)
        for index in tensors:
            values = network.tensor(index)
            largest = np.abs(values.reshape(-1, values.shape[-1])).max(axis=0)
            found[index] = np.maximum(found[index], largest) if index in found else largest
    return found
