"""How good a model is on data, and what quantization has changed: as a whole, by class and by group.

::

    from edgekit_converters.evaluating import TflitePredictor, evaluate, open_dataset, predict, score

    found = evaluate("model.tflite", "photos/", against="model.keras")          # all at once
    print(found.main.change, [part.name for part in found.flagged])

    # The float model's answers once, then many candidates against them:
    first = TflitePredictor("a.tflite")
    dataset = open_dataset("photos/", first.subject)
    float_answers = predict(KerasPredictor(frozen, float_inputs(first.subject.inputs)), dataset)
    for candidate in (first, TflitePredictor("b.tflite")):
        print(score(predict(candidate, dataset), dataset, candidate.subject, against=float_answers).main.loss)

Nothing here loads TensorFlow; a Keras model that is given by its path runs in a child process.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit_converters.evaluating.dataset import Arrays as Arrays
    from edgekit_converters.evaluating.dataset import Dataset as Dataset
    from edgekit_converters.evaluating.dataset import Pictures as Pictures
    from edgekit_converters.evaluating.dataset import Samples as Samples
    from edgekit_converters.evaluating.dataset import Task as Task
    from edgekit_converters.evaluating.evaluation import evaluate as evaluate
    from edgekit_converters.evaluating.metrics.names import METRICS as METRICS
    from edgekit_converters.evaluating.metrics.names import OF_TASK as OF_TASK
    from edgekit_converters.evaluating.reading.opening import open_dataset as open_dataset
    from edgekit_converters.evaluating.results import Evaluation as Evaluation
    from edgekit_converters.evaluating.results import Figure as Figure
    from edgekit_converters.evaluating.results import Grouping as Grouping
    from edgekit_converters.evaluating.results import Metric as Metric
    from edgekit_converters.evaluating.results import Part as Part
    from edgekit_converters.evaluating.running.answers import Predictions as Predictions
    from edgekit_converters.evaluating.running.answers import Predictor as Predictor
    from edgekit_converters.evaluating.running.clusters import Workers as Workers
    from edgekit_converters.evaluating.running.interpreting import for_task as for_task
    from edgekit_converters.evaluating.running.keras import KerasPredictor as KerasPredictor
    from edgekit_converters.evaluating.running.predicting import predict as predict
    from edgekit_converters.evaluating.running.tflite import TflitePredictor as TflitePredictor
    from edgekit_converters.evaluating.scoring import score as score
    from edgekit_converters.evaluating.subject import Subject as Subject
    from edgekit_converters.evaluating.subject import float_inputs as float_inputs
    from edgekit_converters.evaluating.subject import keras_input as keras_input
    from edgekit_converters.evaluating.subject import subject_of as subject_of

__all__ = [
    "METRICS", "OF_TASK", "Arrays", "Dataset", "Evaluation", "Figure", "Grouping", "KerasPredictor", "Metric",
    "Part", "Pictures", "Predictions", "Predictor", "Samples", "Subject", "Task", "TflitePredictor", "Workers",
    "evaluate", "float_inputs", "for_task", "keras_input", "open_dataset", "predict", "score", "subject_of",
]

# Imported when first used: the converter, whose child process serves the Keras models here, knows the results by type.
_HOMES = {
    "dataset": ("Arrays", "Dataset", "Pictures", "Samples", "Task"),
    "evaluation": ("evaluate",),
    "metrics.names": ("METRICS", "OF_TASK"),
    "reading.opening": ("open_dataset",),
    "results": ("Evaluation", "Figure", "Grouping", "Metric", "Part"),
    "running.answers": ("Predictions", "Predictor"),
    "running.clusters": ("Workers",),
    "running.interpreting": ("for_task",),
    "running.keras": ("KerasPredictor",),
    "running.predicting": ("predict",),
    "running.tflite": ("TflitePredictor",),
    "scoring": ("score",),
    "subject": ("Subject", "float_inputs", "keras_input", "subject_of"),
}


def __getattr__(name: str) -> Any:
    """The public name, from the module that holds it."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'edgekit_converters.evaluating' has no attribute '{name}'")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
