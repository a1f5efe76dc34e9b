"""Which task a model is for, and in which form its tensors give the answer.

What the user asks for holds, then what the model file says. Only where neither says anything are the tensors themselves
looked at, and only where they leave no doubt.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.tasks import anomaly, classification, embedding, forecast, keyword, timeseries, values
from edgekit.tasks.detection import HEADS as DETECTION
from edgekit.tasks.pictures import DEPTH_HEADS, IMAGE_HEADS
from edgekit.tasks.pose import HEADS as POSE
from edgekit.tasks.segmentation import HEADS as SEGMENTATION
from edgekit.tasks.types import Head, Output, Tensors

TASKS: Mapping[str, tuple[Head, ...]] = MappingProxyType(
    {
        "classification": classification.HEADS,
        "detection": DETECTION,
        "segmentation": SEGMENTATION,
        "pose": POSE,
        "embedding": embedding.HEADS,
        "depth": DEPTH_HEADS,
        "image": IMAGE_HEADS,
        "timeseries": timeseries.HEADS,
        "keyword": keyword.HEADS,
        "anomaly": anomaly.HEADS,
        "forecast": forecast.HEADS,
        "values": values.HEADS,
    }
)
"""Tasks by name, each with the heads that it knows."""

_LABELLED = ("classification", "detection", "segmentation", "timeseries", "keyword")
"""Tasks whose answers have names."""
_OF_PICTURES = ("classification", "detection", "segmentation", "pose", "depth", "image")
_RAW = "values"
LARGE = 16
"""Values along a side from which on an output is hardly meant to be read number by number."""
_USE_VALUES = "Use task values for the numbers themselves."


def head_names() -> tuple[str, ...]:
    """The names of all heads."""
    return tuple(head.name for heads in TASKS.values() for head in heads)


def choose_task(
    outputs: Sequence[Output], *, wanted: str | None, from_file: str | None, labelled: bool,
    size: tuple[int, int] = (0, 0), head: str | None = None,
) -> str:
    """Name the task of a model.

    Args:
        outputs: The model's outputs.
        wanted: What the user asked for.
        from_file: What the model file says.
        labelled: Whether the user gave labels, which not every task has.
        size: Width and height of the picture that the network takes; 0 where it takes none.
        head: The head that the user asked for, which tells the task.

    Returns:
        What was asked for, else what the file says (a task that is not in `TASKS` gives `values` and a warning),
        else the task of the one head that the tensors fit without doubt; else `classification` where labels are
        given, and `values`, with a warning where a picture's tensors may be of several heads.

    Raises:
        UsageError: what was asked for is not in `TASKS`, does not go together, or has no use for labels.
    """
    wanted = _wanted(wanted, head)
    if wanted is not None:
        if labelled and wanted not in _LABELLED:
            raise UsageError(
                f"labels were given, and task {wanted} has no use for them", hint="Leave one of the two."
            )
        return wanted
    if from_file is not None and from_file in TASKS and (not labelled or from_file in _LABELLED):
        return from_file
    if from_file is not None and not labelled:
        warnings.warn(
            f"the model's task is {from_file}, which this version cannot do: giving the output values",
            stacklevel=3,
        )
        return _RAW
    tensors = Tensors(tuple(outputs), *size)
    return _guess(tensors, labelled=labelled)


def _wanted(task: str | None, head: str | None) -> str | None:
    if task is not None:
        one_of("task", task, tuple(TASKS))
    if head is None:
        return task
    one_of("head", head, head_names())
    own = next(name for name, heads in TASKS.items() if any(known.name == head for known in heads))
    if task not in (None, own):
        raise UsageError(f"head {head} is of task {own}, not {task}", hint="Leave one of the two.")
    return own


def _guess(tensors: Tensors, *, labelled: bool) -> str:
    certain = {task for task, heads in TASKS.items() if any(head.certain(tensors) for head in heads)}
    if labelled:
        certain &= set(_LABELLED)
    if len(certain) == 1:
        return certain.pop()
    if labelled:
        return "classification"
    candidates = list(_candidates(tensors))
    if candidates:
        warnings.warn(
            f"the outputs ({tensors.describe()}) do not tell what they are: giving their values. "
            f"Choose with --head, or head=: {', '.join(candidates)}; or --task values",
            stacklevel=4,
        )
    return _RAW


def _candidates(tensors: Tensors) -> Iterator[str]:
    """Heads that the outputs of a network for pictures may be of. Of a vector nobody is asked: it is a list."""
    if tensors.width and any(_is_worth_asking(output.shape) for output in tensors.outputs):
        for task, heads in TASKS.items():
            yield from (head.name for head in heads if task in _OF_PICTURES and head.fits(tensors))


def _is_worth_asking(shape: tuple[int, ...]) -> bool:
    return sum(size != 1 for size in shape) > 1 and max(shape) >= LARGE


def choose_head(task: str, tensors: Tensors, *, wanted: str | None = None, from_file: str | None = None) -> Head:
    """The form in which the tensors give the answer of a task.

    Args:
        task: One of `TASKS`.
        tensors: What is known of the model.
        wanted: The head that the user asked for.
        from_file: The head that the model file says; it counts where the task is the file's too.

    Raises:
        UsageError: the tensors are of another form, or may be of several heads; the message says what was expected and
            what there is.
    """
    heads = TASKS[task]
    name = wanted or from_file
    if name is not None:
        one_of(f"head of task {task}", name, tuple(head.name for head in heads))
        heads = tuple(head for head in heads if head.name == name)
    fitting = [head for head in heads if head.fits(tensors)]
    if not fitting:
        raise _misfit(task, heads, tensors, named=name is not None)
    certain = [head for head in fitting if head.certain(tensors)]
    if len(fitting) > 1 and len(certain) != 1:
        names = ", ".join(head.name for head in fitting)
        raise UsageError(
            f"task {task} can read the outputs ({tensors.describe()}) in {len(fitting)} ways",
            hint=f"Choose the model's head with --head, or head=: {names}.",
        )
    return certain[0] if certain else fitting[0]


def _misfit(task: str, heads: Sequence[Head], tensors: Tensors, *, named: bool) -> UsageError:
    found = f"and there is {tensors.describe()}{_input(tensors)}"
    if named or len(heads) == 1:
        what = f"head {heads[0].name}" if named else f"task {task}"
        return UsageError(f"{what} needs {heads[0].expects}, {found}", hint=_USE_VALUES)
    known = "".join(f"\n  {head.name}: {head.expects}" for head in heads)
    return UsageError(f"task {task} knows no head for such outputs, {found}. It knows{known}", hint=_USE_VALUES)


def _input(tensors: Tensors) -> str:
    return f" from a picture of {tensors.width} x {tensors.height}" if tensors.width else ""
