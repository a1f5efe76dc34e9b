"""Microphones, MQTT brokers, the standard input, and the sine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import pytest

from edgekit.errors import DeviceError, MissingDependencyError, UsageError
from edgekit.metadata.types import Window
from edgekit.sources import Event, Problem, Sample, open_source
from edgekit.windows import Block
from edgekit.windows.opening import open_stream, open_windowed

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def until(items: Iterator[Any], enough: Callable[[Any], bool]) -> list[Any]:
    found = []
    for item in items:
        found.append(item)
        if enough(item):
            return found
    return found


def event(kind: str) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, Event) and item.kind == kind


def is_block(item: Any) -> TypeGuard[Block]:
    return isinstance(item, Block)


@pytest.fixture
def arecord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a script in the place of the program arecord, and takes PortAudio away."""

    def put(script: str) -> None:
        program = tmp_path / "arecord"
        program.write_text(f"#!{sys.executable}\n{script}")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setitem(sys.modules, "sounddevice", None)

    return put


SPEAK = """
import struct, sys, time
rate, channels = int(sys.argv[sys.argv.index("-r") + 1]), int(sys.argv[sys.argv.index("-c") + 1])
for piece in range({pieces}):
    frames = [struct.pack("<h", 16384 - channel) for _ in range(rate // 50) for channel in range(channels)]
    sys.stdout.buffer.write(b"".join(frames))
    sys.stdout.flush()
    time.sleep(0.02)
"""


def test_sound_comes_through_arecord_where_portaudio_is_not_there(arecord: Callable[[str], None]) -> None:
    arecord(SPEAK.format(pieces=1000))
    items: Any = iter(open_stream("mic:?channel=1", rate=8000).blocks())
    assert next(items).detail == "through arecord"
    block = until(items, is_block)[-1]
    assert block.values.shape[1] == 1
    assert block.values[0, 0] == pytest.approx(16383 / 32768)
    np.testing.assert_allclose(np.diff(block.times), 1 / 8000, rtol=0.2)
    items.close()


def test_a_microphone_that_ends_is_waited_for(arecord: Callable[[str], None]) -> None:
    arecord(SPEAK.format(pieces=2))
    items: Any = iter(open_stream("mic:0").blocks())
    assert [item.kind for item in until(items, event("lost")) if isinstance(item, Event)] == ["connected", "lost"]
    assert until(items, event("connected"))[-1].kind == "connected"
    items.close()


def test_no_microphone_is_an_error_in_arecord_s_words(arecord: Callable[[str], None]) -> None:
    arecord("import sys; sys.exit('arecord: main:831: audio open error: No such file or directory')")
    with pytest.raises(DeviceError, match="audio open error: No such file"):
        next(iter(open_stream("mic:9").blocks()))


def test_nothing_to_record_with_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependencyError, match="mic:0 cannot be opened") as caught:
        next(iter(open_stream("mic:0").blocks()))
    assert "libportaudio2" in caught.value.hint


