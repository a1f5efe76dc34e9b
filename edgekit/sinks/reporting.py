"""Where a sink's events go when nobody asks for them."""

from __future__ import annotations

import logging

from edgekit.sources.types import Event

_LOG = logging.getLogger("edgekit.sinks")


def log_event(event: Event) -> None:
    """Log what went wrong as a warning, and what is well as information."""
    level = logging.INFO if event.kind in ("connected", "recovered") else logging.WARNING
    _LOG.log(level, "%s", event)
