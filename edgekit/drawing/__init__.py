"""Results drawn on the pictures that they were made of, with OpenCV."""

from __future__ import annotations

from edgekit.drawing.annotate import annotate

__all__ = ["annotate"]
