"""RTSP from a real server that asks for a password, dies and comes back."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.sources import Event, open_source
from edgekit.sources.live import Backoff, Live

cv2 = pytest.importorskip("cv2")

SERVER = Path(__file__).with_name("rtsp_server.py")
pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


class Server:
    """Runs the server on a free port of its own, as often as it is started."""

    def __init__(self, python: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._python = python
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """False where what it needs is not installed."""
        self._child = subprocess.Popen(
            [self._python, str(SERVER), str(self.port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._child.stdout is not None
        return bool(self._child.stdout.readline())

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()

    def uri(self, password: str = "secret", options: str = "") -> str:
        return f"rtsp://me:{password}@127.0.0.1:{self.port}/live#timeout=5{options}"


@pytest.fixture
def server() -> Iterator[Server]:
    for python in dict.fromkeys((sys.executable, shutil.which("python3", path="/usr/bin") or sys.executable)):
        found = Server(python)
        try:
            if found.start():
                yield found
                return
        finally:
            found.kill()
    pytest.skip("needs PyGObject and GStreamer's RTSP server (gir1.2-gst-rtsp-server-1.0, python3-gi)")


def test_a_server_killed_and_restarted_is_found_again(server: Server, tiny_classifier: Path) -> None:
    source = open_source(server.uri())
    assert isinstance(source, Live)
    source.backoff = Backoff(0.05, 0.2)
    events: list[Event] = []
    pipeline = edgekit.Pipeline(tiny_classifier, source)
    pipeline.when_event = events.append
    with pipeline:
        results = iter(pipeline)
        first = next(results)
        assert first.frame is not None
        assert first.frame.shape == (48, 64, 3)
        assert np.abs(first.frame.astype(int) - (255, 0, 0)).max() <= 8  # blue
        threads = threading.active_count()
        server.kill()
        assert server.start()
        while pipeline.stats().sources[0].reconnects < 1:
            next(results)
        assert next(results).sequence > first.sequence
        assert threading.active_count() == threads
    assert {"connected", "lost", "retrying"} <= {event.kind for event in events}
    assert not any("secret" in str(event) for event in events)


def test_no_password_is_printed(
    server: Server, tiny_classifier: Path, call: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(tiny_classifier, server.uri(), "--limit", 1) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["source"] == f"rtsp://***@127.0.0.1:{server.port}/live#timeout=5"
    assert "connected" in err
    assert call(tiny_classifier, server.uri("wrong", "&wait=0"), "--limit", 1) == 1
    refused = capfd.readouterr()
    assert "401 Unauthorized" in refused.err
    assert not any(word in out + err + refused.out + refused.err for word in ("secret", "wrong"))
