"""What to make of a model's outputs: which task it is, in which form its tensors say it, and the code to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgekit.choices import check_count
from edgekit.errors import UsageError
from edgekit.metadata.types import Metadata
from edgekit.tasks.choosing import TASKS, choose_head, choose_task, head_names
from edgekit.tasks.types import Head, Output, Settings, Task, Tensors
from edgekit.tasks.view import View, frame_view, view_of

__all__ = [
    "TASKS",
    "Head",
    "Output",
    "Settings",
    "Task",
    "Tensors",
    "View",
    "build_task",
    "check_settings",
    "choose_head",
    "choose_task",
    "frame_view",
    "head_names",
    "prepare_task",
    "view_of",
]


def check_settings(settings: Settings) -> None:
    """See that what the user says of a task is possible.

    Raises:
        UsageError: it is not.
    """
    if settings.top is not None:
        check_count("top", settings.top)
    for name, value in (("score", settings.score), ("iou", settings.iou)):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (number and 0 <= value <= 1):
            raise UsageError(f"{name} is {value!r}", hint="Give a number from 0 to 1.")
    if settings.enrolled is not None and settings.options:
        raise UsageError("enrolled labels take no options of a head", hint="Leave one of the two.")


def prepare_task(
    outputs: Sequence[Output], about: Metadata, *, size: tuple[int, int] = (0, 0), task: str | None = None,
    head: str | None = None, labelled: bool = False, settings: Settings,
) -> tuple[str, Task]:
    """Choose a model's task and head, from what the user and the file say, and make the task ready.

    Args:
        outputs: The model's outputs.
        about: What the file says.
        size: Width and height of the picture that the network takes; 0 where it takes none.
        task: What the user asked for; alike `head`.
        head: The form in which the outputs give its answer.
        labelled: Whether the user gave labels.
        settings: What the user says of the task.

    Returns:
        The name of the task, and the task.

    Raises:
        UsageError: the task does not fit the outputs, or what was asked for does not exist or go together.
        DataError: the labels do not fit.
    """
    check_settings(settings)
    if settings.enrolled is not None:
        if task not in (None, "embedding"):
            raise UsageError(f"enrolled labels go with task embedding, not {task}", hint="Leave one of the two.")
        task = "embedding"
    name = choose_task(
        outputs, wanted=task, from_file=about.task, labelled=labelled, size=size, head=head
    )
    said = about.head if name == about.task else None
    options: Mapping[str, object] = settings.options
    if said is not None and head in (None, said):
        options = {**about.head_options, **options}
    built = build_task(
        name, outputs, settings=replace(settings, options=options), size=size, head=head, said=said
    )
    return name, built


def build_task(
    name: str, outputs: Sequence[Output], *, top: int | None = None, settings: Settings | None = None,
    size: tuple[int, int] = (0, 0), head: str | None = None, said: str | None = None,
) -> Task:
    """Make a task ready.

    Args:
        name: One of `TASKS`.
        outputs: The model's outputs.
        top: How many classes or objects to name, where no `settings` are given.
        settings: What the user says of the task.
        size: Width and height of the picture that the network takes; 0 where it takes none.
        head: The head that the user asked for.
        said: The head that the model file says.

    Raises:
        UsageError: the task does not fit the outputs, or an option is impossible.
        DataError: the labels do not fit.
    """
    tensors = Tensors(tuple(outputs), *size)
    settings = settings or Settings(top=top)
    return choose_head(name, tensors, wanted=head, from_file=said).build(tensors, settings)
