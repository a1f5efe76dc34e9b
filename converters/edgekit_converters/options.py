"""What was asked of a conversion, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import cast, get_args

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.labels import read_labels
from edgekit.metadata import Normalization
from edgekit.metadata.types import ColourOrder, ResizeRule
from edgekit.normalization import parse_normalization
from edgekit.tasks import TASKS, head_names
from edgekit.tasks.detection.ssd import portable
from edgekit.windows import WindowOptions
from edgekit_converters.accuracy.names import AUTO, CALIBRATOR_NAMES
from edgekit_converters.cures import CURES, REPLACEABLE, REPLACEMENTS, chosen
from edgekit_converters.loading.custom_objects import check_custom_objects
from edgekit_converters.onnx.types import ALSO, require_libraries
from edgekit_converters.tracing.shapes import Given, GivenShape, parse_shapes
from edgekit_devices.runtimes import RUNTIMES
from edgekit_devices.targets import TARGETS, Io, Precision

PRECISIONS: tuple[str, ...] = get_args(Precision)
IO_TYPES: tuple[str, ...] = get_args(Io)
ORDERS: tuple[str, ...] = get_args(ColourOrder)
RESIZE_RULES: tuple[str, ...] = get_args(ResizeRule)
DEFAULT_SAMPLES = 200
QUANTIZED = {"int8": ("int8", "uint8", "float32"), "int16x8": ("int16", "float32")}
"""Precisions that quantize activations, and what their inputs and outputs may be; the first is the default."""


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
    runtime: str
    keep: tuple[str, ...]
    allow_float: bool
    replace: Mapping[str, str]
    require_full_mapping: bool
    move_to_host: bool
    input_shapes: tuple[GivenShape, ...] = ()
    custom_objects: tuple[str, ...] = ()
    calibrator: str = "auto"
    head: str | None = None
    head_options: Mapping[str, object] = field(default_factory=dict)
    windows: WindowOptions | None = None
    also: tuple[str, ...] = ()

    @property
    def calibrated(self) -> bool:
        """Whether activations are quantized, which takes calibration data."""
        return self.precision in QUANTIZED

    @property
    def has_twin(self) -> bool:
        """Whether a file for the processor goes beside the accelerator's, given calibration data."""
        return self.target == "jetson" and not self.calibrated

    @property
    def per_channel_dense(self) -> bool:
        """Whether Dense layers may have one scale a channel."""
        return RUNTIMES[self.runtime].per_channel_dense

    @property
    def cures(self) -> frozenset[str]:
        """Names of the other forms that layers and operations may be given."""
        # The fused LSTM has no form of 16 bits, and variables, which LiteRT's GPU runtime refuses.
        without_lstm = self.precision == "int16x8" or self.target == "jetson"
        keep = (*self.keep, "lstm") if without_lstm else self.keep
        return chosen(keep, per_channel_dense=self.per_channel_dense, target=self.target)


def choose_precision(precision: str | None, target: str) -> str:
    """What is quantized: as asked, else what the target runs best.

    Raises:
        UsageError: there is no such precision, or no such target.
    """
    best = TARGETS[one_of("target", target, sorted(TARGETS))].precision
    return best if precision is None else one_of("precision", precision, PRECISIONS)


