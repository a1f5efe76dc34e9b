"""What a `.tflite` file holds, as plain values: graphs, tensors, operators, signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgekit.tflite.opcodes import EDGETPU_CUSTOM_OP

FLOAT_TYPES = frozenset({"float32", "float16"})
ACTIVATIONS = frozenset({"SOFTMAX", "LOGISTIC"})
_SEEN_THROUGH = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE"})

Option = int | float | tuple[int, ...]
"""What an option of an operator may be."""


@dataclass(frozen=True, slots=True)
class Quantization:
    """Real value = `scale * (q - zero_point)`, one pair for the tensor or one for each slice along `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a graph.

    Attributes:
        index: Number within its graph, the one that the interpreter uses.
        name: As in the file.
        shape: Dimensions; -1 where the model leaves one open.
        static_shape: Dimensions that the interpreter starts with; an open one is usually 1.
        dtype: Element type as NumPy names it, such as `int8`.
        quantization: None where the numbers are what they say.
        constant: Whether its values lie in the file.
        nbytes: Bytes of those values; 0 where it is not constant.
        variable: Whether it is state that an operator keeps from one run to the next.
        values: The values of a small constant of integers, in the file's order; None for all else, and where
            the file was not read with `details`.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    static_shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    constant: bool = False
    nbytes: int = 0
    variable: bool = False
    values: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """An operation of a graph.

    Attributes:
        index: Place in execution order, from 0.
        type: Such as `CONV_2D`; `CUSTOM` for one that TFLite does not define.
        version: Version of the operator that the file asks for.
        inputs: Tensor numbers; -1 for an optional input that is left out.
        outputs: Tensor numbers.
        custom_code: Name of a custom operator; else empty.
        options: Numbers and vectors of integers by their names in the schema, without those that have their
            default; empty where the file was not read with `details`.
        custom_options: Where a custom operator's options lie in the file: first byte and number of bytes.
    """

    index: int
    type: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    custom_code: str = ""
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)
    custom_options: tuple[int, int] = field(default=(0, 0), compare=False)  # a place says nothing of the network

    @property
    def label(self) -> str:
        """The type, or the name of a custom operator."""
        return self.custom_code or self.type


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A graph; `inputs` and `outputs` are tensor numbers."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def used(self) -> frozenset[int]:
        """Numbers of the tensors that go in or out of the graph or of an operator.

        An operator's intermediates, which only say how an LSTM is quantized within, are not among them.
        """
        ends = (*self.inputs, *self.outputs)
        between = (index for operator in self.operators for index in (*operator.inputs, *operator.outputs))
        return frozenset(index for index in (*ends, *between) if index >= 0)


@dataclass(frozen=True, slots=True)
class Signature:
    """Names that the model's maker gave to inputs and outputs: tensor numbers by name."""

    key: str
    subgraph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """A named piece of metadata: where its bytes lie in the file."""

    name: str
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file, read without an interpreter.

    Attributes:
        path: Where it was read from; empty for bytes.
        size: Bytes of the whole file.
        flatbuffer_size: Bytes before the archive of associated files that may follow the model.
        description: What its converter wrote, such as `MLIR Converted.`.
        min_runtime_version: Oldest TensorFlow runtime that knows all operators; empty where not said.
        subgraphs: The graphs; the first is the one that runs.
        signatures: As in the file.
        entries: Metadata entries by name and place.
        files: Sizes in bytes of the associated files in the archive, by name.
        external_data: Whether values lie behind the model at absolute positions, or in other files.
        format: `tflite`, or `onnx` for an ONNX file (`edgekit.onnx`): its metadata follow the first `flatbuffer_size`
            bytes too, and its operations have TFLite's names where EdgeKit asks for them.
    """

    path: str
    size: int
    flatbuffer_size: int
    description: str
    min_runtime_version: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...] = ()
    entries: tuple[Entry, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)
    external_data: bool = False
    format: Literal["tflite", "onnx"] = "tflite"

    @property
    def label(self) -> str:
        """The file's name, for messages."""
        return Path(self.path).name if self.path else "the model"

    @property
    def main(self) -> Subgraph:
        """The graph that runs."""
        return self.subgraphs[0]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Input tensors, in the graph's order."""
        return tuple(self.main.tensors[index] for index in self.main.inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Output tensors, in the graph's order."""
        return tuple(self.main.tensors[index] for index in self.main.outputs)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names that users know: the signature's where there is one, else the tensors', tidied."""
        signature = self._signature
        return _names(self.inputs, signature.inputs if signature else {})

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names that users know: the signature's where there is one, else the tensors', tidied."""
        signature = self._signature
        return _names(self.outputs, signature.outputs if signature else {})

    @property
    def is_edgetpu(self) -> bool:
        """Whether the Edge TPU compiler made it, so that nothing but an Edge TPU runs it."""
        operators = (operator for graph in self.subgraphs for operator in graph.operators)
        return any(operator.custom_code == EDGETPU_CUSTOM_OP for operator in operators)

    @property
    def float_tensors(self) -> tuple[str, ...]:
        """Names of float tensors that are computed: none in a model that is quantized throughout."""
        return tuple(
            graph.tensors[index].name for graph in self.subgraphs for index in sorted(graph.used)
            if graph.tensors[index].dtype in FLOAT_TYPES and not graph.tensors[index].constant
        )

    def final_activation(self, output: int = 0) -> str | None:
        """`SOFTMAX` or `LOGISTIC` where that computes an output, else None.

        Quantizing, dequantizing and reshaping after it do not count.

        Args:
            output: Place among the model's outputs, from 0.
        """
        label, _ = self.final_operator(output)
        return label if label in ACTIVATIONS else None

    def final_operator(self, output: int = 0) -> tuple[str, int]:
        """What computes an output: type or custom name, and which of its outputs that is; empty where nothing does.

        Quantizing, dequantizing and reshaping after it do not count.

        Args:
            output: Place among the model's outputs, from 0.
        """
        operator, wanted = self._final(output)
        return (operator.label, operator.outputs.index(wanted)) if operator else ("", 0)

    def before_activation(self, output: int = 0) -> int:
        """Number of the tensor that goes into the softmax or sigmoid that ends an output, else of the output itself.

        Args:
            output: Place among the model's outputs, from 0.
        """
        operator, _ = self._final(output)
        return operator.inputs[0] if operator and operator.type in ACTIVATIONS else self.main.outputs[output]

    def _final(self, output: int) -> tuple[Operator | None, int]:
        """The operator that computes an output, and the number of the tensor that it gives."""
        producers = {index: operator for operator in self.main.operators for index in operator.outputs}
        wanted = self.main.outputs[output]
        for _ in self.main.operators:
            operator = producers.get(wanted)
            if operator is None or operator.type not in _SEEN_THROUGH or not operator.inputs:
                break
            wanted = operator.inputs[0]
        return producers.get(wanted), wanted

    @property
    def _signature(self) -> Signature | None:
        """The main graph's signature; `serving_default` where it has several."""
        of_main = [signature for signature in self.signatures if signature.subgraph == 0]
        return min(of_main, key=lambda signature: signature.key != "serving_default", default=None)


def _names(tensors: Sequence[Tensor], known: Mapping[str, int]) -> tuple[str, ...]:
    by_tensor = {index: name for name, index in known.items()}
    names = tuple(by_tensor.get(tensor.index) or tidy_name(tensor.name) for tensor in tensors)
    return names if len(set(names)) == len(names) else tuple(tensor.name for tensor in tensors)


def tidy_name(name: str) -> str:
    """A tensor's name without what TensorFlow put round it: `serving_default_image:0` becomes `image`."""
    base, _, port = name.rpartition(":")
    return (base if base and port.isdigit() else name).removeprefix("serving_default_")
