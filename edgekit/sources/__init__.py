"""Where samples come from: files, streams and programs; cameras and sensors register beside them."""

from __future__ import annotations

from edgekit.sources.memory import Memory
from edgekit.sources.opening import open_source
from edgekit.sources.types import Event, Problem, Sample, Source

__all__ = ["Event", "Memory", "Problem", "Sample", "Source", "open_source"]
