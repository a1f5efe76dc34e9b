"""The models of an evaluation, whatever kind of file each is."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Protocol

from edgekit.errors import MissingFileError, UsageError
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.normalization import parse_normalization
from edgekit.tasks import Output
from edgekit_converters.evaluating.dataset import Dataset
from edgekit_converters.evaluating.running.answers import Predictions
from edgekit_converters.evaluating.running.child import KerasChild
from edgekit_converters.evaluating.running.clusters import Workers
from edgekit_converters.evaluating.running.interpreting import for_task
from edgekit_converters.evaluating.running.predicting import predict
from edgekit_converters.evaluating.running.tflite import TflitePredictor
from edgekit_converters.evaluating.subject import CLASSIFICATION, FLOAT, Subject, check_alike, float_inputs, keras_input
from edgekit_converters.events import OnProgress
from edgekit_converters.loading.custom_objects import check_custom_objects
from edgekit_converters.options import Options
from edgekit_converters.tracing.shapes import Given, parse_shapes

SUFFIX = ".tflite"
RUNNABLE = (SUFFIX, ".onnx")
"""Files that are run as they are, rather than loaded by Keras."""
AnyPath = str | PathLike[str]


@dataclass(frozen=True, slots=True)
class Opening:
    """What the user says of how models are opened; as the arguments of `evaluate`."""

    labels: tuple[str, ...] = ()
    normalize: str | None = None
    channels: ColourOrder | None = None
    resize: ResizeRule | None = None
    input_shape: Given | None = None
    custom_objects: str | Sequence[str] = ()
    head: str | None = None
    device: str = "auto"
    debug: bool = False
    report: OnProgress | None = None


class Opened(Protocol):
    """A model that can be asked for its answers to a dataset."""

    @property
    def subject(self) -> Subject:
        """What is to be known of it."""
        ...

    def answer(self, dataset: Dataset, workers: Workers | None, report: OnProgress | None) -> Predictions:
        """Its answers to every sample, in the form that the dataset's task is scored by."""
        ...


@dataclass(frozen=True, slots=True)
class OpenTflite:
    """A `.tflite` on a device."""

    predictor: TflitePredictor
    subject: Subject

    def answer(self, dataset: Dataset, workers: Workers | None, report: OnProgress | None) -> Predictions:
        """Run here, or by the workers with a thread each.

        Raises:
            UsageError: the model remembers earlier samples, and workers were to share them.
        """
        predictor, stage = self.predictor, f"running {self.subject.name}"
        if workers and predictor.remembers:
            raise UsageError(
                f"{self.subject.name} remembers earlier samples, which workers cannot share", hint="Leave --workers."
            )
        asked = for_task(predictor.single_threaded() if workers else predictor, self.subject, dataset.task)
        return predict(asked, dataset, workers=workers, stage=stage, report=report)


@dataclass(frozen=True, slots=True)
class OpenKeras:
    """A Keras model in its child process."""

    child: KerasChild
    subject: Subject

    def answer(self, dataset: Dataset, workers: Workers | None, report: OnProgress | None) -> Predictions:
        """Run by TensorFlow, which uses all cores by itself."""
        return self.child.predict(dataset, self.subject)


def open_models(
    model: AnyPath | TflitePredictor, against: AnyPath | TflitePredictor | None, how: Opening, stack: ExitStack
) -> tuple[Opened, Opened | None]:
    """Open the model, and the other where there is one.

    A Keras model beside a `.tflite` gets the labels and the preparation of pictures that the file says.

    Args:
        model: The first.
        against: The second.
        how: What the user says of them.
        stack: Ends what was started for them.

    Raises:
        EdgeKitError: one cannot be opened.
        DataError: they do not give the same.
    """
    given = [model] if against is None else [model, against]
    # Files of TFLite first: they say how pictures are prepared, and what is wrong with them shows at once.
    found = [_tflite(one, how) for one in given]
    like = next((one.subject for one in found if isinstance(one, OpenTflite)), None)
    opened = [one if isinstance(one, OpenTflite) else _keras(one, like, how, stack) for one in found]
    if len(opened) == 1:
        return opened[0], None
    check_alike(opened[0].subject, opened[1].subject)
    return opened[0], opened[1]


def _tflite(model: AnyPath | TflitePredictor, how: Opening) -> OpenTflite | Path:
    """The model where it is a `.tflite`, else its path."""
    if isinstance(model, TflitePredictor):
        return OpenTflite(model, replace(model.subject, head=how.head))
    if Path(model).suffix.lower() not in RUNNABLE:
        return Path(model)
    predictor = TflitePredictor(
        model, device=how.device, labels=how.labels, normalize=how.normalize, channels=how.channels, resize=how.resize
    )
    return OpenTflite(predictor, replace(predictor.subject, head=how.head))


def _options(how: Opening) -> Options:
    """What a conversion goes by when it loads a model and prepares pictures; the rest of it has no part here."""
    return Options(
        precision=FLOAT, io=FLOAT, target="cpu", runtime="litert", samples=1, task=None, labels=how.labels,
        normalization=None if how.normalize is None else parse_normalization(how.normalize), channels=how.channels,
        resize=how.resize, description="", keep=(), allow_float=True, replace={}, require_full_mapping=False,
        move_to_host=False, input_shapes=parse_shapes(how.input_shape),
        custom_objects=check_custom_objects(how.custom_objects),
    )


def _keras(path: Path, like: Subject | None, how: Opening, stack: ExitStack) -> OpenKeras:
    options = _options(how)
    if not path.exists():
        raise MissingFileError(f"no such file: {path}", hint="Give a .tflite, .keras, .h5 or SavedModel.")
    child = stack.enter_context(KerasChild(path, options, report=how.report, debug=how.debug))
    outputs = dict(child.description.outputs)
    if like is not None:
        check_alike(like, replace(like, name=path.name, outputs=outputs))
        return OpenKeras(child, replace(like, name=path.name, inputs=float_inputs(like.inputs)))
    inputs = tuple(
        keras_input(
            spec.name, spec.shape, spec.dtype, normalization=options.normalization, channels=options.channels,
            resize=options.resize,
        )
        for spec in child.description.inputs
    )
    if options.normalization is None and any(item.image for item in inputs):
        warnings.warn(f"pixels go into {path.name} as 0..255, since nothing says how they are normalized (--normalize)",
                      stacklevel=2)
    answers = tuple(Output(name, (1, *shape)) for name, shape in outputs.items())
    answers = (replace(answers[0], labels=how.labels), *answers[1:])
    task = CLASSIFICATION if how.labels and how.head is None else ""
    return OpenKeras(child, Subject(path.name, inputs, outputs, how.labels, task, answers, head=how.head))
