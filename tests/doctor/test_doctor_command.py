"""The command itself: on a broken install, where a check fails, and what it prints."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edgekit_devices.doctor import cli
from edgekit_devices.doctor.finding import Check, Finding, blocked, note, ok, warning
from edgekit_devices.doctor.register import machine_checks
from edgekit_devices.machine import Machine, Package
from edgekit_devices.machine.commands import exact
from edgekit_devices.machine.user import this_user

HEAVY = {"numpy", "cv2", "ai_edge_litert", "tflite_runtime", "flatbuffers", "onnxruntime", "sounddevice", "serial"}


def test_nothing_heavy_is_imported_for_it() -> None:
    code = (
        "import sys\nfrom edgekit_devices.doctor.cli import doctor_command\nimport edgekit_devices.doctor.trial\n"
        "import edgekit_devices.doctor.outlets\nfrom edgekit_devices.listing.cli import devices_command\n"
        "from edgekit_devices.doctor.register import machine_checks\nassert len(machine_checks()) > 40\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """The environment of an install whose numpy lacks a library, and whose runtime is for another processor."""
    (tmp_path / "numpy.py").write_text("raise ImportError('libopenblas.so.0: cannot open shared object file')\n")
    (tmp_path / "ai_edge_litert.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def edgekit(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgekit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_broken_install_is_told_of(broken: dict[str, str]) -> None:
    done = edgekit("doctor", "--json", environment=broken)
    assert (done.returncode, done.stderr) == (1, "")
    found = {one["check"]: one for one in json.loads(done.stdout)["findings"] if one["level"] == "blocked"}
    assert found["import-numpy"]["mend"] == "sudo apt install libopenblas0"
    assert found["import-ai_edge_litert"]["what"] == "ai-edge-litert crashed (SIGILL) when it was imported"
    assert "pip install --force-reinstall --no-deps ai-edge-litert==" in found["import-ai_edge_litert"]["mend"]


def test_other_commands_point_to_it(broken: dict[str, str]) -> None:
    done = edgekit("run", "model.tflite", "photo.jpg", environment=broken)
    assert done.returncode == 1
    assert "libopenblas.so.0" in done.stderr
    assert "edgekit doctor" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_ctrl_c_ends_it_and_what_it_tries() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent.settimeout(60)
        uri = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"
        code = (
            "import sys\nfrom edgekit.cli import main\nfrom edgekit_devices.doctor import register\n"
            f"register.MODULES = ()\nsys.argv = ['edgekit', 'doctor', '{uri}']\nmain()"
        )
        pipe = subprocess.PIPE
        doctor = subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True)
        with closing(silent.accept()[0]) as connection:  # its child waits for an answer now
            connection.settimeout(60)
            doctor.send_signal(signal.SIGINT)
            out, err = doctor.communicate(timeout=60)
            assert (doctor.returncode, out) == (130, "")
            assert err.endswith("Interrupted.\n")
            while connection.recv(4096):  # ends where the child has
                pass


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts checks that give findings, or raise, in the place of the machine's."""

    def put(*answers: Finding | Exception) -> None:
        def look(answer: Finding | Exception, _machine: Machine) -> Iterator[Finding]:
            if isinstance(answer, Exception):
                raise answer
            yield answer

        monkeypatch.setattr(cli, "machine_checks", lambda: [
            Check(f"check-{at}", "Things", lambda machine, answer=answer: look(answer, machine))  # type: ignore[misc]
            for at, answer in enumerate(answers)
        ])

    return put


def test_a_check_that_fails_is_told_of_and_stops_no_other(
    checks: Callable[..., None], command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    checks(ok("before"), ZeroDivisionError("oh"), ok("behind"))
    assert command("doctor", "--json") == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [one["what"] for one in found] == [
        "before", "the check check-1 failed itself: ZeroDivisionError: oh", "behind",
    ]
    assert command("doctor", "--debug") == 0
    assert "Traceback" in capsys.readouterr().err


def test_findings_for_people(
    checks: Callable[..., None], command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    checks(ok("good"), note("odd", "why"), warning("slow\n  line 2: x", "why", "a --long command"), blocked("dead"))
    assert command("doctor") == 1
    shown = capsys.readouterr().out
    assert "Things\n  ✓ good\n  · odd\n    why\n  ! slow\n      line 2: x\n    why\n      a --long command\n" in shown
    assert shown.endswith("1 blocks, 1 warning, 1 note.\n")


def test_where_nothing_is_wrong(
    checks: Callable[..., None], command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    checks(ok("good"))
    assert command("doctor") == 0
    assert capsys.readouterr().out.endswith("Nothing is wrong.\n")


def test_every_check_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
    names = [check.name for check in machine_checks()]
    missing = [name for name in names if f"`{name}`" not in page and not name.startswith("import-")]
    assert missing == []


def test_commands_for_pip_name_the_python_that_it_is_for(pi: Callable[..., Machine]) -> None:
    machine = pi()
    assert exact(machine, "pip install x && pip uninstall -y y") == (
        "/home/pi/edgekit/bin/python -m pip install x && /home/pi/edgekit/bin/python -m pip uninstall -y y"
    )
    assert exact(machine, "~/edgekit/bin/pip install x") == "~/edgekit/bin/pip install x"
    own = pi(programs={"pip": ""}, python={"executable": str(machine.root / "bin" / "python")})
    assert exact(own, "pip install x") == "pip install x"


def test_the_user_and_groups_of_a_tree(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(f"pi:x:{os.geteuid()}:100::/home/pi:/bin/sh\nbroken\n")
    (tmp_path / "etc/group").write_text(f"mine:x:{os.getegid()}:\nvideo:x:44444:pi,other\nother:x:44445:\nbroken\n")
    user = this_user(tmp_path)
    assert user.name == "pi"
    assert user.session == {"mine"}
    assert user.enrolled == {"video"}
    assert user.known == {"mine", "video", "other"}


def test_a_version_that_is_odd_is_read_as_far_as_it_goes(installed: Callable[..., dict[str, Package]]) -> None:
    package = installed(x="2.3.0rc1+cu12")["x"]
    assert package.numbers == (2, 3, 0)
