"""Sources that are always there: `test:pattern`, a camera, and `test:sine`, a sensor."""

from __future__ import annotations

from edgekit.sources.pattern import Pattern, open_pattern
from edgekit.windows.sine import Sine, open_sine


def open_test(uri: str, *, shape: tuple[int, ...] | None = None) -> Pattern | Sine:
    """A test source.

    Raises:
        UsageError: there is none of that name, an unknown option, or a value that cannot be.
    """
    name = uri.partition(":")[2].partition("?")[0]
    return open_sine(uri, shape=shape) if name == "sine" else open_pattern(uri, shape=shape)
