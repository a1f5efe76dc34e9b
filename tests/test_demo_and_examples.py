"""What a newcomer runs first: the demo, and the 20-feature classifier."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")

pytestmark = pytest.mark.convert

ROOT = Path(__file__).parents[1]


def test_demo_trains_converts_evaluates_and_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "demo", "--json"], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    facts = json.loads(done.stdout)
    assert facts["scores"]["pictures"] == 597
    assert facts["scores"]["float_accuracy"] > 0.9
    assert abs(facts["scores"]["int8_accuracy"] - facts["scores"]["float_accuracy"]) < 0.01
    assert "Traceback" not in done.stderr
    run = subprocess.run(
        [sys.executable, "-m", "edgekit", "run", "edgekit-demo/digits.tflite", "edgekit-demo/held-back/3"],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )
    best = [json.loads(line)["classes"][0]["label"] for line in run.stdout.splitlines()]
    assert best.count("3") > 0.8 * len(best)


def test_demo_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "edgekit", "demo", "--output", "file/demo"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "cannot write file/demo" in done.stderr


def test_tabular_classifier_example(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples/tabular_classifier.py", "out"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )
    assert done.returncode == 0, done.stderr
    float_line, int8_line = (
        next(line for line in done.stdout.splitlines() if line.startswith(start))
        for start in ("float model", "int8 model")
    )
    percent = [float(line.split(":")[1].split("%")[0]) for line in (float_line, int8_line)]
    assert percent[0] > 80
    assert abs(percent[0] - percent[1]) < 1.5
    assert "edgekit run: 500 results" in done.stdout
