"""A pipeline as a service: the unit, what systemd is told, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgekit.cli.notify import Notifier

pytest.importorskip("cv2")


@pytest.fixture
def config(tmp_path: Path, tiny_classifier: Path) -> Path:
    folder = tmp_path / "my robot 100%"
    folder.mkdir()
    tiny_classifier.rename(folder / "tiny.tflite")
    path = folder / "door.toml"
    path.write_text(
        'sources = ["test:pattern?size=32x32&fps=100"]\nsinks = ["results/out.jsonl"]\n'
        '[model]\npath = "tiny.tflite"\ndevice = "cpu"\n'
    )
    (folder / "results").mkdir()
    return path


def test_the_unit_names_whole_paths_and_where_it_may_write(
    config: Path, command: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert command("service", config, "--user", "robot") == 0
    lines = capfd.readouterr().out.splitlines()
    assert f'"{config}"'.replace("%", "%%") in next(line for line in lines if line.startswith("ExecStart="))
    assert f'ReadWritePaths="{config.parent}/results"'.replace("%", "%%") in lines
    for line in ("Type=notify", "User=robot", "RestartPreventExitStatus=2", "StateDirectory=edgekit-door"):
        assert line in lines


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(
    config: Path, tmp_path: Path, command: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert command("service", config, "--user", "root") == 0
    unit = tmp_path / "edgekit-door.service"
    unit.write_text(capfd.readouterr().out)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert str(unit) not in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [("flow = 'all'", [], "every"), (None, ["--name", "a b"], "a b"), ("= 3", [], "no TOML")],
)
def test_a_service_that_cannot_be_is_told(
    *, config: Path, command: Callable[..., int], capfd: pytest.CaptureFixture[str], content: str | None,
    arguments: list[str], words: str,
) -> None:
    if content is not None:
        config.write_text(content)
    assert command("service", config, *arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert words in err


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[socket.socket, dict[str, str]]]:
    """The socket that systemd would give, and the environment that names it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(20)
        yield heard, {"NOTIFY_SOCKET": str(tmp_path / "notify")}


def test_systemd_is_told_of_the_start_of_progress_and_of_the_end(
    config: Path, listening: tuple[socket.socket, dict[str, str]]
) -> None:
    heard, told = listening
    environment = {**os.environ, **told, "WATCHDOG_USEC": "40000"}
    with subprocess.Popen(
        [sys.executable, "-m", "edgekit", "run", str(config)], env=environment, stderr=subprocess.PIPE, text=True
    ) as child:
        assert heard.recv(4096) == b"READY=1"
        for _ in range(3):
            message = heard.recv(4096)
            assert message.startswith(b"WATCHDOG=1\nSTATUS=")
            assert b" fps, " in message
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=60)
    while (message := heard.recv(4096)).startswith(b"WATCHDOG"):
        pass
    assert message == b"STOPPING=1"
    assert (child.returncode, err) == (143, "Stopped.\n")
    lines = (config.parent / "results" / "out.jsonl").read_text()
    assert lines.endswith("}\n")


def test_a_pipeline_that_stands_still_feeds_no_watchdog(listening: tuple[socket.socket, dict[str, str]]) -> None:
    heard, told = listening
    now = [0.0]
    notifier = Notifier({**told, "WATCHDOG_USEC": "8000000"}, lambda: now[0])
    notifier.ready()
    now[0] = 100.0
    notifier.progress(lambda: "one result")
    notifier.progress(lambda: "another one at once")
    notifier.stopping()
    messages = [heard.recv(4096) for _ in range(3)]
    assert messages == [b"READY=1", b"WATCHDOG=1\nSTATUS=one result", b"STOPPING=1"]


def test_an_abstract_socket_and_one_that_is_gone(tmp_path: Path) -> None:
    name = f"edgekit-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{name}")
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        heard.settimeout(20)
        assert heard.recv(100) == b"READY=1"
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    Notifier({}).ready()


def test_the_watchdog_of_another_process_is_not_ours(listening: tuple[socket.socket, dict[str, str]]) -> None:
    heard, told = listening
    now = [0.0]
    notifier = Notifier({**told, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, lambda: now[0])
    now[0] = 5.0
    notifier.progress(lambda: "fine")
    assert heard.recv(100) == b"STATUS=fine"
