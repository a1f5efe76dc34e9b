"""Where results go: files, videos, brokers and webhooks, each named by a URI."""

from __future__ import annotations

from edgekit.sinks.opening import check_sink, open_sink
from edgekit.sinks.types import STDOUT, CountingSink, EventSink, ReportingSink, Sink, SinkCounts

__all__ = ["STDOUT", "CountingSink", "EventSink", "ReportingSink", "Sink", "SinkCounts", "check_sink", "open_sink"]
