"""The robots of examples/, run on a test pattern and on recorded pictures."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit.sources.pattern import open_pattern

cv2 = pytest.importorskip("cv2")
pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")

pytestmark = pytest.mark.convert
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PATTERN = "test:pattern?size=320x240&fps=100"


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / f"robot_{name}.py"))


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The detector of the ball."""
    from edgekit_converters import process, stages

    path = tmp_path_factory.mktemp("ball") / "ball.tflite"
    with pytest.MonkeyPatch.context() as patch:  # as the fixture in_process, for the whole module
        patch.setattr(process, "run", lambda job, report, **_others: stages.carry_out(job, report))
        example("ball_finder")["main"](path)
    yield path


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Runs an example with arguments, and gives the lines that it prints."""

    def run(name: str, *arguments: object) -> list[str]:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        example(name)["main"]()
        return capsys.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize("number", [0, 40, 97])
def test_the_ball_is_where_the_pattern_has_it(ball: Path, number: int) -> None:
    pattern = open_pattern(PATTERN)
    result = edgekit.load(ball)(pattern.picture(number), channels="bgr")
    column, row, radius = pattern.ball(number)
    found = result.best("ball", 0.5)
    assert isinstance(found, edgekit.results.DetectedObject)
    assert abs(found.center[0] - column) <= radius / 2
    assert abs(found.center[1] - row) <= radius / 2
    assert isinstance(result, edgekit.results.Detection)
    assert len(result.objects) == 1


def test_follow(ball: Path, robot: Callable[..., list[str]]) -> None:
    assert len(robot("follow", ball, PATTERN, "--limit", 5)) == 5
    steer, model, pattern = example("follow")["steer"], edgekit.load(ball), open_pattern(PATTERN)
    left, right = steer(model(pattern.picture(0), channels="bgr"))
    assert pattern.ball(0)[0] < pattern.width / 2
    assert left < right  # the ball is on the left, and so it turns that way
    assert steer(model(np.zeros((240, 320, 3), np.uint8))) == (0.0, 0.0)


def test_stop(ball: Path, robot: Callable[..., list[str]]) -> None:
    decided = robot("stop", ball, PATTERN, "ball", "--limit", 5)
    assert len(decided) == 5
    assert {line.split()[0] for line in decided} == {"stop:"}  # nothing is known yet, or the ball is seen
    decide, model = example("stop")["decide"], edgekit.load(ball)
    assert decide(None, "ball") == "stop: nothing is known of what is ahead"
    assert decide(model(open_pattern(PATTERN).picture(3), channels="bgr"), "ball").startswith("stop: ball 0.")
    assert decide(model(np.zeros((240, 320, 3), np.uint8)), "ball") == "go"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """The ball on its way: to the right wall, and back over the middle."""
    pattern, path = open_pattern(PATTERN), tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 30, (320, 240))
    for number in range(120):
        writer.write(pattern.picture(number))
    writer.release()
    return path


def test_count(ball: Path, film: Path, robot: Callable[..., list[str]]) -> None:
    assert robot("count", ball, film) == ["rightwards 1  leftwards 0", "rightwards 1  leftwards 1"]


def test_pick(tiny_classifier: Path, tmp_path: Path, robot: Callable[..., list[str]]) -> None:
    """The tiny classifier names pictures 0 to 9: a thing is seen in three of them, and nothing in between."""
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(["red", "blue", *[f"other {number}" for number in range(8)]]))
    folder = tmp_path / "things"
    folder.mkdir()
    for at, kind in enumerate([0, 0, 0, 5, 5, 1, 1, 0, 0]):
        pixels = np.where(np.arange(64) % 10 == kind, 255, 0).astype(np.uint8).reshape(8, 8)
        assert cv2.imwrite(str(folder / f"{at}.png"), pixels)
    picks = example("pick")["picks"]
    results = edgekit.run(tiny_classifier, folder, labels=labels, task="classification")
    assert list(picks(results, {"red": "left", "blue": "right"}, 0.0)) == [
        ("red", "left"), ("blue", "right"), ("red", "left"),
    ]
    assert robot("pick", tiny_classifier, folder, "red=left", "--hold", "0") == []  # no labels, nothing to pick


def test_two_cameras(ball: Path, robot: Callable[..., list[str]]) -> None:
    said = robot("two_cameras", ball, PATTERN, f"{PATTERN}&frames=1", "--limit", 6)
    assert len(said) == 6 + 2
    assert said[-1].startswith(f"{PATTERN}&frames=1: 1 results")
