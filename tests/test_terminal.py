"""What a command shows beside its output."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edgekit.cli.terminal import CLEAR_LINE, LiveLine, Progress, without_chatter
from edgekit.results import Latency

cv2 = pytest.importorskip("cv2")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_live_line_is_updated_five_times_a_second_at_most_and_becomes_a_summary() -> None:
    now = [0.0]
    terminal = Terminal()
    progress = Progress(terminal, lambda: now[0])
    for _ in range(41):
        now[0] += 1 / 16
        progress.count(Latency(1.0, 2.0, 3.0))
    updates = terminal.getvalue().split(CLEAR_LINE)[1:]
    assert len(updates) == 11
    assert all("\n" not in update for update in updates)
    progress.skipped += 1
    progress.message("skipped a.jpg: the file is empty")
    progress.finish()
    *_, message, summary, end = terminal.getvalue().split(CLEAR_LINE)[-1].split("\n")
    assert message == "skipped a.jpg: the file is empty"
    assert summary.startswith("41 samples, 1 skipped, 16.0 fps, ")
    assert summary.endswith("preprocess 1.00 ms, inference 2.00 ms")
    assert end == ""


def test_nothing_but_messages_goes_to_what_is_no_terminal() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.count(Latency())
    progress.message("Skipped")
    progress.finish()
    assert stream.getvalue() == "Skipped\n"


def test_on_a_real_terminal_the_summary_is_last(tiny_classifier: Path, photos: Path) -> None:
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "edgekit", "run", str(tiny_classifier), str(photos)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, check=True)
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert len(done.stdout.splitlines()) == 3
    assert shown.split(CLEAR_LINE)[-1].startswith("3 samples, ")
    assert "INFO" not in shown


def test_the_rate_does_not_count_the_opening_of_the_model() -> None:
    now = [0.0]
    progress = Progress(io.StringIO(), lambda: now[0])
    now[0] = 100.0
    progress.count(Latency())
    assert "fps" not in progress.figures()
    now[0] = 100.5
    progress.count(Latency())
    assert "2 samples, 2.0 fps" in progress.figures()


def test_a_live_line_may_hurry_and_is_no_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    line = LiveLine(terminal, lambda: 0.0)
    line.show("calibrating")
    line.show("calibrating 2/9")
    line.show("converting with a long name", at_once=True)
    line.clear()
    line.clear()
    assert terminal.getvalue().split(CLEAR_LINE)[1:] == ["calibrating", "converting with a l", ""]


def test_libraries_are_held_back_without_a_place_for_temporary_files(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with without_chatter():
        os.write(2, b"INFO: chatter\nWARNING: heat\n")
    assert capfd.readouterr().err == "WARNING: heat\n"

    def none() -> None:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "TemporaryFile", none)
    with without_chatter():
        os.write(2, b"INFO: chatter\n")
    assert capfd.readouterr().err == "INFO: chatter\n"


def test_long_hints_are_broken_between_words_on_a_terminal() -> None:
    leader, follower = os.openpty()
    variables = {**os.environ, "COLUMNS": "40"}
    program = (
        "import sys; from edgekit.cli import _show; from edgekit.errors import UsageError;"
        "_show(UsageError('no such file: /a-path/that-is-wider/than-the/terminal-is-with-all-its-columns',"
        " hint='Write ' + 'some more words ' * 5 + 'here.\\nSecond line.'))"
    )
    command = [sys.executable, "-c", program]
    subprocess.run(command, stderr=follower, check=True, env=variables)
    os.close(follower)
    shown = os.read(leader, 100_000).decode().splitlines()
    os.close(leader)
    assert "/a-path/that-is-wider/than-the/terminal-is-with-all-its-columns" in shown
    assert shown[-1] == "Second line."
    assert all(len(line) <= 40 for line in shown[2:])