def choose_io(precision: str, io: str | None) -> str:
    """The type of inputs and outputs: as asked, else what goes with the precision.

    Raises:
        UsageError: integer tensors asked of a model that keeps its activations in float.
    """
    possible = QUANTIZED.get(precision, ("float32",))
    if io is None:
        return possible[0]
    if one_of("io", io, IO_TYPES) not in possible:
        raise UsageError(
            f"io '{io}' does not go with precision '{precision}', which takes and gives {' or '.join(possible)}",
            hint="Leave io out, or choose another precision.",
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


def choose_runtime(runtime: str | None, target: str) -> str:
    """The interpreter that the file has to suit: as asked, else the target's.

    Raises:
        UsageError: there is no such runtime, or the target has one of its own.
    """
    own = TARGETS[target].runtime
    if runtime is None:
        return own
    if one_of("runtime", runtime, tuple(RUNTIMES)) != own and target != "cpu":
        raise UsageError(f"target '{target}' goes with runtime '{own}', not '{runtime}'", hint="Leave runtime out.")
    return runtime


def choose_replacements(replace: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Activations to put in the place of others, by the names of the others.

    Args:
        replace: A mapping, or texts such as `gelu=silu`.

    Raises:
        UsageError: a text of another form, or an activation that cannot be replaced, or not by that one.
    """
    pairs = dict(replace) if isinstance(replace, Mapping) else dict(_split(text) for text in replace)
    for old, new in pairs.items():
        one_of("replace", old, REPLACEABLE)
        one_of("replace", new, REPLACEMENTS)
    return pairs


def _split(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals:
        raise UsageError(f"replace cannot be '{text}'", hint="Say it as OLD=NEW, such as gelu=silu.")
    return old.strip(), new.strip()


def choose_head_options(given: Sequence[str] | Mapping[str, object]) -> dict[str, object]:
    """What the head has to know besides, by name.

    Args:
        given: A mapping, or texts such as `strides=8,16,32`.

    Raises:
        UsageError: a text of another form.
        MissingFileError: there is no such file of anchors.
        DataError: it holds none.
    """
    if isinstance(given, Mapping):
        return portable(given)
    pairs = [text.partition("=") for text in given]
    wrong = next((name for name, equals, value in pairs if not name or not equals or not value), None)
    if wrong is not None:
        raise UsageError(f"the head option '{wrong}' has no value", hint="Say it as KEY=VALUE, such as reduced=no.")
    return portable({name: value for name, _, value in pairs})


def check_full_mapping(wanted: bool, target: str) -> bool:
    """Whether all has to run on the accelerator.

    Raises:
        UsageError: the target has none.
    """
    if wanted and target == "cpu":
        raise UsageError(
            "require_full_mapping goes with an accelerator", hint="Choose target 'coral' or 'jetson', or leave it out."
        )
    return wanted


def choose_calibrator(calibrator: str | None, precision: str) -> str:
    """How ranges are chosen: as asked, else by trying.

    Raises:
        UsageError: there is no such calibrator, or the precision is not calibrated by one.
    """
    if calibrator is None:
        return AUTO
    if precision != "int8":
        raise UsageError(f"calibrator goes with precision int8, not {precision}", hint="Leave calibrator out.")
    return one_of("calibrator", calibrator, CALIBRATOR_NAMES)


def choose_also(also: str | Sequence[str]) -> tuple[str, ...]:
    """Formats to write besides.

    Raises:
        UsageError: there is no such one.
        MissingDependencyError: what writes it is not installed.
    """
    names = (also,) if isinstance(also, str) else tuple(also)
    for name in names:
        one_of("also", name, ALSO)
    if names:
        require_libraries()
    return names


def check_options(
    *,
    precision: str | None = None,
    io: str | None = None,
    target: str = "cpu",
    samples: int = DEFAULT_SAMPLES,
    task: str | None = None,
    labels: str | PathLike[str] | Sequence[str] | None = None,
    normalize: str | None = None,
    channels: str | None = None,
    resize: str | None = None,
    description: str = "",
    runtime: str | None = None,
    keep: Sequence[str] = (),
    allow_float: bool = False,
    replace: Sequence[str] | Mapping[str, str] = (),
    require_full_mapping: bool = False,
    move_to_host: bool = False,
    input_shape: Given | None = None,
    custom_objects: str | Sequence[str] = (),
    calibrator: str | None = None,
    head: str | None = None,
    head_options: Sequence[str] | Mapping[str, object] = (),
    windows: WindowOptions | None = None,
    also: str | Sequence[str] = (),
) -> Options:
    """The options of `edgekit.convert`, where they exist and go together; the labels file is read.

    Raises:
        UsageError: they do not.
        MissingFileError: there is no such labels file.
        DataError: it is no list of labels.
    """
    precision = choose_precision(precision, target)
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
        task=None if task is None else one_of("task", task, tuple(TASKS)),
        labels=tuple(labels or ()),
        normalization=None if normalize is None else parse_normalization(normalize),
        channels=None if channels is None else cast(ColourOrder, one_of("channels", channels, ORDERS)),
        resize=None if resize is None else cast(ResizeRule, one_of("resize", resize, RESIZE_RULES)),
        description=description,
        runtime=choose_runtime(runtime, target),
        keep=tuple(one_of("keep", name, tuple(CURES)) for name in keep),
        allow_float=allow_float,
        replace=choose_replacements(replace),
        require_full_mapping=check_full_mapping(require_full_mapping, target),
        move_to_host=move_to_host,
        input_shapes=parse_shapes(input_shape),
        custom_objects=check_custom_objects(custom_objects),
        calibrator=choose_calibrator(calibrator, precision),
        head=None if head is None else one_of("head", head, head_names()),
        head_options=choose_head_options(head_options),
        windows=windows if windows and windows.given else None,
        also=choose_also(also),
    )
