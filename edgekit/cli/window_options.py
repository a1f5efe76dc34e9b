"""The options of the command line that say which windows of a stream a model takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from edgekit.windows.spec import POLICIES, WindowOptions

_OPTIONS = (
    click.option("--window", metavar="SPAN", help="Size of a stream's windows: samples (100) or seconds (2s, 500ms)."),
    click.option("--hop", metavar="SPAN", help="From one window to the next.  [default: the size]"),
    click.option(
        "--rate", type=click.FloatRange(min=0, min_open=True), metavar="HZ",
        help="Samples a second that a stream is brought to, by straight lines between its samples.",
    ),
    click.option(
        "--features", metavar="NAME:OPTIONS",
        help="What is computed of each window, such as logmel:frame=1024,hop=512,bands=40; see docs/sensors.md.",
    ),
    click.option("--valid", "limits", metavar="LOW..HIGH", help="What the sensor can give; the rest is invalid."),
    click.option(
        "--max-gap", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
        help="Longest time between samples that is bridged.  [default: 2.5 periods of the rate]",
    ),
)
_INVALID = click.option(
    "--invalid", type=click.Choice(POLICIES), default="drop", show_default=True,
    help="Values that are NaN or not valid: drop the sample, hold the last good value, or refuse the window.",
)


def window_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command with these options, which it gets as one: `windows`, a `WindowOptions`."""
    names = ("window", "hop", "rate", "features", "limits", "max_gap", "invalid")

    @wraps(command)
    def with_windows(*arguments: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in names if name in options}
        return command(*arguments, windows=WindowOptions(**given), **options)

    wrapped: Callable[..., Any] = with_windows
    for option in reversed((*_OPTIONS, _INVALID)):
        wrapped = option(wrapped)
    return wrapped
