"""Results to an MQTT broker: Mosquitto, started here on a free port."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import MissingDependencyError, MissingFileError, OutputError, Result, UsageError
from edgekit.mqtt import parse_broker
from edgekit.results import Classification, Detection, Latency, ScoredClass, Values
from edgekit.sinks import EventSink, SinkCounts, open_sink
from edgekit.sinks.mqtt import MqttSink, default_spool
from edgekit.sinks.mqtt.discovery import discovery
from edgekit.sources.live import Backoff
from edgekit.sources.types import Event
from edgekit.spool import Spool

paho = pytest.importorskip("paho.mqtt.client", reason="needs the mqtt extra: pip install 'edgekit-sdk[mqtt]'")
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/sbin")
needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto")

COMMON: dict[str, Any] = {"device": "cpu", "latency": Latency(1, 2, 3)}
SOON = Backoff(first=0.02, most=0.1)

# Writes results without end, and prints the number of each that is written. Connects again soon, as no user would wait.
DRIVER = """
import itertools, sys, time
from edgekit.results import Latency, Result
from edgekit.sinks import SinkCounts, open_sink
from edgekit.sources import live
live.Backoff.__init__.__defaults__ = (0.05, 0.2, 0.25)
sink = open_sink(sys.argv[1])
for number in itertools.count(int(sys.argv[2])):
    sink.write(Result(task="t", device="cpu", latency=Latency(), sequence=number))
    print(number, flush=True)
    time.sleep(float(sys.argv[3]))
