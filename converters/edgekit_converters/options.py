"""What was asked of a conversion, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Literal, cast, get_args

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.labels import read_labels
from edgekit.metadata import Normalization
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.normalization import parse_normalization
from edgekit_devices.targets import TARGETS, Io, Precision

Task = Literal["classification", "values"]

PRECISIONS: tuple[str, ...] = get_args(Precision)
IO_TYPES: tuple[str, ...] = get_args(Io)
TASKS: tuple[str, ...] = get_args(Task)
ORDERS: tuple[str, ...] = get_args(ColourOrder)
RESIZE_RULES: tuple[str, ...] = get_args(ResizeRule)


@dataclass(frozen=True, slots=True)
class Options:
    """One conversion's settings; `check_options` builds a valid one. None is what nobody said."""

    precision: str
    io: str
    target: str
    samples: int
    task: str | None
    labels: tuple[str, ...]
    normalization: Normalization | None
    channels: ColourOrder | None
    resize: ResizeRule | None
    description: str

    @property
    def calibrated(self) -> bool:
        """Whether activations are quantized, which takes calibration data."""
        return self.precision == "int8"


def choose_io(precision: str, io: str | None) -> str:
    """The type of inputs and outputs: as asked, else what goes with the precision.

    Raises:
        UsageError: integer tensors asked of a model that keeps its activations in float.
    """
    if io is None:
        return "int8" if precision == "int8" else "float32"
    one_of("io", io, IO_TYPES)
    if precision != "int8" and io != "float32":
        raise UsageError(
            f"io '{io}' goes with precision 'int8' only: a {precision} model takes and gives float32",
            hint="Leave io out, or choose precision 'int8'.",
        )
    return io


def check_target(target: str, precision: str, io: str) -> None:
    """Refuse what the target cannot run.

    Raises:
        UsageError: the target is unknown, or does not take the precision or the io type.
    """
    profile = TARGETS[one_of("target", target, sorted(TARGETS))]
    if precision not in profile.precisions:
        raise UsageError(
            f"target '{target}' does not run precision '{precision}'",
            hint=f"It runs: {', '.join(profile.precisions)}.",
        )
    if io not in profile.io:
        raise UsageError(f"target '{target}' does not take io '{io}'", hint=f"It takes: {', '.join(profile.io)}.")


def check_options(
    *,
    precision: str,
    io: str | None,
    target: str,
    samples: int,
    task: str | None,
    labels: str | PathLike[str] | Sequence[str] | None,
    normalize: str | None,
    channels: str | None,
    resize: str | None,
    description: str,
) -> Options:
    """The options of `edgekit.convert`, where they exist and go together; the labels file is read.

    Raises:
        UsageError: they do not.
        MissingFileError: there is no such labels file.
        DataError: it is no list of labels.
    """
    one_of("precision", precision, PRECISIONS)
    io = choose_io(precision, io)
    check_target(target, precision, io)
    if samples < 1:
        raise UsageError(f"samples has to be 1 or more, not {samples}")
    if isinstance(labels, (str, PathLike)):
        labels = read_labels(labels)
    return Options(
        precision=precision,
        io=io,
        target=target,
        samples=samples,
        task=None if task is None else one_of("task", task, TASKS),
        labels=tuple(labels or ()),
        normalization=None if normalize is None else parse_normalization(normalize),
        channels=None if channels is None else cast(ColourOrder, one_of("channels", channels, ORDERS)),
        resize=None if resize is None else cast(ResizeRule, one_of("resize", resize, RESIZE_RULES)),
        description=description,
    )
