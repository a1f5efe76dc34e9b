"""`edgekit explain`, as it is called."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.cli import main

cv2 = pytest.importorskip("cv2")

Explain = Callable[..., tuple[int, str, str]]


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Explain:
    """Runs the command and gives its exit code and what it printed on both streams."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["edgekit", "explain", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capfd.readouterr()
        return int(str(caught.value.code)), out, err

    return run


@pytest.fixture
def motion(build: Callable[..., Path]) -> Path:
    """A model of windows of 20 steps and 3 channels, which gives their absolute values."""
    return build("ABS", [("x", (1, 20, 3), "float32")], [("y", (1, 20, 3), "float32")])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Thirty steps of a sensor; something happens on az at step 15."""
    values = np.zeros((30, 3))
    values[15, 2] = 5
    path = tmp_path / "log.csv"
    np.savetxt(path, values, delimiter=",", header="ax,ay,az", comments="")
    return path


def test_a_picture_for_people(tiny_classifier: Path, photos: Path, tmp_path: Path, explain: Explain) -> None:
    code, out, err = explain(tiny_classifier, photos / "1.png", "-o", tmp_path / "why.png", "--baseline", "zero")
    assert (code, err) == (0, "")
    assert out.startswith("score of class 1: ")
    for words in ("Hidden parts", "Deletion", "Insertion", "Faithfulness", "Regions", "Drawn: "):
        assert words in out
    drawn = cv2.imread(str(tmp_path / "why.png"))
    assert drawn.shape[1] > 448
    blue, _, red = (drawn[..., channel].astype(int) for channel in range(3))
    assert (red - blue > 60).sum() > 500  # there is heat on it


def test_as_json(tiny_classifier: Path, photos: Path, explain: Explain) -> None:
    code, out, _ = explain(tiny_classifier, photos, "--sample", 2, "--json", "--seed", 3)
    assert code == 0
    found = json.loads(out)
    assert found["sample"].endswith("2.png")
    assert (found["sequence"], found["kind"], found["index"], found["seed"]) == (2, "picture", 2, 3)
    assert np.array(found["heat"]).shape == (8, 8)
    assert {"deletion", "insertion", "random_deletion", "random_insertion", "gain"} <= set(found["faithfulness"])
    assert found["runs"] > found["masks"]


def test_a_window_of_a_recording(motion: Path, recording: Path, tmp_path: Path, explain: Explain) -> None:
    code, out, _ = explain(motion, recording, "--sample", 5, "--json", "-o", tmp_path / "why.png")
    assert code == 0
    found = json.loads(out)
    assert found["columns"][0]["name"] == "az"
    first, _, last, _ = found["regions"][0]["box"]
    assert first <= 10 < last  # step 15 of the recording
    assert cv2.imread(str(tmp_path / "why.png")).shape[1] > 640


def test_a_row_of_features_with_normal_data(
    numbers: Path, tmp_path: Path, explain: Explain
) -> None:
    rows, normal = tmp_path / "rows.csv", tmp_path / "normal.csv"
    rows.write_text("speed,load,heat\n1,2,3\n4,9,6\n")
    normal.write_text("4,5,6\n4,5,6\n")
    code, out, _ = explain(numbers, rows, "--sample", 1, "--baseline", normal, "-o", tmp_path / "why.png")
    assert code == 0
    features = out.partition("Features")[2].split("\n")
    assert features[2].split()[0] == "load"
    assert "the mean of normal data" in out
    assert (tmp_path / "why.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{model}", "{photos}/none.png"], "no such file"),
        (["{model}", "{photos}", "--sample", "7"], "has no sample 7\nIt has 3, counted from 0."),
        (["{model}", "{photos}/0.png", "-o", "why.txt"], "Let its name end in"),
        (["{model}", "{photos}/0.png", "--baseline", "median"], "--baseline cannot be 'median'"),
        (["{model}", "{photos}/0.png", "--class", "cat"], "no class 'cat'"),
        (["{model}", "{photos}/0.png", "--masks", "3"], "--masks"),
        (["{model}", "{log}", "--sample", "0"], "numbers"),
        (["{motion}", "{log}", "--sample", "15"], "windows of 20 steps"),
    ],
)
def test_mistakes_are_said_with_exit_code_2(
    arguments: list[str], words: str, tiny_classifier: Path, motion: Path, photos: Path, recording: Path,
    explain: Explain,
) -> None:
    places = {"model": tiny_classifier, "motion": motion, "photos": photos, "log": recording}
    code, out, err = explain(*[argument.format(**places) for argument in arguments])
    assert (code, out) == (2, "")
    assert words in err
