"""What the finished file says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.errors import DataError
from edgekit.inputs import is_picture_shape
from edgekit.metadata import InputMetadata, Metadata, OutputMetadata
from edgekit.tflite import ModelFile, Tensor
from edgekit_converters.calibration import PIXEL_NORMALIZATION, Calibration
from edgekit_converters.options import Options
from edgekit_converters.process import Job

BINARY = 2
"""Labels of a classifier with one sigmoid output: its 0 and its 1."""


def describe(
    model: ModelFile, job: Job, calibration: Calibration | None, versions: Mapping[str, str]
) -> Metadata:
    """The metadata of a converted model, from the options, the calibration data and the graph itself.

    Raises:
        DataError: the labels do not go with the outputs.
    """
    options = job.options
    task = options.task or _task(model, options)
    return Metadata(
        name=job.name,
        description=options.description,
        inputs=tuple(
            _describe_input(name, tensor, options, calibration)
            for name, tensor in zip(model.input_names, model.inputs, strict=True)
        ),
        outputs=_describe_outputs(model, options.labels, task),
        task=task,
        target=options.target,
        provenance={
            "source": dict(job.provenance),
            "versions": dict(versions),
            "precision": options.precision,
            "io": options.io,
            "calibration": dict(calibration.summary) if calibration else {},
        },
    )


def _task(model: ModelFile, options: Options) -> str:
    """Softmax says that the outputs are classes. So do labels, and a single sigmoid.

    Many sigmoids alone do not: an autoencoder ends in them too.
    """
    sizes = [_size(tensor) for tensor in model.outputs]
    if len(sizes) != 1:
        return "values"
    activation = model.final_activation(0)
    flat = len(model.outputs[0].static_shape) <= 2
    classes = activation == "SOFTMAX" or bool(options.labels) or (activation == "LOGISTIC" and sizes[0] == 1)
    return "classification" if classes and flat else "values"


def _describe_input(
    name: str, tensor: Tensor, options: Options, calibration: Calibration | None
) -> InputMetadata:
    seen = calibration.summary["ranges"].get(name) if calibration else None
    minimum, maximum = ((seen[0],), (seen[1],)) if seen else ((), ())
    if not is_picture_shape(tensor.static_shape):
        return InputMetadata(name, content="features", minimum=minimum, maximum=maximum)
    return InputMetadata(
        name,
        content="image",
        channels="gray" if tensor.static_shape[3] == 1 else options.channels,
        normalization=calibration.normalization if calibration else options.normalization or PIXEL_NORMALIZATION,
        resize=options.resize,
        minimum=minimum,
        maximum=maximum,
    )


def _describe_outputs(model: ModelFile, labels: Sequence[str], task: str) -> tuple[OutputMetadata, ...]:
    outputs = [OutputMetadata(name) for name in model.output_names]
    if not labels:
        return tuple(outputs)
    if len(outputs) > 1:
        names = ", ".join(model.output_names)
        raise DataError(f"labels go with one output, and the model has {len(outputs)}: {names}")
    size = _size(model.outputs[0])
    wanted = BINARY if size == 1 and task == "classification" else size
    if len(labels) != wanted:
        raise DataError(
            f"the label file has {len(labels)} labels, and the model's output '{outputs[0].name}' has {wanted} classes",
            hint="Give one label a line, in the order of the model's outputs.",
        )
    return (OutputMetadata(outputs[0].name, labels=tuple(labels)),)


def _size(tensor: Tensor) -> int:
    return tensor.static_shape[-1] if tensor.static_shape else 1
