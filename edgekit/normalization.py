"""How people write a normalization: `0..1`, `imagenet`, `127.5/127.5`."""

from __future__ import annotations

import math

from edgekit.errors import UsageError
from edgekit.metadata.types import Normalization

NAMED = {
    "0..255": Normalization((0.0,), (1.0,)),
    "0..1": Normalization((0.0,), (255.0,)),
    "-1..1": Normalization((127.5,), (127.5,)),
    "imagenet": Normalization((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
"""The ranges that a pixel of 0 to 255 is brought to, and ImageNet's mean and deviation (red, green, blue)."""

FORMS = (
    "Write 0..255, 0..1, -1..1, imagenet, or MEAN/STD with one number or one a channel, "
    "such as 127.5/127.5 or 123.7,116.3,103.5/58.4,57.1,57.4: a pixel becomes (pixel - mean) / std."
)


def parse_normalization(text: str) -> Normalization:
    """Read a normalization as written on a command line.

    Args:
        text: `0..255`, `0..1`, `-1..1`, `imagenet`, or `MEAN/STD` with comma-separated numbers, one or one a
            channel, in the order in which the network takes the channels.

    Raises:
        UsageError: the text is none of these, or a deviation is not above zero.
    """
    named = NAMED.get(text.strip().lower())
    if named:
        return named
    mean_text, slash, std_text = text.partition("/")
    if not slash:
        raise _bad(text, "it is neither a known name nor MEAN/STD")
    mean, std = _numbers(text, mean_text), _numbers(text, std_text)
    if min(std) <= 0:
        raise _bad(text, "a deviation has to be above zero")
    if len(mean) != len(std) and 1 not in (len(mean), len(std)):
        raise _bad(text, f"{len(mean)} means do not go with {len(std)} deviations")
    return Normalization(mean, std)


def _numbers(text: str, part: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in part.split(","))
    except ValueError:
        raise _bad(text, f"'{part}' is not a list of numbers") from None
    if not all(map(math.isfinite, numbers)):
        raise _bad(text, f"'{part}' is not finite")
    return numbers


def _bad(text: str, reason: str) -> UsageError:
    return UsageError(f"normalization '{text}' cannot be read: {reason}", hint=FORMS)