class Broker:
    """A real mosquitto."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self.start()

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        pytest.fail("mosquitto does not start")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def publish(self, *messages: str) -> None:
        from paho.mqtt import publish

        for message in messages:
            publish.single("robot/imu", message, hostname="127.0.0.1", port=self.port)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    pytest.importorskip("paho.mqtt")
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    made = Broker(tmp_path)
    yield made
    made.stop()


def test_messages_of_a_topic_are_samples_and_a_broker_may_restart(broker: Broker) -> None:
    items: Any = iter(open_stream(f"mqtt://user:secret@127.0.0.1:{broker.port}/robot/%23?columns=x,y").blocks())
    first = next(items)
    assert first.kind == "connected"
    assert "secret" not in str(first)
    broker.publish('{"x":1,"y":2}', "garbage", '{"x":3,"y":4}\n{"x":5,"y":6}')
    seen = until(items, lambda item: is_block(item) and len(item.times) == 2)
    found = [row for item in seen if is_block(item) for row in item.values.tolist()]
    assert found == [[1, 2], [3, 4], [5, 6]]
    assert sum(isinstance(item, Problem) for item in seen) == 1
    broker.stop()
    assert until(items, event("lost"))
    broker.start()
    assert until(items, event("recovered"))
    broker.publish('{"x":7,"y":8}')
    assert until(items, is_block)[-1].values.tolist() == [[7, 8]]
    items.close()


def test_a_broker_that_is_not_there_is_an_error() -> None:
    pytest.importorskip("paho.mqtt")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with pytest.raises(DeviceError, match="the broker does not answer"):
            next(iter(open_stream(f"mqtt://127.0.0.1:{probe.getsockname()[1]}/x").blocks()))


def test_the_standard_input_is_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        os.write(writing, b"x,y\n1,2\nbad\n3,4")
        os.close(writing)
        items = list(open_stream("-").blocks())
    assert [item.values.tolist() for item in items if is_block(item)] == [[[1, 2]], [[3, 4]]]
    assert [item.channels for item in items if is_block(item)] == [("x", "y")] * 2
    assert sum(isinstance(item, Problem) for item in items) == 1


@pytest.mark.parametrize("times", [True, False])
def test_a_log_through_a_pipe_gives_the_windows_of_the_file(
    times: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"{at / 5:.1f},{at},{-at}\n" if times else f"{at},{-at}\n" for at in range(4000))
    (tmp_path / "log.csv").write_text(("t,x,y\n" if times else "x,y\n") + rows)
    windows = Window(50, 50, 5.0)
    wanted = list(open_windowed(str(tmp_path / "log.csv"), windows, (50, 2)))
    with (tmp_path / "log.csv").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        source = open_windowed("-", windows, (50, 2))
        assert not source.live  # so that the pipeline waits rather than drops
        found = [item for item in source if isinstance(item, Sample)]
    assert len(found) == len(wanted) == 80
    for item, same in zip(found, wanted, strict=True):
        assert isinstance(same, Sample)
        np.testing.assert_array_equal(item.data, same.data)
        assert item.position == same.position


def test_rows_through_a_pipe_are_none_of_them_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        os.write(writing, b"".join(b"%d,1\n" % at for at in range(500)))
        os.close(writing)
        source = open_source("-")
        assert not source.live
        assert [int(np.asarray(item.data)[0]) for item in source if isinstance(item, Sample)] == list(range(500))


def test_a_live_writer_on_the_standard_input_gets_times_of_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        os.write(writing, b"t,x\n5,1\n5.5,2\n")
        os.close(writing)
        started = time.monotonic()
        [block] = [item for item in open_stream("stdin:?live=yes").blocks() if is_block(item)]
    assert block.times[-1] >= started
    assert np.ptp(block.times) == pytest.approx(0.5)


def test_a_sine_is_the_same_each_time_and_says_what_it_lacks() -> None:
    uri = "test:sine?rate=100&channels=2&frequency=5&noise=0.1&seconds=1&speed=full"
    first, again = ([item for item in open_stream(uri).blocks() if is_block(item)] for _ in range(2))
    values = np.concatenate([item.values for item in first])
    assert values.shape == (100, 2)
    np.testing.assert_array_equal(values, np.concatenate([item.values for item in again]))
    assert np.argmax(np.abs(np.fft.rfft(values[:, 0]))) == 5
    with pytest.raises(UsageError, match="needs an end"):
        open_stream("test:sine?speed=full")


def test_a_live_sine_comes_at_its_rate() -> None:
    started = time.monotonic()
    items = [item for item in open_stream("test:sine?rate=100&seconds=0.1").blocks() if is_block(item)]
    assert sum(len(item.times) for item in items) == 10
    assert items[0].times[0] >= started


def test_portaudio_gives_sound_and_counts_overruns(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        PortAudioError = RuntimeError

        class InputStream:
            active = True

            def __init__(self, **options: Any) -> None:
                self.take, self.options = options["callback"], options

            def start(self) -> None:
                for overflow in (False, True):
                    status = type("Status", (), {"input_overflow": overflow})()
                    self.take(np.full((160, 1), 8192, np.int16), 160, None, status)

            def close(self, ignore_errors: bool) -> None:
                type(self).active = False

    monkeypatch.setitem(sys.modules, "sounddevice", Library)
    items: Any = iter(open_stream("mic:2", rate=16000).blocks())
    assert next(items).detail == "through PortAudio"
    first, second = next(items), next(items)
    assert first.values[0, 0] == 0.25
    assert second.lost == 160
    Library.InputStream.active = False
    assert until(items, event("lost"))
    items.close()


def test_stdin_has_no_name() -> None:
    with pytest.raises(UsageError, match="has no name"):
        open_stream("stdin:file.csv")
