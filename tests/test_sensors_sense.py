"""`edgekit sense`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

Sense = Callable[..., int]


@pytest.fixture
def sense(command: Callable[..., int]) -> Sense:
    return partial(command, "sense")


SINE = "test:sine?channels=2&seconds=1&speed=full"


def test_samples_are_lines_of_json(sense: Sense, capsys: pytest.CaptureFixture[str]) -> None:
    assert sense(SINE, "--limit", 3) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["t"] for line in lines] == [0.0, 0.01, 0.02]
    assert lines[0].keys() == {"t", "c1", "c2"}


def test_a_recording_can_be_read_again(sense: Sense, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sense(SINE, "--record", tmp_path / "log.csv") == 0
    assert sense(tmp_path / "log.csv", "--stats") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["samples"], said["rate"], said["longest_pause"]) == (100, 100, 0.01)
    assert said["channels"]["c1"]["max"] == pytest.approx(1, abs=0.01)
    assert sense(SINE, "--record", tmp_path / "log.csv") == 2
    assert "is there already" in capsys.readouterr().err


def test_a_live_sensor_is_left_when_the_time_is_over(sense: Sense, capsys: pytest.CaptureFixture[str]) -> None:
    assert sense("test:sine", "--seconds", 0.1) == 0
    assert len(capsys.readouterr().out.splitlines()) < 100


def test_bad_lines_are_told_and_make_the_exit_code(
    sense: Sense, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.csv").write_text("x\n1\nno\nnan\n")
    assert sense(tmp_path / "log.csv", "--rate", 1) == 1
    said = capsys.readouterr()
    assert [json.loads(line)["x"] for line in said.out.splitlines()] == [1, None]
    assert "line 3: column x is 'no'" in said.err


def test_mistakes_are_told(sense: Sense, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sense(SINE, "--record", "log.txt") == 2
    assert sense("test:sinus") == 2
    (tmp_path / "log.csv").write_text("x\n")
    assert sense(tmp_path / "log.csv") != 0
    assert "holds no row of numbers" in capsys.readouterr().err
