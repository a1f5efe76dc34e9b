"""From samples in time to windows for a model: validity, gaps, resampling, cutting."""

from __future__ import annotations

from edgekit.windows.source import Windowed
from edgekit.windows.spec import WindowOptions, parse_span, window_of
from edgekit.windows.types import Block, Stream, rows_of
from edgekit.windows.windower import Cut, Windower, offline_windows

__all__ = [
    "Block",
    "Cut",
    "Stream",
    "WindowOptions",
    "Windowed",
    "Windower",
    "offline_windows",
    "parse_span",
    "rows_of",
    "window_of",
]
