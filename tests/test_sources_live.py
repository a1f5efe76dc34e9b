"""Sources that are live: patterns, what a program gives, and streams and programs that die, stall and come back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgekit
from edgekit import DeviceError, MissingDependencyError, UsageError
from edgekit.sources import Event, Memory, Problem, Sample, open_source
from edgekit.sources.frames import JpegSplitter, bgr_of_i420, parse_y4m_header, plain_planes
from edgekit.sources.live import Backoff, Live
from edgekit.sources.streams import command_of
from edgekit.uris import redacted

cv2 = pytest.importorskip("cv2")

Item = Sample | Problem | Event


def kinds(items: list[Item]) -> list[str]:
    return [item.kind if isinstance(item, Event) else type(item).__name__ for item in items]


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://admin:1234@10.0.0.2/live?token=abc&channel=1", "rtsp://***@10.0.0.2/live?token=***&channel=1"),
        ("http://u:p@ss@host/a", "http://***@host/a"),
        ("mqtt://host/topic?password=x;y=1", "mqtt://host/topic?password=***;y=1"),
        ("https://host/a?api_key=1&keypoints=2#pwd=9", "https://host/a?api_key=***&keypoints=2#pwd=9"),
        ("photos/a@b.jpg", "photos/a@b.jpg"),
        ("camera:0?size=640x480", "camera:0?size=640x480"),
    ],
)
def test_passwords_are_hidden(uri: str, shown: str) -> None:
    assert redacted(uri) == shown


def test_a_test_pattern_is_a_live_camera_that_shows_the_same_each_time() -> None:
    source = open_source("test:pattern?size=64x48&fps=1000&frames=5")
    assert source.live
    items = [item for item in source if isinstance(item, Sample)]
    assert items[-1].sequence == 4
    assert items[-1].lost + len(items) == 5
    again = [item for item in source if isinstance(item, Sample)]
    assert np.array_equal(np.asarray(items[-1].data), np.asarray(again[-1].data))
    assert np.asarray(items[0].data).shape == (48, 64, 3)
    assert [item.captured for item in items] == sorted(item.captured for item in items)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("test:pattern?sise=64x48", "Did you mean size"),
        ("test:pattern?size=64", "WIDTHxHEIGHT"),
        ("test:pattern?fps=0", "fps"),
        ("test:pattern?fps=fast", "fast"),
        ("test:pattern?fps=", "no value"),
        ("test:pattern?fps=1&fps=2", "twice"),
        ("test:sound", "test:pattern"),
        ("rtsp://user:secret@host/live#timeout=never", "never"),
        ("gst:", "no pipeline"),
        ("gst:'videotestsrc", "quotation"),
    ],
)
def test_mistakes_in_a_source_are_told_and_passwords_are_not(uri: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(uri)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_a_program_gives_comes_out_in_order() -> None:
    memory = Memory(live=False, length=100)
    for number in range(3):
        memory.push(np.full(1, number), captured=float(number))
    memory.close()
    items = list(memory)
    assert [(item.sequence, item.captured, item.lost) for item in items] == [(0, 0.0, 0), (1, 1.0, 0), (2, 2.0, 0)]
    with pytest.raises(UsageError, match="closed"):
        memory.push(np.zeros(1))


def test_a_live_program_is_never_held_up_and_what_is_lost_is_counted() -> None:
    memory = Memory(length=2)
    for number in range(10):
        memory.push(np.full(1, number))
    memory.close()
    items = list(memory)
    assert [(item.sequence, item.lost) for item in items] == [(8, 7), (9, 8)]


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_planes_of_any_size_become_a_picture(width: int, height: int) -> None:
    half = ((height + 1) // 2) * ((width + 1) // 2)
    planes = np.concatenate((np.full(width * height, 120), np.full(2 * half, 128))).astype(np.uint8)
    picture = bgr_of_i420(planes, width, height)
    assert picture.shape == (height, width, 3)
    assert picture.min() == picture.max() == 121  # (120 - 16) * 1.164


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_header_of_a_video_breaks_the_reader(line: bytes) -> None:
    try:
        header = parse_y4m_header(b"YUV4MPEG2 " + line)
    except (ValueError, KeyError, ZeroDivisionError):
        return
    assert plain_planes(header.width, header.height).count > 0


def jpeg(level: int, size: int = 16) -> bytes:
    noise = np.random.default_rng(level).integers(0, 256, (size, size, 3)).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", noise)[1].tobytes())


JPEGS = [jpeg(level) for level in range(4)]


@settings(deadline=None)
@given(st.lists(st.sampled_from(JPEGS), max_size=5), st.binary(max_size=5), st.integers(1, 2000))
def test_pictures_in_a_stream_are_cut_where_they_end(pictures: list[bytes], junk: bytes, step: int) -> None:
    junk = junk.replace(b"\xff", b"")
    stream = b"".join(junk + picture for picture in pictures) + junk
    splitter, found = JpegSplitter(), []
    for at in range(0, len(stream), step):
        splitter.add(stream[at : at + step])
        while (one := splitter.next()) is not None:
            found.append(one)
    assert found == pictures


def test_a_thumbnail_within_a_picture_does_not_end_it() -> None:
    inner, outer = jpeg(1), jpeg(2)
    whole = outer[:2] + b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner + outer[2:]
    splitter = JpegSplitter()
    splitter.add(whole)
    assert splitter.next() == whole


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a program on the PATH that is the body of a Python script; `turn` is how often it was started before."""

    def put(name: str, body: str) -> None:
        folder = tmp_path / "programs"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(
            f"#!{sys.executable}\nimport os, sys, time\nfrom pathlib import Path\n"
            f"turns = Path({str(tmp_path / 'turns')!r})\n"
            "turn = len(turns.read_text()) if turns.exists() else 0\nturns.open('a').write('x')\n"
            "out = sys.stdout.buffer\n"
            "def header(): out.write(b'YUV4MPEG2 W8 H2 F30:1 C420jpeg\\n'); out.flush()\n"
            "def frame(level): out.write(b'FRAME\\n' + bytes([level]) * 16 + bytes([128]) * 8); out.flush()\n"
            + textwrap.dedent(body)
        )
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return put


