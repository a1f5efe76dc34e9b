"""A Keras model that has been traced, asked sample by sample. TensorFlow is loaded by whoever traced it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.inputs import Input, InputAdapter, arrange_inputs
from edgekit.metadata.types import ColourOrder
from edgekit_converters.evaluating.running.answers import Answer
from edgekit_converters.tracing.specs import InputSpec

if TYPE_CHECKING:
    from edgekit_converters.tracing.freezing import Frozen


class KerasPredictor:
    """The float model, fed by the code that feeds the device's.

    Args:
        frozen: The traced model; states that it carries go from sample to sample.
        inputs: What it takes and how pictures are prepared: those of the quantized model, by `float_inputs`, or
            `keras_input`.

    Raises:
        UsageError: the inputs are not those of the model.
    """

    device = "tensorflow"

    def __init__(self, frozen: Frozen, inputs: Sequence[Input]) -> None:
        self._frozen, self._specs = frozen, frozen.data_inputs
        matched = matching(inputs, self._specs)
        self._names = tuple(item.name for item in matched)
        self._adapters = [InputAdapter(item, alone=len(inputs) == 1) for item in matched]
        self._states: dict[str, Any] = {}

    @property
    def remembers(self) -> bool:
        """Whether an answer depends on the samples before."""
        return bool(self._frozen.states) or self._frozen.keeps_state

    def __call__(self, data: Any, channels: ColourOrder = "rgb") -> Answer:
        """Outputs of the model, as `Predictor` has it."""
        values = arrange_inputs(data, self._names)
        feed = {
            spec.name: adapter(value, channels)
            for spec, adapter, value in zip(self._specs, self._adapters, values, strict=True)
        }
        outputs = self._frozen({**feed, **self._states})
        self._states = {link.input.name: outputs.pop(link.output) for link in self._frozen.states}
        return {name: _sample(np.asarray(values, np.float32)) for name, values in outputs.items()}


def _sample(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[0] if values.ndim and len(values) == 1 else values


def matching(inputs: Sequence[Input], specs: Sequence[InputSpec]) -> list[Input]:
    """For each input of the traced model how it is prepared: by name, or a single one by its place.

    Raises:
        UsageError: the two models do not take the same.
    """
    named = {item.name: item for item in inputs}
    found = [named.get(spec.name) for spec in specs] if len(specs) > 1 else list(inputs[:1])
    if len(inputs) != len(specs) or None in found:
        raise UsageError(
            f"the models take different inputs: {', '.join(named)} and {', '.join(spec.name for spec in specs)}",
            hint="Evaluate a model against the one that it was made from.",
        )
    prepared = [(item, spec) for item, spec in zip(found, specs, strict=True) if item is not None]
    for item, spec in prepared:
        if np.prod(item.shape) != np.prod(spec.shape):
            raise UsageError(
                f"input {item.name} has the shape {list(item.shape)} in one model and {list(spec.shape)} in the other",
                hint="Evaluate a model against the one that it was made from.",
            )
    return [_as_traced(item, spec) for item, spec in prepared]


def _as_traced(item: Input, spec: InputSpec) -> Input:
    image = replace(item.image, dtype=spec.dtype, quantization=None) if item.image else None
    return replace(item, shape=spec.shape, dtype=spec.dtype, quantization=None, image=image)
