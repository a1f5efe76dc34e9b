"""`edgekit doctor MODEL SOURCE ...`: each part is tried for real, in child processes."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from edgekit import metadata
from edgekit.metadata import Metadata
from edgekit_devices.doctor import register
from edgekit_devices.doctor.checks.model import model_findings
from edgekit_devices.doctor.checks.sources import source_findings
from edgekit_devices.doctor.failures import failure
from edgekit_devices.doctor.finding import Finding
from edgekit_devices.isolation import CrashedError, HungError
from edgekit_devices.machine import Machine

Doctor = Callable[..., list[dict[str, str]]]
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@pytest.fixture
def doctor(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Doctor:
    """Runs the command without the checks of the machine, and gives its findings; the exit code has to fit them."""
    monkeypatch.setattr(register, "MODULES", ())

    def run(*arguments: object) -> list[dict[str, str]]:
        code = command("doctor", *arguments, "--json")
        said: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert code == int(said["level"] == "blocked")
        found: list[dict[str, str]] = said["findings"]
        return found

    return run


def of(found: list[dict[str, str]], check: str, level: str) -> dict[str, str]:
    return next(one for one in found if one["check"] == check and one["level"] == level)


@pytest.fixture
def server() -> Iterator[int]:
    """A port on which somebody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def test_a_model_its_sources_and_sinks_that_all_work(
    doctor: Doctor, tiny_classifier: Path, photos: Path, tmp_path: Path, server: int,
    describe: Callable[[Path, Metadata], None], said: Metadata,
) -> None:
    describe(tiny_classifier, said)
    sink, hook = tmp_path / "results.jsonl", f"http://127.0.0.1:{server}/hook"
    found = doctor(tiny_classifier, photos, "-", "--sink", sink, "--sink", hook, "--serve", "127.0.0.1:0")
    assert [one for one in found if one["level"] in ("warning", "blocked")] == []
    model = of(found, "model", "ok")["what"]
    assert "tiny.tflite: classification on cpu" in model
    assert "its checksum fits" in model
    source = of(found, "source", "ok")["what"]
    assert "8 x 8 pixels" in source
    assert "the model makes classification of it" in source
    assert "standard input" in of(found, "source", "note")["what"]
    assert [one["what"] for one in found if one["check"] == "sink"] == [
        f"{sink}: {tmp_path} can be written to", f"{hook}: the server takes connections",
    ]
    assert of(found, "serve", "ok")
    assert not sink.exists()  # nothing was written
    # Converted for a target that is not here.
    assert "edgekit compile" in of(found, "model", "note")["mend"]


def test_a_model_that_is_not_there_and_sinks_out_of_reach(doctor: Doctor, tmp_path: Path, server: int) -> None:
    missing = tmp_path / "none.tflite"
    found = doctor(
        missing, "test:pattern", "--sink", tmp_path / "no" / "x.jsonl", "--sink", "mqtt://user:secret@127.0.0.1:1/x",
        "--serve", f"127.0.0.1:{server}",
    )
    assert "no such file" in of(found, "model", "blocked")["what"]
    assert "640 x 480 pixels" in of(found, "source", "ok")["what"]  # what can be tried still is
    folder, broker = [one for one in found if one["check"] == "sink"]
    assert folder["mend"]
    assert "no broker answers: Connection refused" in broker["what"]
    assert "secret" not in json.dumps(found)
    assert f"sport = :{server}" in of(found, "serve", "blocked")["mend"]


