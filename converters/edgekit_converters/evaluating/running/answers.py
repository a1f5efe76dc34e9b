"""A model's answers to the samples of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, UsageError
from edgekit.metadata.types import ColourOrder

Answer = Mapping[str, NDArray[np.float32]]
"""Outputs of one sample as real numbers, by name, without the batch dimension."""
MOST_BYTES = 4 << 30
"""Of answers kept at once."""


class Predictor(Protocol):
    """Runs a model on one sample. `TflitePredictor` and `KerasPredictor` are two."""

    def __call__(self, data: Any, channels: ColourOrder) -> Answer:
        """Answer one sample of a dataset, prepared as the model takes it.

        Args:
            data: As `Samples` gives it.
            channels: Order of colours, where it is a picture.

        Raises:
            DataError: the sample does not fit.
        """
        ...


@dataclass(frozen=True, slots=True)
class Predictions:
    """The answers of one model, kept so that others can be scored against them.

    Attributes:
        outputs: By name, float32 of shape (answered, ...).
        answered: Which samples of the dataset they are for, ascending.
        failed: By number of the sample, why it was not answered.
        device: What the model ran on.
        seconds: How long it took.
    """

    outputs: Mapping[str, NDArray[np.float32]]
    answered: NDArray[np.intp]
    failed: Mapping[int, str] = field(default_factory=dict)
    device: str = ""
    seconds: float = 0.0

    def at(self, samples: NDArray[np.intp]) -> dict[str, NDArray[np.float32]]:
        """Outputs of these samples of the dataset, all of which were answered."""
        if len(samples) == len(self.answered):
            return dict(self.outputs)
        places = np.searchsorted(self.answered, samples)
        return {name: values[places] for name, values in self.outputs.items()}


def collect(answers: Iterable[Answer | str], count: int) -> tuple[dict[str, NDArray[np.float32]], dict[int, str]]:
    """Put answers into arrays as they come.

    Args:
        answers: In the order of the samples; a text is why there is none.
        count: How many come.

    Returns:
        The outputs of those that were answered, and by number of the others what was wrong.

    Raises:
        UsageError: they take more than `MOST_BYTES`.
        DataError: no sample was answered.
    """
    outputs: dict[str, NDArray[np.float32]] = {}
    failed: dict[int, str] = {}
    place = 0
    for number, answer in enumerate(answers):
        if isinstance(answer, str):
            failed[number] = answer
            continue
        outputs = outputs or _room(answer, count)
        for name, values in answer.items():
            outputs[name][place] = values
        place += 1
    if not place:
        raise DataError(f"none of the {count} samples can be used", hint=next(iter(failed.values()), ""))
    return {name: values[:place] for name, values in outputs.items()}, failed


def _room(answer: Answer, count: int) -> dict[str, NDArray[np.float32]]:
    size = count * sum(values.nbytes for values in answer.values())
    if size > MOST_BYTES:
        raise UsageError(
            f"the answers to {count} samples take {size / 2**30:.0f} GiB of memory",
            hint=f"Use fewer: --limit {count * MOST_BYTES // size}.",
        )
    return {name: np.empty((count, *values.shape), np.float32) for name, values in answer.items()}
