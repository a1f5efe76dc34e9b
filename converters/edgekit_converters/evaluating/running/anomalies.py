"""How anomalous a sample looks to a model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.inputs import InputAdapter
from edgekit.metadata.types import ColourOrder
from edgekit_converters.evaluating.running.answers import Answer, Predictor
from edgekit_converters.evaluating.subject import Subject, float_inputs

SCORE = "score"


class AnomalyPredictor:
    """Scores in place of outputs, by the name `SCORE`.

    A model with one output number has it as score; one that gives back what it takes has the mean squared difference
    between the two, in what the network computes with (a picture's pixels are normalized).

    Args:
        predictor: The model.
        subject: What it takes and gives.

    Raises:
        UsageError: it gives neither.
    """

    def __init__(self, predictor: Predictor, subject: Subject) -> None:
        if subject.values > 1 and not subject.rebuilds:
            raise UsageError(
                f"task anomaly needs a model with one output number, or one that gives back its input, and "
                f"{subject.name} gives {subject.outputs}"
            )
        self._predictor, self._subject = predictor, subject
        self.device: str = getattr(predictor, "device", "")
        self._adapter = InputAdapter(float_inputs(subject.inputs)[0], alone=True) if subject.values > 1 else None

    def __call__(self, data: Any, channels: ColourOrder) -> Answer:
        """The score of one sample."""
        output = next(iter(self._predictor(data, channels).values())).reshape(-1)
        return {SCORE: output if self._adapter is None else self._difference(data, channels, output)}

    def _difference(self, data: Any, channels: ColourOrder, output: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._adapter is not None
        given = self._adapter(data, channels).reshape(-1).astype(np.float64)
        return np.array([np.square(given - output).mean()], np.float32)
