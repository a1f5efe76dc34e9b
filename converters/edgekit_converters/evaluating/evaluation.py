"""The whole way: open the models and the data, ask the models, score their answers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from os import PathLike

from edgekit.choices import check_count
from edgekit.labels import read_labels
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit_converters.evaluating.dataset import Task
from edgekit_converters.evaluating.reading.opening import open_dataset
from edgekit_converters.evaluating.results import Evaluation
from edgekit_converters.evaluating.running.clusters import PROCESSES, Workers
from edgekit_converters.evaluating.running.models import Opening, open_models
from edgekit_converters.evaluating.running.tflite import TflitePredictor
from edgekit_converters.evaluating.scoring import check_possible, require_sklearn, score
from edgekit_converters.events import OnProgress
from edgekit_converters.tracing.shapes import Given

AnyPath = str | PathLike[str]


def evaluate(
    model: AnyPath | TflitePredictor,
    data: AnyPath,
    *,
    against: AnyPath | TflitePredictor | None = None,
    task: Task | None = None,
    metrics: Sequence[str] = (),
    target_column: str | None = None,
    group_by: Sequence[str] = (),
    metadata: AnyPath | None = None,
    images: AnyPath | None = None,
    limit: int | None = None,
    labels: AnyPath | Sequence[str] | None = None,
    normalize: str | None = None,
    channels: ColourOrder | None = None,
    resize: ResizeRule | None = None,
    input_shape: Given | None = None,
    custom_objects: str | Sequence[str] = (),
    head: str | None = None,
    device: str = "auto",
    workers: int = 1,
    backend: str | None = None,
    progress: OnProgress | None = None,
    debug: bool = False,
) -> Evaluation:
    """Measure how good a model is on data, and what has changed against another one.

    Pictures are prepared as the `.tflite` file says, for a Keras model that is evaluated beside it too.

    Args:
        model: A `.tflite`, `.keras`, `.h5` or SavedModel; or a `.tflite` that is open already.
        data: A folder of pictures (a folder for each class), an `.npz` with `x` and `y`, a table with a target column,
            or COCO annotations.
        against: Another model, such as the float one that the first was made from.
        task: `classification`, `regression`, `anomaly`, `detection`, or `agreement` (leave labels alone); by default
            what the model and the labels suggest.
        metrics: Names of those to compute, the main one first; by default all of the task.
        target_column: Column or array that holds the labels.
        group_by: Columns, arrays, or `folder:LEVEL`, to give each metric by group.
        metadata: A table with a column `file` for a folder of pictures; by default its `metadata.csv`.
        images: Folder of the pictures of COCO annotations.
        limit: Use so many samples at most, evenly spread.
        labels: Class names, or a file of them, in place of the model's.
        normalize: How pixels are normalized, in place of what the model says; `channels` and `resize` alike.
        input_shape: Sizes that a Keras model leaves open.
        custom_objects: Classes of your own that a Keras model names.
        head: The form of a detector's outputs, such as `yolov8`, where neither its file nor they say it.
        device: What a `.tflite` runs on, as in `edgekit.load`.
        workers: Processes that share the samples of a `.tflite`; a Keras model uses all cores by itself.
        backend: Where they are: `processes` of this machine (default), `dask:tcp://HOST:PORT`, `ray[:ADDRESS]`, or
            `joblib` for what `joblib.parallel_config` has chosen.
        progress: Told now and then what is being done.
        debug: Let TensorFlow's log through to standard error.

    Raises:
        UsageError: options that do not go together, or a metric that does not fit.
        MissingFileError: a model or the data is not there.
        ModelFileError: a model is none, or damaged.
        DataError: the data does not fit the model.
        DeviceError: the device is absent, or refuses.
        MissingDependencyError: scikit-learn, or for a Keras model TensorFlow, is not installed.

    Example::

        from edgekit_converters.evaluating import evaluate
        found = evaluate("model.tflite", "photos/", against="model.keras", group_by=["folder:2"])
        print(found.metric("accuracy").change, [part.name for part in found.flagged])
    """
    check_count("workers", workers)
    if limit is not None:
        check_count("limit", limit)
    require_sklearn()
    shared = Workers(workers, backend or PROCESSES) if workers > 1 or backend else None
    how = Opening(
        labels=_labels(labels), normalize=normalize, channels=channels, resize=resize, input_shape=input_shape,
        custom_objects=custom_objects, head=head, device=device, debug=debug, report=progress,
    )
    with ExitStack() as stack:
        first, second = open_models(model, against, how, stack)
        dataset = open_dataset(
            data, first.subject, task=task, target_column=target_column, group_by=group_by, metadata=metadata,
            images=images, limit=limit,
        )
        check_possible(dataset, metrics, first.subject, compared=second is not None)
        answers = first.answer(dataset, shared, progress)
        others = None if second is None else second.answer(dataset, shared, progress)
    return score(
        answers, dataset, first.subject, against=others, against_name=second.subject.name if second else "",
        metrics=metrics,
    )


def _labels(labels: AnyPath | Sequence[str] | None) -> tuple[str, ...]:
    if labels is None:
        return ()
    return read_labels(labels) if isinstance(labels, (str, PathLike)) else tuple(labels)
