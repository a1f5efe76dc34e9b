"""Answers that the runtime's own tasks read out of a model's outputs: objects, and how anomalous a sample is."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError
from edgekit.metadata.types import ColourOrder
from edgekit.results import Anomaly, Detection, Result
from edgekit.tasks import Settings, prepare_task
from edgekit.tasks.interpreting import interpret
from edgekit_converters.evaluating.dataset import Task
from edgekit_converters.evaluating.running.anomalies import SCORE, AnomalyPredictor
from edgekit_converters.evaluating.running.answers import Answer, Predictor
from edgekit_converters.evaluating.subject import Subject

OBJECTS = "objects"
MOST_OBJECTS = 100
"""As in the COCO challenge."""
LEAST_SCORE = 0.01
"""Precision is measured down to unlikely objects; those that are unlikelier add nothing but time."""
_NUMBERS = 6


def for_task(predictor: Predictor, subject: Subject, task: Task) -> Predictor:
    """A model that answers in the form that the task is scored by.

    Args:
        predictor: The model, with outputs for answers.
        subject: What is known of it.
        task: What is scored.

    Raises:
        UsageError: the outputs do not fit the task.
    """
    if task == "detection":
        return Interpreter(predictor, subject, "detection")
    if task == "anomaly":
        own = subject.about.task == "anomaly" or subject.head is not None
        return Interpreter(predictor, subject, "anomaly") if own else AnomalyPredictor(predictor, subject)
    return predictor


class Interpreter:
    """A model whose outputs are read as on a device, whichever of the two models gives them.

    Objects are of shape (100, 6), by the name `OBJECTS`: left, top, right, bottom in pixels, score and class; NaN where
    there are fewer. A score of an anomaly has the shape (1,) and the name `SCORE`.

    Args:
        predictor: The model.
        subject: What is known of it.
        task: `detection` or `anomaly`.

    Raises:
        UsageError: the outputs do not fit the task, or do not tell in which form they are.
    """

    def __init__(self, predictor: Predictor, subject: Subject, task: str) -> None:
        image = subject.inputs[0].image
        size = (image.width, image.height) if image else (0, 0)
        settings = Settings(top=MOST_OBJECTS, score=LEAST_SCORE) if task == "detection" else Settings()
        _, self._task = prepare_task(
            subject.answers, subject.about, size=size, task=task, head=subject.head, settings=settings
        )
        self._predictor, self._subject = predictor, subject
        self.device: str = getattr(predictor, "device", "")

    def __call__(self, data: Any, channels: ColourOrder) -> Answer:
        """The answer to one sample."""
        answer = self._predictor(data, channels)
        shapes = self._subject.outputs
        names = list(shapes) if set(shapes) == set(answer) else list(answer)
        outputs = [_batched(answer[name], shape) for name, shape in zip(names, shapes.values(), strict=True)]
        return _numbers(interpret(self._task, outputs, self.device, self._subject.inputs, data))


def _batched(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """As the file has it; detectors with TFLite_Detection_PostProcess leave the shape of what that gives open."""
    return values.reshape(1, *shape) if values.size == prod(shape) else values[np.newaxis]


def _numbers(result: Result) -> Answer:
    if isinstance(result, Anomaly):
        return {SCORE: np.array([result.score], np.float32)}
    if not isinstance(result, Detection):
        raise DataError(f"a {type(result).__name__} cannot be scored")
    rows: NDArray[np.float32] = np.full((MOST_OBJECTS, _NUMBERS), np.nan, np.float32)
    for row, found in zip(rows, result.objects, strict=False):
        row[:] = (*found.box, found.score, found.index)
    return {OBJECTS: rows}
