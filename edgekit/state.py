"""States that a network takes as inputs and gives as outputs, carried from one sample to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.device import Runner
from edgekit.errors import ModelFileError, UsageError
from edgekit.metadata.types import Metadata, State
from edgekit.quantization import dequantize, quantize, scale_of
from edgekit.tflite import ModelFile, Tensor


class StateCarrier:
    """A runner that feeds states back, so that its callers see neither their inputs nor their outputs.

    Args:
        runner: Runs the network with all its inputs.
        file: The model.
        states: Which input takes which output.
    """

    def __init__(self, runner: Runner, file: ModelFile, states: Sequence[State]) -> None:
        self._runner = runner
        self._links = [(state, file.inputs[state.input], file.outputs[state.output]) for state in states]
        self._data_inputs = [at for at in range(len(file.inputs)) if at not in {s.input for s in states}]
        self._outputs = [at for at in range(len(file.outputs)) if at not in {s.output for s in states}]
        self._held: dict[int, NDArray[Any]] = {}
        self.reset()

    @property
    def threads(self) -> int:
        """Threads of the processor that it may use."""
        return self._runner.threads

    def reset(self) -> None:
        """Start again from states of zero."""
        self._runner.reset()
        self._held = {state.input: _zeros(tensor) for state, tensor, _ in self._links}

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the network on what is no state, and keep the states that it gives.

        Raises:
            DeviceError: the device failed; the states are those from before.
        """
        given = self._held | dict(zip(self._data_inputs, inputs, strict=True))
        outputs = self._runner.run([given[at] for at in sorted(given)])
        self._held = {state.input: _as_input(outputs[state.output], came, goes) for state, goes, came in self._links}
        return [outputs[at] for at in self._outputs]


def _zeros(tensor: Tensor) -> NDArray[Any]:
    scale = scale_of(tensor)
    return np.full(tensor.static_shape, scale.zero_point if scale else 0, tensor.dtype)


def _as_input(values: NDArray[Any], came: Tensor, goes: Tensor) -> NDArray[Any]:
    """An output in the numbers that the input takes: the two may be quantized by different scales."""
    before, after = scale_of(came), scale_of(goes)
    if before == after:
        return values
    real = dequantize(values, before) if before else values
    return quantize(real, after, goes.dtype) if after else np.asarray(real, goes.dtype)


def check_states(file: ModelFile, about: Metadata) -> None:
    """See that the states of the metadata are inputs and outputs of the graph that go together.

    Raises:
        ModelFileError: they are not.
    """
    for state in about.states:
        if state.input >= len(file.inputs) or state.output >= len(file.outputs) or (
            file.inputs[state.input].static_shape != file.outputs[state.output].static_shape
        ):
            raise ModelFileError(
                f"{file.label} says that output {state.output} is a state for input {state.input}, which it has not, "
                "or whose shape differs",
                hint="The metadata is not of this network: convert the model again.",
            )


def carried(
    runners: Mapping[str, Runner], file: ModelFile, about: Metadata
) -> Mapping[str, Runner]:
    """The runners with the states of the model carried for them.

    Raises:
        UsageError: several would share the samples, and each know only a part of them.
    """
    remembers = about.states or about.keeps_state
    if remembers and len(runners) > 1:
        raise UsageError(
            f"{file.label} remembers earlier samples, and {' and '.join(runners)} would each see only some of them",
            hint="Choose one of them.",
        )
    if not about.states:
        return runners
    return {name: StateCarrier(runner, file, about.states) for name, runner in runners.items()}
