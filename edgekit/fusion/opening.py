"""From what the user names to a fused source."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from edgekit.errors import UsageError
from edgekit.fusion.joining import Join
from edgekit.fusion.source import Follower, Fused
from edgekit.sources import Source, open_source
from edgekit.windows.opening import is_stream, open_stream, open_windowed
from edgekit.windows.recordings import is_recording
from edgekit.windows.types import Stream

if TYPE_CHECKING:
    from edgekit.metadata.types import Window
    from edgekit.model import Model

Named = Source | Stream | str | PathLike[str]


def fuse(
    model: Model, sources: Mapping[str, Named], *, lead: str | None = None, joins: Mapping[str, Join] | None = None
) -> Fused:
    """One source of all that a model with several inputs takes.

    Args:
        model: The model.
        sources: By input name: a source or stream, or what `open_source` takes.
        lead: The input whose source gives the moments; by default the first that takes pictures, else the first.
        joins: By input name, how its source is joined; by default windows end at the very moment, and of samples the
            nearest is taken.

    Raises:
        UsageError: the names are not those of the inputs.
        EdgeKitError: as in `open_source`.
    """
    names = [tensor.name for tensor in model.inputs]
    if set(sources) != set(names):
        raise UsageError(
            f"sources are given for {', '.join(sources) or 'no input'}, and the inputs of {model.path} are "
            f"{', '.join(names)}",
            hint="Give one for each.",
        )
    pictures = [tensor.name for tensor in model.inputs if tensor.image]
    leading = lead or (pictures or names)[0]
    unknown = [name for name in (leading, *(joins or {})) if name not in names]
    if unknown:
        raise UsageError(f"there is no input {unknown[0]}; there are {', '.join(names)}")
    windows = dict(zip(names, model.windows, strict=True))
    shapes = {tensor.name: tensor.shape[1:] for tensor in model.inputs}
    followers = {
        name: _follower(source, windows[name], shapes[name], (joins or {}).get(name), model)
        for name, source in sources.items() if name != leading
    }
    first = open_windowed(sources[leading], windows[leading], shapes[leading], model.invalid)
    return Fused(first, leading, followers)


def _follower(
    source: Named, window: Window | None, shape: tuple[int, ...], join: Join | None, model: Model
) -> Follower:
    opened: Any = source
    if isinstance(source, (str, PathLike)):
        rate = window.rate if window else None
        opened = open_stream(source, rate) if is_recording(str(source)) else open_source(source, shape=shape)
        if rate is not None and hasattr(opened, "adopt_rate"):
            opened.adopt_rate(rate)
    rule = join or Join("interpolate" if is_stream(opened) and window and window.rate else "nearest")
    return Follower(opened, rule, window, shape if is_stream(opened) else None, model.invalid)
