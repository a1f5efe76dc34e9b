"""Which windows: from the model file, the command line and the shape of the input together."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit.features import parse_features
from edgekit.inputs import Input
from edgekit.metadata.types import Metadata, Window
from edgekit.windows.validity import Policy

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|)")
_MILLI = 1e-3
POLICIES: tuple[Policy, ...] = ("drop", "hold", "refuse")
SPANS = "Write samples (100) or seconds (2s, 500ms)."


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """What the user says of windows; None for what the file says.

    Attributes:
        window: Size, in samples (`100`) or seconds (`2s`, `500ms`).
        hop: From the start of a window to the start of the next, alike.
        rate: Samples a second that the stream is brought to.
        features: What is computed of each window, as in `edgekit.features`.
        invalid: What becomes of values that are NaN or out of range: `drop`, `hold` or `refuse`.
        limits: `LOW..HIGH`: values outside are invalid.
        max_gap: Seconds between samples that are still bridged.
    """

    window: str | None = None
    hop: str | None = None
    rate: float | None = None
    features: str | None = None
    invalid: Policy = "drop"
    limits: str | None = None
    max_gap: float | None = None

    def __post_init__(self) -> None:
        one_of("invalid", self.invalid, POLICIES)
        for name in ("rate", "max_gap"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} has to be a number above 0, not {value}")

    @property
    def given(self) -> bool:
        """Whether anything is said that only makes sense of windows."""
        return self != WindowOptions()


def parse_span(text: str, rate: float | None, name: str) -> int:
    """A number of samples from what a user wrote: samples (`100`), or seconds (`2s`, `500ms`) at the rate.

    Raises:
        UsageError: it is neither, less than one sample, or in seconds where no rate is known.
    """
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise UsageError(f"{name} cannot be '{text}'", hint=SPANS)
    number, unit = float(match.group(1)), match.group(2)
    if unit and rate is None:
        raise UsageError(f"{name} is given in seconds, and no rate is known", hint="Give rate too, such as 50 (hertz).")
    count = number * (_MILLI if unit == "ms" else 1) * (rate or 0) if unit else number
    if round(count) < 1 or (not unit and count != round(count)):
        raise UsageError(f"{name} '{text}' is not a whole number of samples from 1", hint=SPANS)
    return round(count)


def parse_limits(text: str) -> tuple[float, float]:
    """Lowest and highest value, from `LOW..HIGH`.

    Raises:
        UsageError: it is no such thing.
    """
    low, dots, high = text.partition("..")
    try:
        limits = float(low), float(high)
    except ValueError:
        limits = (1.0, 0.0)
    if not dots or not limits[0] < limits[1]:
        raise UsageError(f"valid cannot be '{text}'", hint="Write LOW..HIGH, such as -16..16.")
    return limits


def window_of(options: WindowOptions, said: Window | None, shape: tuple[int, ...] | None = None) -> Window | None:
    """The windows to cut; None where nobody speaks of any.

    Args:
        options: What the user says; it goes before what the file says.
        said: What the model file says.
        shape: Of the input without the batch: (time, channels) gives the size where nobody says it.

    Raises:
        UsageError: an option that makes no sense, or a size that nobody says.
    """
    if said is None and not options.given:
        return None
    rate = options.rate if options.rate is not None else said.rate if said else None
    features = options.features if options.features is not None else said.features if said else ""
    size = _size(options, said, shape, rate, features)
    hop = parse_span(options.hop, rate, "hop") if options.hop else said.hop if said and not options.window else size
    found = replace(
        said or Window(size, hop), size=size, hop=hop, rate=rate, features=str(parse_features(features, rate)),
    )
    if options.limits is not None:
        found = replace(found, limits=parse_limits(options.limits))
    return replace(found, max_gap=options.max_gap) if options.max_gap is not None else found


def describe_window(window: Window) -> str:
    """A window in words, for people."""
    parts = [f"windows of {window.size} samples, one every {window.hop}"]
    parts += [f"at {window.rate:g} samples/s"] if window.rate else []
    parts += [f"of {', '.join(window.channels)}"] if window.channels else []
    parts += [f"as {window.features}"] if window.features else []
    return ", ".join(parts)


def model_windows(
    options: WindowOptions | None, about: Metadata, inputs: Sequence[Input]
) -> tuple[Window | None, ...]:
    """For each input of a model the windows that it takes.

    Args:
        options: What the user says, of the one input that takes windows.
        about: What the file says.
        inputs: The model's, without those that are states.

    Raises:
        UsageError: options for a model of several inputs none or several of which take windows.
    """
    said = {item.name: item.window for item in about.inputs}
    windows = [said.get(tensor.name) for tensor in inputs]
    if options is None or not options.given:
        return tuple(windows)
    takers = [at for at, window in enumerate(windows) if window] or [
        at for at, tensor in enumerate(inputs) if tensor.image is None or len(inputs) == 1
    ]
    if len(takers) != 1:
        names = ", ".join(tensor.name for tensor in inputs)
        raise UsageError(
            f"it is not clear for which of the inputs ({names}) the options of windows are",
            hint="They are for one input; in Python, edgekit.fusion.Fused takes windows for each (docs/sensors.md).",
        )
    windows[takers[0]] = window_of(options, windows[takers[0]], inputs[takers[0]].shape[1:])
    return tuple(windows)


def _size(
    options: WindowOptions, said: Window | None, shape: tuple[int, ...] | None, rate: float | None, features: str
) -> int:
    if options.window:
        return parse_span(options.window, rate, "window")
    if said:
        return said.size
    if shape and len(shape) > 1 and not features:
        return shape[0]
    raise UsageError("the size of the windows is not known", hint="Give window, such as 100 (samples) or 2s.")