def test_a_compiled_model_without_an_edge_tpu(
    doctor: Doctor, build: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_LIBEDGETPU", "/nowhere/libedgetpu.so.1")
    path = build("CUSTOM", [("x", (1, 3), "int8", 1)], [("y", (1, 3), "int8", 1)], code="edgetpu-custom-op")
    assert "no Edge TPU runtime" in of(doctor(path), "model", "blocked")["what"]
    assert "--device coral" in of(doctor(path, "--device", "cpu"), "model", "blocked")["mend"]


def test_a_delegate_with_its_options(
    doctor: Doctor, chain: Callable[..., Path], delegate_library: Path, tmp_path: Path
) -> None:
    model, device, rows = chain("ABS", "NEG"), f"delegate:{delegate_library}", tmp_path / "rows.csv"
    rows.write_text("1,2,3\n")
    found = doctor(model, rows, "--device", device, "--device-option", "take=NEG")
    partial = [one for one in found if "1 ABS to the processor" in one["what"]]
    assert [one["check"] for one in partial] == ["model"], "the source's check does not tell it again"
    assert of(found, "source", "ok")
    found = doctor(model, "--device", device, "--device-option", "create=fail")
    assert "makes no delegate: no accelerator attached" in of(found, "model", "blocked")["what"]


def test_another_device_than_that_of_a_pipeline_s_file_gets_none_of_its_options(
    doctor: Doctor, chain: Callable[..., Path], delegate_library: Path, tmp_path: Path
) -> None:
    file, model = tmp_path / "pipeline.toml", chain("ABS", "NEG").name
    device = f'device = "delegate:{delegate_library}"\ndevice_options = {{take = "NEG"}}\n'
    file.write_text(f'sources = ["-"]\n[model]\npath = "{model}"\n{device}')
    assert of(doctor(file, "--device", "cpu"), "model", "ok")
    blocked = of(doctor(file, "--device-option", "take=none"), "model", "blocked")
    assert "takes none of the model's 2 operations" in blocked["what"]


def test_a_damaged_copy_of_a_model(doctor: Doctor, tiny_bytes: bytes, said: Metadata, tmp_path: Path) -> None:
    content = bytearray(metadata.write(tiny_bytes, said))
    content[content.index(b"MLIR") if b"MLIR" in content else 1000] ^= 1
    path = tmp_path / "damaged.tflite"
    path.write_bytes(content)
    assert "checksum" in of(doctor(path), "model", "blocked")["what"]


def test_a_pipeline_s_file(doctor: Doctor, tiny_classifier: Path, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.toml"
    file.write_text('sources = ["test:pattern"]\nflow = "fast"\n[model]\npath = "tiny.tflite"\n')
    assert "line 2: flow cannot be 'fast'" in of(doctor(file), "pipeline-file", "blocked")["what"]
    file.write_text('sources = ["none.jpg"]\nsinks = ["out.csv"]\nserve = "0"\n[models.a]\npath = "tiny.tflite"\n')
    found = doctor(file)
    assert of(found, "model:a", "ok")
    assert "no checksum" in of(found, "model:a", "note")["what"]
    assert "no such file" in of(found, "source", "blocked")["what"]
    assert of(found, "sink", "ok")
    assert of(found, "serve", "ok")


def test_a_source_alone(doctor: Doctor) -> None:
    found = doctor("camera:77")
    assert [one["check"] for one in found] == ["source"]
    assert "there is no camera /dev/video77" in found[0]["what"]


def test_what_cannot_be_meant(command: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command("doctor", "--device", "cpu") == 2
    assert "--device is about a model" in capsys.readouterr().err
    assert command("doctor", "camera:0", "--device-option", "a=b") == 2
    assert "--device-option is about a model" in capsys.readouterr().err
    assert command("doctor", "model.tflite", "--device-option", "a") == 2
    assert "has no value" in capsys.readouterr().err
    assert command("doctor", tmp_path / "pipeline.toml", "camera:0") == 2
    assert "Say it in the file" in capsys.readouterr().err


@pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto")
def test_a_broker_that_answers(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_STATE", str(tmp_path))
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    broker = subprocess.Popen([str(MOSQUITTO), "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        late = time.monotonic() + 10
        while time.monotonic() < late:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
        found = doctor("--sink", f"mqtt://127.0.0.1:{port}/door")
    finally:
        broker.terminate()
        broker.wait()
    assert of(found, "sink", "ok")["what"].endswith("the broker accepts the connection")


# What is seen of a source and a model, by what was seen


@pytest.fixture
def seen() -> Callable[..., dict[str, Any]]:
    """What a try of a live source gives."""

    def make(**changes: Any) -> dict[str, Any]:
        return {
            "first": 0.4, "problems": [], "events": [], "live": True, "what": "640 x 480 pixels", "fps": 30.0,
            "age": 0.02, "lost": 0, "alike": False, "dark": False, "apart": 0.0, "ran": "", "warnings": [], **changes,
        }

    return make


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dark": True}, "the picture is black"),
        ({"alike": True}, "to the last bit"),
        ({"age": 3.2}, "3.2 s old"),
        ({"lost": 7}, "7 samples were lost"),
        ({"apart": 0.5}, "0.50 s apart"),
        ({"problems": ["i2c:1: Remote I/O error"]}, "Remote I/O error"),
        ({"warnings": ["the network is slow"]}, "the network is slow"),
    ],
)
def test_what_is_wrong_with_samples(
    pi: Callable[..., Machine], seen: Callable[..., dict[str, Any]], changes: dict[str, Any], words: str
) -> None:
    good, bad = source_findings("camera:0", seen(**changes), pi())
    assert (good.level, bad.level) == ("ok", "warning")
    assert words in bad.what


def test_a_source_that_gives_nothing(pi: Callable[..., Machine], seen: Callable[..., dict[str, Any]]) -> None:
    told = ["i2c:1: lost (Remote I/O error)", "i2c:1: retrying (in 2.0 s)"]
    (found,) = source_findings("i2c:1", seen(first=None, events=told), pi())
    assert found.what == "i2c:1: it was opened, and gives no sample: lost (Remote I/O error)"
    assert "errno 121" in found.why
    assert "i2cdetect" in found.mend


@pytest.fixture
def tried() -> Callable[..., dict[str, Any]]:
    """What a try of a model gives."""

    def make(**changes: Any) -> dict[str, Any]:
        return {
            "task": "detection", "device": "cpu", "reason": "", "inputs": 1, "opened": 30.0, "first": 5.0,
            "median": 4.0, "origin": "edgekit", "said_task": "detection", "target": "cpu", "warnings": [], **changes,
        }

    return make


def levels(findings: Iterator[Finding]) -> list[str]:
    return [finding.level for finding in findings]


def test_what_is_worth_knowing_of_a_model(
    pi: Callable[..., Machine], tried: Callable[..., dict[str, Any]]
) -> None:
    assert levels(model_findings("m.tflite", tried(), pi())) == ["ok"]
    for changes in ({"said_task": ""}, {"target": "jetson"}, {"first": 3000.0}, {"origin": "none"}):
        assert levels(model_findings("m.tflite", tried(**changes), pi())) == ["ok", "note"]
    slow = "m.tflite: 2 threads compute CONV_2D without XNNPACK"
    assert levels(model_findings("m.tflite", tried(warnings=[slow]), pi())) == ["ok", "warning"]
    jetson = pi({"etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1"})
    assert levels(model_findings("m.tflite", tried(target="jetson"), jetson)) == ["ok"]


def test_processes_that_die_or_hang_while_they_try() -> None:
    died = failure("m.tflite", CrashedError("the model was opened", "crashed (SIGSEGV)", ""))
    assert died.what == "m.tflite: the process that tried it crashed (SIGSEGV) while the model was opened"
    assert "wrong build" in died.why
    assert "does not answer" in failure("camera:0", HungError("", "did not answer within 30 s", "")).why
    lacking = CrashedError("", "ended with exit code 1", "ModuleNotFoundError: No module named 'x'")
    assert failure("m.tflite", lacking).mend.startswith("edgekit doctor")