"""


class Broker:
    """A broker that can be stopped and started; sessions outlast that."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\npersistence true\npersistence_location {folder}/\n"
            f"user root\nmax_queued_messages 0\n{self.access(folder)}\n"
        )
        self.start()

    def access(self, _folder: Path) -> str:
        return "allow_anonymous true"

    def start(self) -> None:
        assert MOSQUITTO
        self._process = subprocess.Popen([MOSQUITTO, "-c", self._config], stderr=subprocess.DEVNULL)
        wait_for(self._answers)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Listener:
    """A subscriber whose session the broker keeps."""

    def __init__(self, port: int, *topics: str) -> None:
        self.messages: list[tuple[str, str]] = []
        self._ready = threading.Event()
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False, protocol=paho.MQTTv311
        )
        self._client.reconnect_delay_set(0.05, 0.2)
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _client, _data, message: self._take(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(10)

    def _take(self, message: Any) -> None:
        """Keep a message, but for what the broker sends again, and marks, since it was stopped before it knew."""
        found = message.topic, message.payload.decode()
        if not (message.dup and found in self.messages):
            self.messages.append(found)

    def on(self, topic: str) -> list[str]:
        return [payload for name, payload in list(self.messages) if name == topic]

    def results(self, topic: str = "cam") -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.on(topic)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def wait_for(condition: Callable[[], bool]) -> None:
    late = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < late, "it did not happen"
        time.sleep(0.005)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as started:
        yield started


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    listening = Listener(broker.port, "cam", "cam/status", "cam/events", "homeassistant/#")
    yield listening
    listening.close()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def result(sequence: int = 0) -> Result:
    return Result(task="t", sequence=sequence, **COMMON)


class Driver:
    """A process that writes results until it is killed."""

    def __init__(self, port: int, first: int, pause: float) -> None:
        self.written = first - 1
        self._process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, f"mqtt://127.0.0.1:{port}/cam", str(first), str(pause)],
            stdout=subprocess.PIPE, text=True,
        )
        self._reader = threading.Thread(target=self._count, daemon=True)
        self._reader.start()

    def _count(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.written = int(line)

    def kill(self) -> int:
        """SIGKILL; returns the last number known to be written. The one after it may be."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        return self.written


@pytest.fixture
def drive(broker: Broker) -> Iterator[Callable[[int, float], Driver]]:
    """Starts a process that writes results from a number on, with a pause between them."""
    drivers: list[Driver] = []

    def start(first: int, pause: float) -> Driver:
        drivers.append(Driver(broker.port, first, pause))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.kill()


@needs_broker
def test_results_arrive_and_the_status_tells_who_is_there(broker: Broker, listener: Listener) -> None:
    sink = open_sink(f"mqtt://127.0.0.1:{broker.port}/cam")
    for number in range(50):
        sink.write(result(number))
    sink.close()
    wait_for(lambda: len(listener.on("cam/status")) == 2)
    found = listener.results()
    assert [entry["sequence"] for entry in found] == list(range(50))
    assert len({entry["message_id"] for entry in found}) == 50
    assert not any("duplicate" in entry for entry in found)
    assert listener.on("cam/status") == ["online", "offline"]


@needs_broker
def test_events_go_to_a_topic_of_their_own_where_they_are_asked_for(broker: Broker, listener: Listener) -> None:
    sink = open_sink(f"mqtt://127.0.0.1:{broker.port}/cam?events=yes")
    assert isinstance(sink, EventSink)
    sink.event(Event("npu", "hung", "did not answer within 10 s", 1.5))
    sink.write(result())
    sink.close()
    wait_for(lambda: len(listener.on("cam/status")) == 2)
    [event] = listener.results("cam/events")
    assert event == {"event": "hung", "source": "npu", "detail": "did not answer within 10 s", "captured": 1.5}
    assert len(listener.results()) == 1
    silent = open_sink(f"mqtt://127.0.0.1:{broker.port}/other")
    assert not isinstance(silent, EventSink)
    silent.close()


@needs_broker
def test_an_outage_and_killed_processes_lose_nothing(
    broker: Broker, listener: Listener, drive: Callable[[int, float], Driver]
) -> None:
    """In order, none twice without its mark; the broker away while a process is killed, and killed while it is back."""
    first = drive(0, 0.01)
    wait_for(lambda: len(listener.on("cam")) >= 20)
    broker.stop()
    there = first.written
    wait_for(lambda: first.written >= there + 20)
    unsure = [first.kill() + 1]
    second = drive(unsure[0] + 1, 0.001)
    wait_for(lambda: second.written >= unsure[0] + 50)
    broker.start()
    wait_for(lambda: len(listener.on("cam")) >= unsure[0] + 50)
    unsure.append(second.kill() + 1)  # with messages on their way
    wait_for(lambda: "offline" in listener.on("cam/status")[1:])  # the last will
    third = open_sink(f"mqtt://127.0.0.1:{broker.port}/cam")
    third.write(result(unsure[1] + 1))
    wait_for(lambda: listener.results()[-1]["sequence"] == unsure[1] + 1)
    third.close()
    check(listener.results(), last=unsure[1] + 1, unsure=unsure)


def check(found: list[dict[str, Any]], last: int, unsure: list[int]) -> None:
    seen: list[int] = []
    for entry in found:
        if entry["sequence"] in seen:
            assert entry.get("duplicate"), f"{entry['sequence']} came twice without a mark"
        else:
            seen.append(entry["sequence"])
    assert seen == sorted(seen)
    assert set(range(last + 1)) - set(seen) <= set(unsure)


@needs_broker
def test_a_broker_that_comes_later_gets_everything(broker: Broker, listener: Listener, tmp_path: Path) -> None:
    broker.stop()
    events: list[Event] = []
    uri = f"mqtt://127.0.0.1:{broker.port}/cam"
    sink = MqttSink(parse_broker(uri), Spool(tmp_path / "spool"), backoff=SOON, on_event=events.append)
    for number in range(10):
        sink.write(result(number))
    wait_for(lambda: bool(events))
    broker.start()
    wait_for(lambda: sink.counts().pending == 0 and len(listener.on("cam")) == 10)
    sink.close()
    assert [event.kind for event in events][-1] == "recovered"
    assert not any("duplicate" in entry for entry in listener.results())  # never sent before: no mark


def test_what_is_not_sent_stays_for_the_next_run_and_is_told_of(tmp_path: Path) -> None:
    events: list[Event] = []
    spool = tmp_path / "spool"
    sink = open_sink(f"mqtt://ann:cret@127.0.0.1:9/cam?spool={spool}&messages=3")
    assert isinstance(sink, MqttSink)
    sink.on_event = events.append
    for number in range(5):
        sink.write(result(number))
    assert sink.counts() == SinkCounts(pending=3, dropped=2, refused=0)
    sink.close()
    assert events[-1].kind == "kept"
    assert "3 results are kept" in events[-1].detail
    assert not any("cret" in str(event) for event in events)
    kept = Spool(spool)
    assert [json.loads(entry.message)["sequence"] for entry in iter(kept.take, None)] == [2, 3, 4]


def test_two_sinks_of_one_topic_need_a_spool_each() -> None:
    sink = open_sink("mqtt://127.0.0.1:9/cam")
    with pytest.raises(UsageError, match="in use by process") as caught:
        open_sink("mqtt://127.0.0.1:9/cam")
    assert "spool=" in caught.value.hint
    sink.close()


def test_a_full_disk_costs_results_and_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    sink = open_sink(f"mqtt://127.0.0.1:9/cam?spool={tmp_path / 'spool'}")
    assert isinstance(sink, MqttSink)
    sink.on_event = events.append

    def full(_self: Spool, _message: bytes) -> int:
        raise OutputError("the spool cannot be used: No space left on device")

    monkeypatch.setattr(Spool, "append", full)
    sink.write(result())
    sink.write(result())
    assert sink.counts().refused == 2
    assert [event.kind for event in events].count("refused") == 1
    sink.close()


@needs_broker
def test_a_user_and_password_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Guarded(Broker):
        def access(self, folder: Path) -> str:
            tool = shutil.which("mosquitto_passwd")
            if tool is None:
                pytest.skip("needs mosquitto_passwd")
            subprocess.run([tool, "-b", "-c", folder / "passwords", "ann", "se:cret"], check=True)
            return f"password_file {folder / 'passwords'}"

    events: list[Event] = []
    with Guarded(tmp_path) as broker:
        uri = f"mqtt://127.0.0.1:{broker.port}/cam"
        sink = MqttSink(parse_broker(uri), Spool(tmp_path / "spool"), backoff=SOON, on_event=events.append)
        sink.write(result())
        wait_for(lambda: any("Not authorized" in event.detail for event in events))
        sink.close()
        monkeypatch.setenv("EDGEKIT_MQTT_USER", "ann")
        monkeypatch.setenv("EDGEKIT_MQTT_PASSWORD", "se:cret")
        again = MqttSink(parse_broker(uri), Spool(tmp_path / "spool"), backoff=SOON, on_event=events.append)
        wait_for(lambda: again.counts().pending == 0)
        again.close()
    assert not any("cret" in str(event) for event in events)


@needs_broker
def test_an_encrypted_connection_is_checked_against_the_certificates_given(tmp_path: Path) -> None:
    class Encrypted(Broker):
        def access(self, folder: Path) -> str:
            tool = shutil.which("openssl")
            if tool is None:
                pytest.skip("needs openssl")
            subprocess.run(
                [tool, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
                 "-out", folder / "certificate.pem"],
                check=True, capture_output=True,
            )
            certificate = folder / "certificate.pem"
            return f"allow_anonymous true\ncertfile {certificate}\nkeyfile {folder / 'key.pem'}"

    events: list[Event] = []
    with Encrypted(tmp_path) as broker:
        uri = f"mqtts://127.0.0.1:{broker.port}/cam"
        stranger = MqttSink(parse_broker(uri), Spool(tmp_path / "spool"), backoff=SOON, on_event=events.append)
        for number in range(100):
            stranger.write(result(number))
        wait_for(lambda: any("certificate verify failed" in event.detail for event in events))
        stranger.close()
        trusted = open_sink(f"{uri}?ca={tmp_path / 'certificate.pem'}&spool={tmp_path / 'spool'}")
        assert isinstance(trusted, MqttSink)
        wait_for(lambda: trusted.counts().pending == 0)
        trusted.close()


@needs_broker
def test_home_assistant_finds_what_the_results_hold(broker: Broker, listener: Listener) -> None:
    sink = open_sink(f"mqtt://127.0.0.1:{broker.port}/cam?discovery=homeassistant")
    sink.write(Classification(task="classification", classes=(ScoredClass(3, "cat", 0.9),), **COMMON))
    wait_for(lambda: len(listener.on("homeassistant/sensor/cam/label/config")) == 1)
    sink.close()
    about = json.loads(listener.on("homeassistant/sensor/cam/label/config")[0])
    assert about["state_topic"] == "cam"
    assert about["availability_topic"] == "cam/status"
    assert about["unique_id"] == "edgekit_cam_label"


@pytest.mark.parametrize(
    ("found", "label"),
    [
        (Classification(task="t", classes=(ScoredClass(3, "", 0.5),), **COMMON), "3"),
        (Detection(task="t", objects=(), width=1, height=1, **COMMON), "none"),
    ],
)
def test_its_templates_give_what_the_results_say(found: Result, label: str) -> None:
    jinja = pytest.importorskip("jinja2", reason="renders the templates as Home Assistant does")
    configs = {topic.split("/")[-2]: json.loads(about) for topic, about in discovery(found, "a/b", "a/b/status")}
    rendered = {
        name: jinja.Template(about["value_template"]).render(value_json=json.loads(found.to_json()))
        for name, about in configs.items()
    }
    assert rendered["label"] == label
    assert rendered["inference"] == "2"


def test_tasks_without_values_of_their_own_still_have_times() -> None:
    found = Values(task="values", values={"y": np.zeros(1, np.float32)}, **COMMON)
    names = [topic for topic, _ in discovery(found, "t", "s")]
    assert names == ["homeassistant/sensor/t/inference/config", "homeassistant/sensor/t/age/config"]


def test_a_missing_library_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    with pytest.raises(MissingDependencyError, match="paho-mqtt") as caught:
        open_sink("mqtt://host/topic")
    assert "edgekit-sdk[mqtt]" in caught.value.hint


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("mqtt://", "names no broker"),
        ("mqtt://host", "names no topic"),
        ("mqtt://host:x/t", "the port has to be"),
        ("mqtt://host/a/%23", r"with \+ or #"),
        ("mqtt://host/t?disco=x", "no option disco"),
        ("mqtt://host/t?discovery=domoticz", "discovery cannot be 'domoticz'"),
        ("mqtt://host/t?messages=none", "messages has to be a number"),
        ("mqtt://u:cret@host/t?ca=" + __file__, "has ca= and no TLS"),
    ],
)
def test_uris_that_cannot_be(uri: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        open_sink(uri)
    assert "cret" not in str(caught.value)


def test_certificates_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="absent"):
        open_sink("mqtts://host/t?ca=absent.pem")
    assert parse_broker("mqtts://host/t").port == 8883


def test_each_broker_and_topic_has_a_spool_of_its_own(state: Path) -> None:
    folders = {
        default_spool(parse_broker(uri)) for uri in ("mqtt://h/a/b", "mqtt://h/a-b", "mqtt://h:1/a/b", "mqtt://u:p@h/a/b")
    }
    assert len(folders) == 3
    assert all(folder.is_relative_to(state) for folder in folders)


