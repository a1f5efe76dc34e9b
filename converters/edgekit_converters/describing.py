"""What the finished file says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgekit.errors import UsageError
from edgekit.host import output_of
from edgekit.inputs import is_picture_shape
from edgekit.metadata import InputMetadata, Metadata, OutputMetadata, State
from edgekit.metadata.types import Channels
from edgekit.tasks import build_task, choose_task
from edgekit.tflite import ModelFile, Tensor
from edgekit_converters.lowering.host_moving import HostSteps
from edgekit_converters.options import Options
from edgekit_converters.process import Job
from edgekit_converters.samples.calibration import PIXEL_NORMALIZATION as PIXELS
from edgekit_converters.samples.calibration import Calibration
from edgekit_converters.tracing.freezing import Frozen

_OUTPUTS = {"classification": "score of each class", "values": "real numbers"}
_COLOURS = {"rgb": "RGB", "bgr": "BGR", "gray": "gray"}


def describe(
    model: ModelFile, job: Job, frozen: Frozen, calibration: Calibration | None, versions: Mapping[str, str],
    moved: HostSteps,
) -> Metadata:
    """The metadata of a converted model, from the options, the calibration data, the graph and what was cut off it.

    Raises:
        UsageError: the task does not fit the outputs, or options for pictures were given and there are none.
        DataError: the labels do not go with the outputs.
    """
    options = job.options
    states = tuple(
        State(model.input_names.index(link.input.name), model.output_names.index(link.output))
        for link in frozen.states
    )
    next_states = {state.output for state in states}
    first = next(at for at in range(len(model.outputs)) if at not in next_states)
    said = [
        OutputMetadata(name, labels=options.labels if at == first else (), host=moved.get(name, ()))
        for at, name in enumerate(model.output_names)
    ]
    # The runtime's own rules, so that it takes what was made.
    answers = [output_of(model, at, output) for at, output in enumerate(said) if at not in next_states]
    task = choose_task(answers, wanted=options.task, from_file=None, labelled=bool(options.labels))
    build_task(task, answers, top=1)
    _check_picture_options(model, options)
    return Metadata(
        name=job.name,
        description=options.description,
        inputs=tuple(
            _describe_input(name, tensor, options, calibration)
            for name, tensor in zip(model.input_names, model.inputs, strict=True)
        ),
        outputs=tuple(
            replace(output, description="a state's next value" if at in next_states else _OUTPUTS[task])
            for at, output in enumerate(said)
        ),
        states=states,
        keeps_state=frozen.keeps_state,
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


def _check_picture_options(model: ModelFile, options: Options) -> None:
    given = [name for name in ("normalization", "channels", "resize") if getattr(options, name) is not None]
    if given and not any(is_picture_shape(tensor.static_shape) for tensor in model.inputs):
        raise UsageError(
            f"{', '.join(given)} was given, and the model takes no pictures", hint="Leave it out."
        )


def _describe_input(
    name: str, tensor: Tensor, options: Options, calibration: Calibration | None
) -> InputMetadata:
    seen = calibration.summary["ranges"].get(name) if calibration else None
    minimum, maximum = ((seen[0],), (seen[1],)) if seen else ((), ())
    if not is_picture_shape(tensor.static_shape):
        return InputMetadata(name, "real numbers", content="features", minimum=minimum, maximum=maximum)
    _, height, width, depth = tensor.static_shape
    channels: Channels = "gray" if depth == 1 else options.channels or "rgb"
    resize = options.resize or "stretch"
    return InputMetadata(
        name,
        f"{_COLOURS[channels]} picture of {width} x {height} pixels, brought to that size by {resize}",
        content="image",
        channels=channels,
        normalization=calibration.normalizations.get(name) if calibration else options.normalization or PIXELS,
        resize=resize,
        minimum=minimum,
        maximum=maximum,
    )
