"""Where samples come from: pictures, videos and tables in files, and whatever is registered beside them."""

from __future__ import annotations

from edgekit.sources.opening import open_source
from edgekit.sources.types import Problem, Sample, Source

__all__ = ["Problem", "Sample", "Source", "open_source"]
