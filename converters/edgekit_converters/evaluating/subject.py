"""What an evaluation has to know of the model that it evaluates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

from edgekit.errors import DataError
from edgekit.inputs import ImageOptions, Input, image_spec
from edgekit.metadata import InputMetadata, Metadata, Normalization
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.model import Model
from edgekit.normalization import NAMED
from edgekit.preprocess import SIGN_BIT, ImageSpec, needs_normalization
from edgekit.tasks import Output

PIXELS = NAMED["0..255"]
"""What pixels are for a Keras model of which nobody says it, as in a conversion."""
FLOAT = "float32"
CLASSIFICATION = "classification"
CLASSIFYING = (CLASSIFICATION, "timeseries", "keyword")
"""Tasks whose answer is a score for each class."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, as far as data is prepared for it and its answers are scored.

    Attributes:
        name: What it is called in messages.
        inputs: What it takes, with the preprocessing of pictures.
        outputs: Shapes by name, in order, without the batch.
        labels: Names of its classes; empty where it has none.
        task: What it does, such as `classification`, which stands for all tasks that score classes; empty where nobody
            says.
        answers: The outputs as tasks see them.
        about: What the file says.
        head: The form of the outputs that the user names; None for what the file says, or the outputs show.
    """

    name: str
    inputs: tuple[Input, ...]
    outputs: dict[str, tuple[int, ...]]
    labels: tuple[str, ...] = ()
    task: str = ""
    answers: tuple[Output, ...] = ()
    about: Metadata = field(default_factory=Metadata)
    head: str | None = None

    @property
    def classes(self) -> int:
        """How many classes it tells apart where it classifies: a single output number stands for two."""
        last = next(iter(self.outputs.values()))[-1:]
        return max(2, *last) if last else 0

    @property
    def values(self) -> int:
        """How many numbers its first output has."""
        return prod(next(iter(self.outputs.values())))

    @property
    def rebuilds(self) -> bool:
        """Whether it gives what it takes, as an autoencoder does: one input, and one output of as many numbers."""
        return len(self.inputs) == len(self.outputs) == 1 and prod(self.inputs[0].shape) == self.values > 1


def subject_of(model: Model, labels: Sequence[str] = ()) -> Subject:
    """What is to be known of a `.tflite` model; the labels of the file, unless others are given."""
    said = model.metadata.task
    task = _guess(model.outputs, bool(labels)) if said is None else CLASSIFICATION if said in CLASSIFYING else said
    answers = model.outputs
    if labels:
        answers = (replace(answers[0], labels=tuple(labels)), *answers[1:])
    return Subject(
        name=model.path.name, inputs=model.inputs, outputs={o.name: o.shape[1:] for o in answers},
        labels=tuple(labels) or model.labels, task=task, answers=answers, about=model.metadata,
    )


def _guess(outputs: Sequence[Output], labelled: bool) -> str:
    """What a file without metadata does: one vector that ends in a softmax, or has labels, tells classes apart."""
    first = outputs[0]
    if len(outputs) > 1 or prod(first.shape[:-1]) != 1:
        return ""
    certain = first.activation == ("SOFTMAX" if first.shape[-1] > 1 else "LOGISTIC")
    return CLASSIFICATION if certain or labelled or first.labels else ""


def check_alike(one: Subject, other: Subject) -> None:
    """See that the outputs of two models can be compared: found out before they run.

    Raises:
        DataError: they are not as many, or of other sizes.
    """
    sizes = [sorted(prod(shape) for shape in subject.outputs.values()) for subject in (one, other)]
    if sizes[0] != sizes[1]:
        told = [", ".join(f"{name} {list(shape)}" for name, shape in s.outputs.items()) for s in (one, other)]
        raise DataError(
            f"the two models do not give the same: {told[0]}, and {told[1]}",
            hint="Evaluate a model against the one that it was made from.",
        )


def float_inputs(inputs: Sequence[Input]) -> tuple[Input, ...]:
    """The inputs of the float model that a quantized one was made from: the same preparation, without quantization."""
    return tuple(
        replace(
            item, dtype=FLOAT if item.quantization else item.dtype, quantization=None,
            image=replace(item.image, dtype=FLOAT, quantization=None, normalization=_normalization(item.image))
            if item.image else None,
        )
        for item in inputs
    )


def _normalization(image: ImageSpec) -> Normalization | None:
    """What the float model takes of a pixel; where nobody says it, what the quantized one makes of it as it is."""
    if image.normalization is not None or image.quantization is None or needs_normalization(image):
        return image.normalization
    plain = image.quantization.zero_point + (SIGN_BIT if image.dtype == "int8" else 0)
    return Normalization((float(plain),), (1 / image.quantization.scale,))


def keras_input(
    name: str, shape: tuple[int, ...], dtype: str, *, normalization: Normalization | None = None,
    channels: ColourOrder | None = None, resize: ResizeRule | None = None,
) -> Input:
    """An input of a Keras model, of which the file does not say how pictures are prepared."""
    plain = Input(name, shape, dtype)
    options = ImageOptions(normalization, channels, resize)
    return replace(plain, image=image_spec(plain, InputMetadata(normalization=PIXELS), options))