def gst(**changes: Any) -> Live:
    source = open_source("gst:videotestsrc")
    assert isinstance(source, Live)
    source.backoff = Backoff(0.01, 0.05)
    for name, value in changes.items():
        setattr(source, name, value)
    return source


def first(source: Live, count: int) -> list[Item]:
    with closing(iter(source)) as items:  # type: ignore[type-var]
        return list(islice(items, count))


def test_a_program_that_dies_is_started_again_and_numbers_go_on(program: Callable[[str, str], None]) -> None:
    program("gst-launch-1.0", """
        header()
        frame(10 + turn)
        frame(20 + turn)
        print('the camera fell off', file=sys.stderr)
        sys.exit(3)
    """)
    items = first(gst(), 9)
    assert kinds(items) == [
        "connected", "Sample", "Sample", "lost", "retrying", "connected", "Sample", "Sample", "lost",
    ]
    assert [item.sequence for item in items if isinstance(item, Sample)] == [0, 1, 2, 3]
    assert "gst-launch-1.0 ended with exit code 3: the camera fell off" in str(items[3])


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("header(); frame(1); os.kill(os.getpid(), 9)", "lost", "SIGKILL"),
        ("header(); frame(1); out.write(b'FRAME\\nabc'); out.flush()", "lost", "within a frame"),
        ("header(); frame(1); out.write(b'HELLO\\n'); out.flush(); time.sleep(60)", "lost", "no frame where"),
        ("header(); frame(1); sys.exit(0)", "lost", "it ended"),
        ("header(); frame(1); print('no signal', file=sys.stderr); time.sleep(60)", "stalled", "0.5 s: no signal"),
    ],
)
def test_each_way_to_fail_is_named(
    program: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, body: str, kind: str, words: str
) -> None:
    monkeypatch.setattr("edgekit.sources.gstreamer.READ_SECONDS", 0.5 if kind == "stalled" else 20.0)
    program("gst-launch-1.0", body)
    items = first(gst(), 4)
    assert kinds(items) == ["connected", "Sample", kind, "retrying"]
    assert words in str(items[2])


@pytest.mark.parametrize("body", ["sys.exit('no such element')", "out.write(b'garbage\\n'); out.flush()"])
def test_what_never_gave_anything_ends_in_an_error(program: Callable[[str, str], None], body: str) -> None:
    program("gst-launch-1.0", body)
    with pytest.raises(DeviceError, match=r"no such element|cannot be read"):
        first(gst(first_seconds=0.0), 1)


def test_a_damaged_picture_is_a_problem_and_the_next_one_follows(program: Callable[[str, str], None]) -> None:
    program("gst-launch-1.0", f"""
        whole = {jpeg(3, 64)!r}
        out.write(whole + whole[:1500] + b'\\xff\\xd9' + whole)
        out.flush()
        time.sleep(60)
    """)
    source = open_source("gst:videotestsrc ! jpegenc")
    assert isinstance(source, Live)
    items = first(source, 4)
    assert kinds(items) == ["connected", "Sample", "Problem", "Sample"]
    assert [item.sequence for item in items if not isinstance(item, Event)] == [0, 1, 2]


def test_stopping_ends_a_wait_and_leaves_no_process(
    program: Callable[[str, str], None], tmp_path: Path, gone: Callable[..., bool]
) -> None:
    program("gst-launch-1.0", f"""
        Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))
        header()
        frame(1)
        time.sleep(600)
    """)
    source = gst()
    items: list[Item] = []
    reader = threading.Thread(target=lambda: items.extend(source))
    reader.start()
    while not items:
        time.sleep(0.01)
    source.stop()
    reader.join(20)
    assert kinds(items) == ["connected", "Sample"]
    assert gone([(tmp_path / "pid").read_text()])


def test_a_missing_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for uri, package in (("gst:videotestsrc", "gstreamer1.0-tools"), ("rtsp://host/live", "ffmpeg")):
        with pytest.raises(MissingDependencyError, match=package):
            open_source(uri)


