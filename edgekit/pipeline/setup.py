"""The sources that `run` and `Pipeline` are given, opened and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

from edgekit.errors import UsageError
from edgekit.fusion import fuse
from edgekit.model import Model
from edgekit.pipeline.models import Models, Runnable
from edgekit.sources import Source
from edgekit.windows.opening import open_windowed

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:")

SourceLike = Source | str | PathLike[str]


def open_sources(source: SourceLike | Sequence[SourceLike], models: Models) -> list[Source]:
    """The sources of a pipeline, one or several. Those given as NAME=SOURCE are fused, one for each input.

    Raises:
        EdgeKitError: as in `open_source`.
        UsageError: one is no source, or the model cannot take several.
    """
    several: list[Any] = list(source) if isinstance(source, (list, tuple)) else [source]
    if not several:
        raise UsageError("there is no source")
    for one in several:
        if not isinstance(one, (str, PathLike)) and not _is_source(one):
            raise UsageError(
                f"a source cannot be of type {type(one).__name__}",
                hint="Give the path of a picture, folder, video or table, a pattern, a URI such as camera:0, or an "
                "object with the properties uri and reads_ahead that yields edgekit.sources.Sample. For data in "
                "memory, call the model itself, or give an edgekit.sources.Memory.",
            )
    alone = models.alone
    if isinstance(alone, Model) and (named := named_sources(several, alone)):
        return [fuse(alone, named)]
    for model in models.all:
        _check_inputs(several, model)
        if len(several) > 1 and model.remembers:
            raise UsageError(
                f"{model.path} remembers earlier samples, and those of {len(several)} sources would be mixed",
                hint="Run a pipeline for each source.",
            )
    return [open_windowed(one, models.window, models.row_shape, models.invalid) for one in several]


def _check_inputs(sources: Sequence[Any], model: Runnable) -> None:
    """Refuse files for a model of several inputs: each of them gives one thing. What a URI gives is not known."""
    files = [one for one in sources if isinstance(one, (str, PathLike)) and not _SCHEME.match(str(one))]
    if files and len(model.inputs) > 1:
        names = ", ".join(tensor.name for tensor in model.inputs)
        raise UsageError(
            f"{model.path} takes {len(model.inputs)} inputs ({names}), and {files[0]} is for one of them",
            hint="Give NAME=SOURCE for each, or call the model from Python, with a mapping by input name.",
        )


def named_sources(sources: Sequence[Any], model: Model) -> dict[str, str]:
    """By input name what the command line gives as NAME=SOURCE, for a model of several inputs; empty for others."""
    if len(model.inputs) < 2:
        return {}
    pairs = [one.partition("=") for one in sources if isinstance(one, str)]
    named = {name: uri for name, equals, uri in pairs if equals and name in {tensor.name for tensor in model.inputs}}
    return named if len(named) == len(sources) else {}


def _is_source(source: object) -> bool:
    return isinstance(source, Iterable) and hasattr(source, "uri") and hasattr(source, "reads_ahead")
