"""What a source gives to a model of windows."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from edgekit.errors import UsageError
from edgekit.metadata.types import Window
from edgekit.sources import Source, open_source
from edgekit.tables import iterate_rows
from edgekit.uris import redacted
from edgekit.windows.recordings import SOUND_SUFFIXES, is_recording, open_recording
from edgekit.windows.source import Windowed
from edgekit.windows.types import Stream
from edgekit.windows.validity import Policy


def is_stream(source: object) -> bool:
    """Whether a source gives blocks of samples in time."""
    return hasattr(source, "blocks")


def open_stream(uri: str | os.PathLike[str], rate: float | None = None) -> Stream:
    """A sensor, or a recording of one.

    Args:
        uri: `serial:…`, `mic:…`, `log.csv`, `-`, ...
        rate: What is asked of it where the URI asks for nothing, and what holds for recordings without times.

    Raises:
        EdgeKitError: as in `open_source`.
        UsageError: it is a source of something else, such as pictures.
    """
    text = os.fspath(uri)
    if is_recording(text):
        return open_recording(text, rate)
    source: Any = open_source(text)
    if not is_stream(source):
        raise UsageError(f"{redacted(text)} is no stream of samples, of which windows can be cut")
    if rate is not None and hasattr(source, "adopt_rate"):
        source.adopt_rate(rate)
    stream: Stream = source
    return stream


def open_windowed(
    source: Source | Stream | str | os.PathLike[str], window: Window | None, shape: tuple[int, ...] | None,
    invalid: Policy = "drop",
) -> Source:
    """The source for a model: of windows, where the model takes those and the source gives samples in time.

    A table with as many columns as the input has numbers holds whole windows, one a row, and is taken so.

    Args:
        source: A source, or what `open_source` and `open_stream` take.
        window: What the model and the user say of windows; None where the model takes none.
        shape: Of the model's input, without the batch.
        invalid: What becomes of values that are NaN or out of range.

    Raises:
        EdgeKitError: as in `open_source`.
    """
    if isinstance(source, (str, os.PathLike)):
        text = os.fspath(source)
        if window is None or _holds_windows(text, shape):
            _refuse_sound(text)
            return open_source(text, shape=shape)
        source = open_stream(text, window.rate) if _is_stream_uri(text) else open_source(text, shape=shape)
    if window is None or not is_stream(source):
        return source
    return Windowed(source, window, shape, invalid)  # type: ignore[arg-type]


def _is_stream_uri(text: str) -> bool:
    return is_recording(text) or not Path(text).exists()


def _holds_windows(text: str, shape: tuple[int, ...] | None) -> bool:
    """Whether it is a table of which a row is as much as the input takes."""
    path = Path(text)
    if shape is None or not is_recording(text) or not path.is_file() or path.suffix.lower() in SOUND_SUFFIXES:
        return False
    first = next(iterate_rows(path), None)
    return first is not None and first.values is not None and first.values.size == math.prod(shape) > 1


def _refuse_sound(text: str) -> None:
    if Path(text).suffix.lower() in SOUND_SUFFIXES and Path(text).is_file():
        raise UsageError(
            f"{text} is sound, and nothing says which windows of it the model takes",
            hint="Give window, hop, rate and features (--window 1s --hop 0.5s --rate 16000), or convert the model with "
            "them.",
        )