def test_pauses_grow_and_differ() -> None:
    backoff = Backoff(first=1.0, most=8.0, jitter=0.25)
    for failures, expected in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (10_000, 8)):
        assert expected * 0.75 <= backoff.pause(failures) <= expected * 1.25
    assert len({backoff.pause(1) for _ in range(20)}) > 1


def test_ffmpeg_is_told_a_time_out_and_to_pass_on_every_frame(program: Callable[[str, str], None]) -> None:
    for said, option in (("5.1.9-0+deb12u1", "-fps_mode"), ("4.4.2-0ubuntu0", "-vsync"), ("n7.1", "-fps_mode")):
        program(f"ffmpeg-{said}", f"print('ffmpeg version {said} Copyright')")
        path = next(p for f in os.environ["PATH"].split(os.pathsep) if (p := Path(f) / f"ffmpeg-{said}").exists())
        command = command_of(str(path), "rtsp://host/live", "udp", 2.5)
        assert command[command.index(option) + 1] == "passthrough"
        assert command[command.index("-timeout") + 1] == "2500000"
        assert command[command.index("-rtsp_transport") + 1] == "udp"


def test_the_first_frame_may_take_longer_since_a_decoder_waits_for_a_key_frame(
    program: Callable[[str, str], None],
) -> None:
    """Regression: a stream with a key frame in 10 s was given up every 5 s."""
    program("ffmpeg", """
        if "-version" in sys.argv: sys.exit()
        time.sleep(0.6)
        header()
        frame(1)
        time.sleep(600)
    """)
    items = iter(open_source("rtsp://host/live#timeout=0.2"))
    assert [type(next(items)).__name__ for _ in range(2)] == ["Event", "Sample"]
    stalled = next(items)
    assert isinstance(stalled, Event)
    assert (stalled.kind, "0.2 s" in stalled.detail) == ("stalled", True)


needs_ffmpeg = pytest.mark.skipif(not any(Path(f, "ffmpeg").exists() for f in os.environ["PATH"].split(os.pathsep)),
                                  reason="ffmpeg is not installed")
needs_gstreamer = pytest.mark.skipif(
    subprocess.run("gst-inspect-1.0 y4menc", shell=True, capture_output=True, check=False).returncode != 0,
    reason="GStreamer is not installed",
)

SERVER = """
import http.server, sys, time
picture = {picture!r}
class Stream(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
        self.end_headers()
        for _ in range(100000):
            head = b"--b\\r\\nContent-Type: image/jpeg\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(picture)
            self.wfile.write(head + picture + b"\\r\\n")
            time.sleep(0.01)
    def log_message(self, *words): pass
    def log_request(self, *words): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stream).serve_forever()
"""


def serve(port: int) -> subprocess.Popen[bytes]:
    """A camera that streams JPEG over HTTP from a process of its own."""
    code = SERVER.format(picture=jpeg(1, 64))
    child = subprocess.Popen([sys.executable, "-c", code, str(port)], stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return child
        except OSError:
            assert child.poll() is None
            time.sleep(0.01)


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@needs_ffmpeg
def test_a_server_killed_and_restarted_is_found_again_with_nothing_left_over(tiny_classifier: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    source = open_source(f"http://user:secret@127.0.0.1:{port}/camera#timeout=5")
    assert isinstance(source, Live)
    source.backoff = Backoff(0.02, 0.1)
    events: list[Event] = []
    pipeline = edgekit.Pipeline(tiny_classifier, source)
    pipeline.when_event = events.append
    server = serve(port)
    try:
        with pipeline:
            results = iter(pipeline)
            numbers = [next(results).sequence]
            before = descriptors(), threading.active_count()
            for turn in range(1, 4):
                end(server)
                server = serve(port)
                while pipeline.stats().sources[0].reconnects < turn:
                    next(results)
                numbers.append(next(results).sequence)
                assert (descriptors(), threading.active_count()) == before
    finally:
        end(server)
    assert numbers == sorted(set(numbers))
    assert {"connected", "lost", "retrying"} <= {event.kind for event in events}
    assert not any("secret" in str(event) for event in events)


@needs_ffmpeg
def test_a_server_that_cannot_be_reached_is_told(tiny_classifier: Path) -> None:
    with pytest.raises(DeviceError, match="refused"):
        next(edgekit.run(tiny_classifier, "http://me:secret@127.0.0.1:9/live#wait=0"))


@needs_gstreamer
@pytest.mark.parametrize("size", [(33, 17), (36, 20), (640, 480)])
def test_a_real_pipeline_of_gstreamer(size: tuple[int, int]) -> None:
    """Blue, so that a picture whose rows are shifted is seen. Its rows are filled up in GStreamer's memory."""
    width, height = size
    source = open_source(
        f"gst:videotestsrc num-buffers=3 pattern=blue ! video/x-raw,width={width},height={height}"
    )
    assert isinstance(source, Live)
    items = first(source, 5)
    assert kinds(items) == ["connected", "Sample", "Sample", "Sample", "lost"]
    for item in items[1:4]:
        assert isinstance(item, Sample)
        assert np.asarray(item.data).shape == (height, width, 3)
        assert np.abs(np.asarray(item.data, int) - (255, 0, 0)).max() <= 3
