"""Results posted to a web server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from edgekit import Result, UsageError
from edgekit.results import Latency
from edgekit.sinks import SinkCounts, open_sink, webhook
from edgekit.sinks.webhook import WebhookSink
from edgekit.sources.live import Backoff
from edgekit.sources.types import Event

SOON = Backoff(first=0.01, most=0.05)


def result(sequence: int) -> Result:
    return Result(task="t", device="cpu", latency=Latency(), sequence=sequence)


@dataclass
class Server:
    """A web server that answers as it is told to and keeps what it got."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.gate.wait(10)
            status = server.answers.pop(0) if server.answers else 204
            if status == 0:
                self.close_connection = True
                return
            if status < 300:
                server.got.append(json.loads(body))
                server.headers.append({**self.headers, "path": self.path})
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server.gate.set()
    with ThreadingHTTPServer(("127.0.0.1", server.port), Handler) as http:
        server.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.gate.set()
        http.shutdown()


def wait_for(condition: Callable[[], bool]) -> None:
    late = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < late, "it did not happen"
        time.sleep(0.005)


def test_each_result_is_posted_in_order() -> None:
    with serving(Server()) as server:
        sink = open_sink(f"http://127.0.0.1:{server.port}/hook?room=2")
        for number in range(5):
            sink.write(result(number))
        sink.close()
    assert [body["sequence"] for body in server.got] == [0, 1, 2, 3, 4]
    assert len({body["message_id"] for body in server.got}) == 5
    assert server.headers[0]["path"] == "/hook?room=2"
    assert server.headers[0]["Idempotency-Key"] == server.got[0]["message_id"]
    assert server.headers[0]["Content-Type"] == "application/json"


def test_a_server_in_trouble_gets_the_result_again_with_a_mark() -> None:
    events: list[Event] = []
    with serving(Server(answers=[503, 0, 429, 204, 404])) as server:
        sink = WebhookSink(f"http://127.0.0.1:{server.port}/", backoff=SOON)
        sink.on_event = events.append
        for number in range(3):
            sink.write(result(number))
        wait_for(lambda: sink.sent == 2)
        sink.close()
    assert [(body["sequence"], body.get("duplicate")) for body in server.got] == [(0, True), (2, None)]
    assert sink.counts() == SinkCounts(pending=0, dropped=0, refused=1)
    assert [event.kind for event in events] == ["lost", "recovered", "refused"]
    assert "404" in events[-1].detail


def test_an_idle_connection_that_the_server_closed_is_opened_anew() -> None:
    with serving(Server(answers=[204, 0, 204])) as server:
        sink = WebhookSink(f"http://127.0.0.1:{server.port}/")
        sink.write(result(0))
        sink.write(result(1))
        wait_for(lambda: sink.sent == 2)
        sink.close()
    assert [(body["sequence"], body.get("duplicate")) for body in server.got] == [(0, None), (1, True)]


def test_a_server_that_does_not_answer_never_holds_up_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "QUEUE_LENGTH", 10)
    monkeypatch.setattr(webhook, "FLUSH_SECONDS", 0.05)
    events: list[Event] = []
    with serving(Server()) as server:
        server.gate.clear()
        sink = WebhookSink(f"http://127.0.0.1:{server.port}/")
        sink.on_event = events.append
        for number in range(100):
            sink.write(result(number))
        assert sink.dropped == 90
        sink.close()
    assert events[-1].kind == "dropped"


def test_passwords_are_sent_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    with serving(Server(answers=[401])) as server:
        sink = WebhookSink(f"http://ann:s%3Ccret@127.0.0.1:{server.port}/?token=hidden", backoff=SOON)
        sink.on_event = events.append
        sink.write(result(0))
        sink.write(result(1))
        wait_for(lambda: sink.sent == 1)
        sink.close()
        monkeypatch.setenv("EDGEKIT_WEBHOOK_TOKEN", "abc")
        bearer = WebhookSink(f"http://127.0.0.1:{server.port}/")
        bearer.write(result(2))
        bearer.close()
    assert server.headers[0]["Authorization"] == "Basic YW5uOnM8Y3JldA=="
    assert server.headers[1]["Authorization"] == "Bearer abc"
    assert not any(secret in str(event) for event in events for secret in ("cret", "hidden"))


def test_letters_of_all_languages_in_an_address_and_a_host_that_is_none() -> None:
    events: list[Event] = []
    with serving(Server()) as server:
        sink = WebhookSink(f"http://127.0.0.1:{server.port}/kamera 1/ä?ü=%20&x=1")
        sink.write(result(0))
        sink.close()
    assert server.headers[0]["path"] == "/kamera%201/%C3%A4?%C3%BC=%20&x=1"
    nowhere = WebhookSink("http://a..b/", backoff=SOON, on_event=events.append)
    nowhere.write(result(0))
    nowhere.close()
    assert [event.kind for event in events] == ["lost", "dropped"]


@pytest.mark.parametrize("uri", ["http://", "http:///path", "http://host:port/", "https://?x", "http://a b/"])
def test_uris_that_name_no_server(uri: str) -> None:
    with pytest.raises(UsageError, match="names no server"):
        open_sink(uri)
