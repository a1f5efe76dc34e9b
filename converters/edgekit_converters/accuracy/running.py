"""A flatbuffer in memory, run on real numbers, with every tensor to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from edgekit.quantization import Scale, dequantize, quantize, scale_of
from edgekit.tflite import ModelFile, Tensor, parse_model
from edgekit_converters.samples.calibration import Feed

Values = NDArray[np.float32]


class Network:
    """A model that is run for its numbers.

    Args:
        flatbuffer: The model, in float or quantized.
        inside: Whether tensors between the operations are wanted, which the interpreter then keeps.
    """

    def __init__(self, flatbuffer: bytes, *, inside: bool = False) -> None:
        self.file: ModelFile = parse_model(flatbuffer)
        # The kernels without XNNPACK give what any runtime gives, and keep what they compute.
        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if inside else OpResolverType.AUTO
        self._interpreter = Interpreter(
            model_content=flatbuffer, experimental_preserve_all_tensors=inside, experimental_op_resolver_type=kernels
        )
        self._interpreter.allocate_tensors()
        self._scales: dict[int, Scale | None] = {}

    def run(self, sample: Mapping[str, NDArray[Any]]) -> None:
        """Run it on real numbers by input name, with nothing left over from the sample before."""
        for name, tensor in zip(self.file.input_names, self.file.inputs, strict=True):
            scale, values = self._scale(tensor), sample[name]
            self._interpreter.set_tensor(
                tensor.index, quantize(values, scale, tensor.dtype) if scale else values.astype(tensor.dtype)
            )
        self._interpreter.reset_all_variables()
        self._interpreter.invoke()

    def tensor(self, index: int) -> Values:
        """What a tensor holds now, as real numbers, in its shape."""
        values, scale = self._interpreter.get_tensor(index), self._scale(self.file.main.tensors[index])
        return dequantize(values, scale) if scale else values.astype(np.float32)

    def outputs(self) -> list[Values]:
        """The outputs as real numbers, in the order of the file."""
        return [self.tensor(tensor.index) for tensor in self.file.outputs]

    def _scale(self, tensor: Tensor) -> Scale | None:
        if tensor.index not in self._scales:
            self._scales[tensor.index] = scale_of(tensor)
        return self._scales[tensor.index]


def outputs_of(flatbuffer: bytes, samples: Iterable[Feed]) -> list[list[Values]]:
    """The outputs of each sample, as real numbers."""
    network, found = Network(flatbuffer), []
    for sample in samples:
        network.run(sample)
        found.append(network.outputs())
    return found


def sqnr_db(signal: float, noise: float) -> float:
    """Signal to quantization noise ratio, 10·log10(Σf² / Σ(f-q)²), in decibels; infinite without noise."""
    if noise == 0:
        return float("inf")
    return 10 * float(np.log10(signal / noise)) if signal and np.isfinite(signal / noise) else float("-inf")


def energy(values: Sequence[Values]) -> float:
    """Σf² over some tensors."""
    return float(sum(np.sum(np.square(each, dtype=np.float64)) for each in values))


def distance(expected: Sequence[Values], found: Sequence[Values]) -> float:
    """Σ(f-q)² over some tensors."""
    differences = (a.astype(np.float64) - b for a, b in zip(expected, found, strict=True))
    return float(sum(np.sum(np.square(difference)) for difference in differences))
