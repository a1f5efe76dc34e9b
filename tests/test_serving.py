"""The page's server, asked as a browser, a script and an attacker would."""

from __future__ import annotations

import json
import re
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import OutputError, Pipeline, Result, UsageError
from edgekit.pipeline import Stats
from edgekit.results import Classification, Latency, ScoredClass, Values
from edgekit.serving import Page, page, prometheus, server
from edgekit.serving.access import stored_token
from edgekit.serving.address import parse_address
from edgekit.serving.history import POINTS, History, problem
from edgekit.sinks import open_sink
from edgekit.sources import Event
from edgekit.sources.memory import Memory
from edgekit.telemetry import Telemetry

cv2 = pytest.importorskip("cv2")

NO_REQUESTS = (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\xff\x00" * 40_000, b"GET /")
COMMON: dict[str, Any] = {"device": "cpu", "latency": Latency(1, 2, 0.5), "source": "camera:0", "age": 0.01}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def stats() -> Stats:
    return Stats(["camera:0"])


@pytest.fixture
def shown(stats: Stats) -> Iterator[Page]:
    with Page("0", stats.snapshot) as opened:
        yield opened


def classified(sequence: int = 0, **more: Any) -> Classification:
    frame = np.full((48, 64, 3), sequence % 256, np.uint8)
    classes = (ScoredClass(3, "cat", 0.9),)
    return Classification(task="classification", classes=classes, sequence=sequence, frame=frame, **{**COMMON, **more})


def ask(shown: Page, path: str, method: str = "GET", **headers: str) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", shown.port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return connection.getresponse()


def wait_for(condition: Callable[[], bool]) -> None:
    late = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < late, "it did not happen"
        time.sleep(0.005)


def test_the_page_is_one_file_that_loads_nothing_else(shown: Page) -> None:
    answer = ask(shown, "/")
    text = answer.read().decode()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_pictures_come_as_they_are_made(shown: Page) -> None:
    assert ask(shown, "/frame.jpg").status == 404
    shown.write(classified(1))
    jpeg = ask(shown, "/frame.jpg").read()
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (360, 480, 3)  # small ones are enlarged
    assert picture[:30, :60].max() > 150  # the caption
    stream = ask(shown, "/stream.mjpg")
    assert stream.headers["Content-Type"].startswith("multipart/x-mixed-replace; boundary=")
    for number in (2, 3):
        part = read_part(stream)
        assert part.startswith(b"\xff\xd8")
        assert part.endswith(b"\xff\xd9")
        shown.write(classified(number * 100))
    assert ask(shown, "/stream.mjpg?source=1").status == 404


def read_part(stream: HTTPResponse) -> bytes:
    while not (line := stream.readline()).startswith(b"Content-Length"):
        assert line
    stream.readline()
    return stream.read(int(line.split(b":")[1]))


def events_of(shown: Page) -> Iterator[tuple[str, Any]]:
    stream = ask(shown, "/events")
    assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    while line := stream.readline().decode():
        name = line.removeprefix("event: ").strip()
        yield name, json.loads(stream.readline().decode().removeprefix("data: "))
        stream.readline()


def test_events_tell_of_results_figures_and_what_happened(shown: Page, stats: Stats) -> None:
    shown.write(classified(7))
    stats.add_result(0, classified(7))
    shown.event(Event("camera:0", "lost", "unplugged"))
    found: dict[str, Any] = {}
    for name, content in events_of(shown):
        found.setdefault(name, content)
        if len(found) == 4:
            break
    assert set(found["history"]) == {"fps", "processing", "age", "temperature", "clock", "power", "throttled"}
    assert found["result"]["classes"] == [{"index": 3, "label": "cat", "score": 0.9}]
    assert found["happened"]["detail"] == "unplugged"
    assert found["figures"]["results"] == 1
    assert found["figures"]["stages"]["inference"]["mean"] == 2
    assert json.loads(ask(shown, "/latest.json").read())["sequence"] == 7


def test_a_result_too_long_to_look_at_is_shortened(shown: Page) -> None:
    shown.write(Values(task="values", values={"y": np.zeros(100_000, np.float32)}, **COMMON))
    found = next(content for name, content in events_of(shown) if name == "result")
    assert found["left_out"] == ["values"]
    assert found["task"] == "values"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_other_names_for_this_machine_are_refused(shown: Page, host: str) -> None:
    """A page elsewhere whose name is made to lead here (DNS rebinding) reads nothing."""
    for path in ("/", "/latest.json", "/metrics", "/healthz"):
        answer = ask(shown, path, Host=host)
        assert answer.status == 403
        assert b"cat" not in answer.read()


def test_other_pages_may_not_embed_it(shown: Page) -> None:
    assert ask(shown, "/frame.jpg", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403
    assert ask(shown, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200  # a link
    assert ask(shown, "/", Host=f"localhost:{shown.port}").headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_there_is_only_reading(shown: Page, method: str) -> None:
    answer = ask(shown, "/", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_head_gives_the_headers_alone(shown: Page) -> None:
    for path in ("/", "/stream.mjpg", "/events"):
        answer = ask(shown, path, "HEAD")
        assert answer.status == 200
        assert answer.read() == b""


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/%2e%2e/x", "/page.html", "/stream.mjpg/..", "*"])
def test_there_are_no_other_paths(shown: Page, path: str) -> None:
    assert ask(shown, path).status == 404


@pytest.mark.parametrize("request_", NO_REQUESTS)
def test_what_is_no_request_ends_the_connection(shown: Page, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", shown.port), timeout=10) as connection:
        try:
            connection.sendall(request_)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        except OSError:
            pass
    assert ask(shown, "/healthz").status == 200


def test_another_address_needs_the_token(stats: Stats, state: Path) -> None:
    with Page("0.0.0.0:0", stats.snapshot) as shown:
        token = shown.url.partition("?token=")[2]
        assert shown.shown == shown.url  # the only time that it is in a log
        assert len(token) >= 32
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "edgekit-token=x"}, {"Cookie": "\x01=;;"}):
            for path in ("/", "/frame.jpg", "/metrics", "/nothing", "/?token=wrong", "/?token="):
                assert ask(shown, path, **headers).status == 401
        first = ask(shown, f"/?token={token}")
        assert (first.status, first.headers["Location"]) == (303, "/")
        cookie = first.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert ask(shown, "/", Cookie=cookie.partition(";")[0]).status == 200
        assert ask(shown, "/metrics", Authorization=f"Bearer {token}").status == 200
        assert ask(shown, f"//evil.example/?token={token}").headers["Location"] == "/"
        assert ask(shown, "/healthz").read() == b"ok\n"  # says nothing else, and needs none
        assert ask(shown, "/", Host="evil.example").status == 403
        for name in (socket.gethostname(), f"{socket.gethostname()}.local:80", "192.0.2.7:80", "[2001:db8::1]:80"):
            assert ask(shown, "/", Host=name, Authorization=f"Bearer {token}").status == 200
    kept = state / "serve-token"
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == (token, 0o600)
    with Page("0.0.0.0:0", stats.snapshot) as again:
        assert again.url.endswith(token)
        assert again.shown.endswith(f"/ (the token is in {kept})")


def test_a_token_that_others_may_read_is_not_used(state: Path) -> None:
    stored_token()
    (state / "serve-token").chmod(0o644)
    with pytest.raises(UsageError, match="others may read"):
        stored_token()
    (state / "serve-token").write_text("")
    (state / "serve-token").chmod(0o600)
    with pytest.raises(UsageError, match="holds no token"):
        stored_token()


@pytest.mark.parametrize(
    ("text", "host", "port", "alone"),
    [
        ("8080", "127.0.0.1", 8080, True),
        ("localhost:1", "localhost", 1, True),
        ("[::1]:80", "::1", 80, True),
        ("127.8.8.8:80", "127.8.8.8", 80, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("[::]:80", "::", 80, False),
        ("robot.local:80", "robot.local", 80, False),
        (":80", "127.0.0.1", 80, True),
    ],
)
def test_addresses(text: str, host: str, port: int, alone: bool) -> None:
    found = parse_address(text)
    assert (found.host, found.port, found.is_loopback) == (host, port, alone)


@pytest.mark.parametrize("text", ["", "x", "80:", "host", "1:2:3", "99999", "-1", "host:80/x"])
def test_addresses_that_cannot_be(text: str) -> None:
    with pytest.raises(UsageError, match="no address to serve on"):
        parse_address(text)


def test_it_listens_on_ipv6_too(stats: Stats) -> None:
    if not socket.has_ipv6:
        pytest.skip("needs IPv6")
    try:
        shown = Page("[::1]:0", stats.snapshot)
    except OutputError:
        pytest.skip("needs IPv6")
    connection = HTTPConnection("::1", shown.port, timeout=10)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    assert shown.url == f"http://[::1]:{shown.port}/"
    shown.close()


def test_a_port_in_use_is_told_of(shown: Page, stats: Stats) -> None:
    with pytest.raises(OutputError, match=rf"cannot serve on 127\.0\.0\.1:{shown.port}: Address already in use"):
        Page(str(shown.port), stats.snapshot)


def test_metrics_are_as_prometheus_reads_them(shown: Page, stats: Stats) -> None:
    stats.add_result(0, classified(age=0.1))
    stats.dropped(0, "busy")
    stats.add_event(0, Event("camera:0", "lost"))
    stats.add_event(0, Event("camera:0", "connected"))
    answer = ask(shown, "/metrics")
    text = answer.read().decode()
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values['edgekit_results_total{source="camera:0"}'] == "1"
    assert values['edgekit_drops_total{source="camera:0",cause="busy"}'] == "1"
    assert values['edgekit_reconnects_total{source="camera:0"}'] == "1"
    assert values['edgekit_source_up{source="camera:0"}'] == "1"
    assert values['edgekit_stage_seconds_sum{stage="inference"}'] == "0.002"
    buckets = [(float(le), int(count)) for le, count in re.findall(r'inference",le="([\d.e+-]+|\+Inf)"} (\d+)', text)]
    assert buckets == sorted(buckets)
    assert buckets[-1] == (float("inf"), 1)
    assert [count for le, count in buckets if le < 0.0019] == [0] * sum(le < 0.0019 for le, _ in buckets)
    assert values['edgekit_age_seconds_count'] == "1"


def test_an_independent_reader_takes_the_metrics(stats: Stats) -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    stats.add_result(0, classified())
    awkward = Stats(['a"b\\c\nd'])
    awkward.add_result(0, classified())
    for one in (stats, awkward):
        families = list(parser.text_string_to_metric_families(prometheus(one.snapshot(), Telemetry({"cpu": 41.5}))))
        assert {family.type for family in families} == {"counter", "gauge", "histogram"}
    source = next(family for family in families if family.name == "edgekit_results").samples[0].labels["source"]
    assert source == 'a"b\\c\nd'


def test_sinks_that_keep_results_are_counted(stats: Stats, tmp_path: Path) -> None:
    waiting = open_sink("http://user:cret@127.0.0.1:9/hook")
    waiting.write(classified())
    with Page("0", stats.snapshot, [waiting, open_sink(tmp_path / "out.csv")]) as shown:
        text = ask(shown, "/metrics").read().decode()
    waiting.close()
    assert 'edgekit_sink_pending{sink="http://***@127.0.0.1:9/hook"} 1\n' in text
    assert 'edgekit_sink_lost_total{sink="http://***@127.0.0.1:9/hook",cause="dropped"} 0\n' in text


def test_history_holds_the_last_minutes() -> None:
    stats, history = Stats(["a"]), History()
    for number in range(POINTS + 5):
        if number % 2:
            stats.add_result(0, classified(latency=Latency(1, number, 1), age=0.5))
        history.add(stats.snapshot(), Telemetry({"cpu": 40.0, "gpu": 50.0}))
    columns = history.columns()
    assert len(columns["fps"]) == POINTS
    assert columns["processing"][-2:] == [POINTS + 5, None] or columns["processing"][-1] is None
    assert {age for age in columns["age"] if age is not None} == {500.0}
    assert columns["temperature"][0] == 50.0


def test_health_says_when_nothing_comes(shown: Page, stats: Stats) -> None:
    stats.arrived(0, 0)
    stats.add_result(0, classified(captured=100.0))
    assert problem(stats.snapshot(), now=120.0) == ""
    assert problem(stats.snapshot(), now=140.0) == "no result for 40 s"
    stats.add_event(0, Event("camera:0", "retrying"))
    answer = ask(shown, "/healthz")
    assert (answer.status, answer.read()) == (503, b"no source gives anything: retrying\n")


def test_a_frame_is_drawn_once_for_all_and_not_at_all_for_nobody(shown: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        shown.write(classified(number))
    assert shown._hub.encodings == 0
    streams = [ask(shown, "/stream.mjpg") for _ in range(8)]
    for stream in streams:
        read_part(stream)
    assert shown._hub.encodings == 1


def test_there_is_room_for_so_many_viewers(shown: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    shown.write(classified())
    streams = [ask(shown, "/stream.mjpg") for _ in range(server.MOST_STREAMS)]
    assert ask(shown, "/stream.mjpg").status == 503
    assert ask(shown, "/healthz").status == 200
    for stream in streams:
        stream.close()
    wait_for(lambda: ask(shown, "/stream.mjpg").status == 200)


def test_slow_viewers_never_slow_the_pipeline(tiny_classifier: Path) -> None:
    """Twenty who read nothing: every sample still has its result, and the pipeline waits for none of them."""
    source = Memory(live=False)
    with Pipeline(tiny_classifier, source) as pipeline, Page("0", pipeline.stats) as shown:
        results: list[Result] = []


        def take(result: Result) -> None:
            shown.write(result)
            results.append(result)

        pipeline.when_result = take
        viewers = []
        for number in range(20):
            viewer = socket.socket()
            viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            viewer.connect(("127.0.0.1", shown.port))
            path = "/stream.mjpg" if number % 2 else "/events"
            viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            viewers.append(viewer)
        noise = np.random.default_rng(0)
        wait_for(lambda: shown._server.streams._value == server.MOST_STREAMS - 20)
        for _ in range(300):
            source.push(noise.integers(0, 255, (96, 128, 3)).astype(np.uint8))
        wait_for(lambda: len(results) == 300)
        assert pipeline.stats().dropped == 0
        assert shown._hub.encodings < 300
        for viewer in viewers:
            viewer.close()


def test_closing_ends_all_viewers_and_threads(stats: Stats) -> None:
    before = threading.active_count()
    with Page("0", stats.snapshot) as shown:
        shown.write(classified())
        streams = [ask(shown, path) for path in ("/stream.mjpg", "/events")]
    for stream in streams:
        with closing(stream):
            stream.read()
    wait_for(lambda: threading.active_count() <= before)


def test_the_command_serves_while_it_runs(
    tiny_classifier: Path, photos: Path, call: Callable[..., int], capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[int, Any]] = []
    close = page.Page.close

    def look_and_close(shown: Page) -> None:
        seen.append((shown.port, json.loads(ask(shown, "/latest.json").read())))
        close(shown)

    monkeypatch.setattr(page.Page, "close", look_and_close)
    assert call(tiny_classifier, photos, "--serve", "0") == 0
    out, err = capfd.readouterr()
    assert f"serving on http://127.0.0.1:{seen[0][0]}/" in err
    assert json.loads(out.splitlines()[-1]) == seen[0][1]
    assert call(tiny_classifier, photos, "--serve", "nowhere") == 2
