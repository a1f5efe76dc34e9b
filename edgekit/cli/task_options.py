"""The options of the command line that say what to make of a model's outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from edgekit.tasks import TASKS, head_names

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--task", metavar="NAME", help=f"{', '.join(TASKS)}. By default what the file says, or the outputs tell."
    ),
    click.option(
        "--head", metavar="NAME",
        help=f"The form of the outputs, where neither file nor outputs tell: {', '.join(head_names())}.",
    ),
    click.option(
        "--head-option", "head_options", multiple=True, metavar="KEY=VALUE",
        help="What the head has to know besides, such as strides=8,16,32. May be given several times.",
    ),
    click.option("--labels", metavar="FILE", help="Class names, one a line."),
    click.option(
        "--top", type=click.IntRange(min=1), help="Classes or objects to name.  [default: 5 classes, 100 objects]"
    ),
    click.option("--score", type=click.FloatRange(0, 1), help="Least score of an object.  [default: the head's own]"),
    click.option(
        "--iou", type=click.FloatRange(0, 1), default=0.5, show_default=True,
        help="Boxes of a class that overlap by more are one object.",
    ),
    click.option(
        "--enrolled", metavar="FILE.npz", help="Labels taught with edgekit enroll: the nearest ones are named."
    ),
)


def task_options(command: Command) -> Command:
    """A command with these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
