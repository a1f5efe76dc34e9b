"""What the finished file says of itself."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from edgekit.errors import UsageError
from edgekit.host import output_of
from edgekit.inputs import is_picture_shape
from edgekit.metadata import InputMetadata, Metadata, OutputMetadata, State
from edgekit.metadata.types import Channels, Window
from edgekit.tasks import TASKS, Output, Settings, Tensors, choose_head, prepare_task
from edgekit.tflite import ModelFile, Tensor
from edgekit_converters.lowering.host_moving import HostSteps
from edgekit_converters.options import Options
from edgekit_converters.process import Job
from edgekit_converters.samples.calibration import PIXEL_NORMALIZATION as PIXELS
from edgekit_converters.samples.calibration import Calibration
from edgekit_converters.samples.sensor_logs import window_for
from edgekit_converters.tracing.freezing import Frozen

_OUTPUTS = {
    "classification": "score of each class",
    "detection": "boxes and scores of objects",
    "segmentation": "class of each pixel",
    "pose": "keypoints of bodies",
    "embedding": "vector near those of similar samples",
    "depth": "number for each pixel",
    "image": "picture",
    "timeseries": "score of each class",
    "keyword": "score of each word",
    "forecast": "what comes next",
}
_NUMBERS = "real numbers"
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
    task, head = _choose_task(model, answers, options)
    _check_picture_options(model, options)
    windows = windows_of(model, options, calibration, {state.input for state in states})
    return Metadata(
        name=job.name,
        description=options.description,
        inputs=tuple(
            _describe_input(name, tensor, options, calibration, windows.get(name))
            for name, tensor in zip(model.input_names, model.inputs, strict=True)
        ),
        outputs=tuple(
            replace(output, description="a state's next value" if at in next_states else _OUTPUTS.get(task, _NUMBERS))
            for at, output in enumerate(said)
        ),
        states=states,
        keeps_state=frozen.keeps_state,
        task=task,
        head=head,
        head_options=dict(options.head_options) if head else {},
        target=options.target,
        provenance={
            "source": dict(job.provenance),
            "versions": dict(versions),
            "precision": options.precision,
            "io": options.io,
            "calibration": dict(calibration.summary) if calibration else {},
        },
    )


def windows_of(
    model: ModelFile, options: Options, calibration: Calibration | None, states: Set[int]
) -> dict[str, Window]:
    """The windows of a stream that the model takes, by the name of the one input that takes them.

    Raises:
        UsageError: it is not clear which one does.
    """
    if options.windows is None:
        return {}
    there = [at for at in range(len(model.inputs)) if at not in states]
    takers = there if len(there) == 1 else [at for at in there if not is_picture_shape(model.inputs[at].static_shape)]
    if len(takers) != 1:
        names = ", ".join(model.input_names)
        raise UsageError(f"it is not clear for which of the inputs ({names}) the options of windows are")
    channels = calibration.summary.get("channels", ()) if calibration else ()
    window = window_for(options.windows, model.inputs[takers[0]].static_shape, channels)
    return {model.input_names[takers[0]]: window} if window else {}


def _choose_task(model: ModelFile, answers: Sequence[Output], options: Options) -> tuple[str, str | None]:
    """The task, and its head where the task has several."""
    shapes = [tensor.static_shape for tensor in model.inputs if is_picture_shape(tensor.static_shape)]
    size = (shapes[0][2], shapes[0][1]) if shapes else (0, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what was made says the task
        task, _ = prepare_task(
            answers, Metadata(), size=size, task=options.task, head=options.head, labelled=bool(options.labels),
            settings=Settings(options=options.head_options),
        )
    if len(TASKS[task]) == 1 and not options.head_options:
        return task, None
    return task, choose_head(task, Tensors(tuple(answers), *size), wanted=options.head).name


def _check_picture_options(model: ModelFile, options: Options) -> None:
    given = [name for name in ("normalization", "channels", "resize") if getattr(options, name) is not None]
    if given and not any(is_picture_shape(tensor.static_shape) for tensor in model.inputs):
        raise UsageError(
            f"{', '.join(given)} was given, and the model takes no pictures", hint="Leave it out."
        )


def _describe_input(
    name: str, tensor: Tensor, options: Options, calibration: Calibration | None, window: Window | None
) -> InputMetadata:
    seen = calibration.summary["ranges"].get(name) if calibration else None
    minimum, maximum = ((seen[0],), (seen[1],)) if seen else ((), ())
    if window is not None or not is_picture_shape(tensor.static_shape):
        return InputMetadata(
            name, "real numbers", content="features", minimum=minimum, maximum=maximum, window=window
        )
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
