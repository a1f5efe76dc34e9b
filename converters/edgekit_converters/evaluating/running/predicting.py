"""All samples of a dataset through a model: one after the other, or in many processes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np

from edgekit.errors import DataError
from edgekit_converters.evaluating.dataset import Dataset, Samples
from edgekit_converters.evaluating.running.answers import Answer, Predictions, Predictor, collect
from edgekit_converters.evaluating.running.clusters import Workers
from edgekit_converters.events import OnProgress, Progress

PARTS_PER_WORKER = 16
LARGEST_PART = 64


def predict(
    predictor: Predictor, dataset: Dataset, *, workers: Workers | None = None, stage: str = "evaluating",
    report: OnProgress | None = None,
) -> Predictions:
    """Answer every sample.

    Args:
        predictor: The model; with `workers` one that can be pickled.
        dataset: The samples. One that cannot be read is left out and named in `failed`.
        workers: Processes that share the work; by default this one does it.
        stage: What the progress is called.
        report: Told of the progress.

    Raises:
        DataError: no sample fits the model.
        UsageError: the answers take too much memory, or the workers cannot be had.
    """
    started = time.monotonic()
    count = len(dataset)
    answers = _in_parts(predictor, dataset.samples, workers) if workers else _one_by_one(predictor, dataset.samples)
    outputs, failed = collect(_reported(answers, count, stage, report), count)
    answered = np.setdiff1d(np.arange(count), list(failed))
    return Predictions(outputs, answered, failed, getattr(predictor, "device", ""), time.monotonic() - started)


def _reported(
    answers: Iterator[Answer | str], count: int, stage: str, report: OnProgress | None
) -> Iterator[Answer | str]:
    for done, answer in enumerate(answers, 1):
        if report:
            report(Progress(stage, done, count))
        yield answer


def _one_by_one(predictor: Predictor, samples: Samples) -> Iterator[Answer | str]:
    for number in range(len(samples)):
        try:
            yield predictor(samples[number], samples.channels)
        except DataError as error:
            yield error.message


def _answer_part(predictor: Predictor, samples: Samples) -> list[Answer | str]:
    """What a worker process does."""
    return list(_one_by_one(predictor, samples))


def _in_parts(predictor: Predictor, samples: Samples, workers: Workers) -> Iterator[Answer | str]:
    count = len(samples)
    size = max(1, min(LARGEST_PART, math.ceil(count / (workers.count * PARTS_PER_WORKER))))
    parts = (samples.part(range(first, min(first + size, count))) for first in range(0, count, size))
    for answers in workers.map(_answer_part, ((predictor, part) for part in parts)):
        yield from answers
