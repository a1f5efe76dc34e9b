"""Answers that go on: pictures one after another (MJPEG), and server-sent events.

Each viewer is served by a thread of its own, which takes what is newest whenever the one before is sent. A viewer that
is slow sees less, and nobody waits for it.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from edgekit.pipeline.stats import Figures
from edgekit.serving.history import History, summary
from edgekit.serving.hub import Hub

BOUNDARY = "edgekit-frame"
PICTURES_TYPE = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
EVENTS_TYPE = "text/event-stream; charset=utf-8"
RESULT_SECONDS = 1 / 10
"""Shortest time between two results."""
LOOK_SECONDS = 0.5
"""How often a viewer without anything new is looked after: it may have gone."""


def pictures(hub: Hub, source: int, gone: Callable[[], bool]) -> Iterator[bytes]:
    """The annotated frames of a source as parts of one answer, each followed by the boundary that shows it."""
    yield f"--{BOUNDARY}\r\n".encode()
    seen = 0
    while not hub.closed:
        _, result = hub.wait(seen, LOOK_SECONDS, source)
        if result is None:
            if gone():
                return
            continue
        seen, jpeg = hub.picture(source, seen)
        if jpeg:
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
            yield head + jpeg + f"\r\n--{BOUNDARY}\r\n".encode()


def events(hub: Hub, history: History, figures: Callable[[], Figures], gone: Callable[[], bool]) -> Iterator[bytes]:
    """History first, then results as they come, events of the sources, and the figures each second."""
    yield _event("history", history.columns())
    seen, told, due = 0, 0, 0.0
    while not hub.closed and not gone():
        begun = time.monotonic()
        seen, result = hub.wait(seen, LOOK_SECONDS)
        if result is not None:
            yield f"event: result\ndata: {hub.text(seen, result)}\n\n".encode()
        for number, event in [entry for entry in list(hub.events) if entry[0] > told]:
            told = number
            ago = round(time.monotonic() - event.captured, 1)
            yield _event("happened", {"kind": event.kind, "source": event.source, "detail": event.detail, "ago": ago})
        if time.monotonic() >= due:
            due = time.monotonic() + 1
            newest = list(history.points)[-1:]
            point = asdict(newest[0]) if newest else {}
            yield _event("figures", {**summary(figures()), "point": point, "pictures": hub.pictured()})
        time.sleep(max(0.0, begun + RESULT_SECONDS - time.monotonic()))


def is_gone(connection: socket.socket) -> bool:
    """Whether the viewer has closed the connection; it never says anything more, so that any word counts as that."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable)


def _event(name: str, content: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(content)}\n\n".encode()
