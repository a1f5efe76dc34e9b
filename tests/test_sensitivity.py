"""Which operations and layers of a model lose most by being quantized."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from edgekit.cli import main
from edgekit_converters.accuracy.sensitivity.asking import sensitivity_of
from edgekit_converters.accuracy.sensitivity.chart import draw, table
from edgekit_converters.accuracy.sensitivity.results import OperationCost, Sensitivity

keras = pytest.importorskip("keras", reason="needs the convert extra")
pytest.importorskip("edgekit_converters.stages", reason="needs the convert extra")
L = keras.layers
SVG = "{http://www.w3.org/2000/svg}"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def model() -> Any:
    """A network of pictures, of whose convolutions the one in the middle gives channels of very different sizes."""
    keras.utils.set_random_seed(0)
    inner = keras.Sequential([keras.Input((6, 6, 6)), L.Conv2D(8, 3, name="uneven")], name="block")
    made = keras.Sequential([
        keras.Input((8, 8, 2), name="picture"), L.Conv2D(6, 3, name="first"), L.BatchNormalization(), L.ReLU(), inner,
        L.Conv2D(4, 1, activation="relu", name="last"), L.GlobalAveragePooling2D(name="mean"),
        L.Dense(3, name="scores"),
    ])
    scales = np.exp2(np.linspace(-5, 5, 8)).astype(np.float32)
    uneven, last = inner.get_layer("uneven"), made.get_layer("last")
    uneven.set_weights([uneven.get_weights()[0] * scales, uneven.get_weights()[1]])
    last.set_weights([last.get_weights()[0] / scales[:, None], last.get_weights()[1]])
    return made


@pytest.fixture(scope="module")
def samples() -> Any:
    return np.random.default_rng(0).normal(size=(12, 8, 8, 2)).astype(np.float32)


@pytest.fixture
def ask(in_process: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs `edgekit sensitivity`: exit code, and what it printed; TensorFlow's own lines are the child's matter."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["edgekit", "sensitivity", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        kept = (line for line in out.splitlines() if not line.startswith("fully_quantize"))
        return int(str(ended.value.code)), "\n".join(kept), err

    return run


@pytest.fixture(scope="module")
def found(model: Any, samples: Any) -> Sensitivity:
    with pytest.MonkeyPatch.context() as patch:
        from edgekit_converters import process

        patch.setattr(process, "run", lambda job, report, **_others: job.carry_out(report))
        return sensitivity_of(model, samples, calibrator="minmax")


def test_each_operation_is_named_by_its_layer(found: Sensitivity) -> None:
    named = [(cost.type, cost.layer, cost.kind) for cost in found.operations]
    assert named[:3] == [
        ("CONV_2D", "first", "Conv2D"), ("CONV_2D", "block/uneven", "Conv2D"), ("CONV_2D", "last", "Conv2D"),
    ]
    assert ("MEAN", "mean", "GlobalAveragePooling2D") in named
    assert named[-1] == ("FULLY_CONNECTED", "scores", "Dense")
    assert [cost.index for cost in found.operations] == sorted(cost.index for cost in found.operations)


def test_the_layer_that_loses_most_is_found_from_all_sides(found: Sensitivity) -> None:
    assert {cost.layer for cost in found.ranked[:2]} == {"block/uneven", "last"}
    best_left_out = max(found.operations, key=lambda cost: cost.left_out_db or -math.inf)
    # It is lost between this layer and the next: whichever of the two stays float, the values between do.
    assert best_left_out.layer in {"block/uneven", "last"}
    assert (best_left_out.left_out_db or 0) > found.sqnr_db + 3
    by_layer = {cost.layer: cost for cost in found.operations}
    assert (by_layer["first"].inside_db or 0) > (by_layer["last"].inside_db or 0) + 6
    assert all(cost.alone_db is not None and cost.alone_db >= found.sqnr_db - 1 for cost in found.operations)


def test_figures_are_ready_for_json(found: Sensitivity) -> None:
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["samples"] == 12
    assert len(facts["operations"]) == len(found.operations)
    assert facts["operations"][1]["layer"] == "block/uneven"


def test_a_chart_has_a_bar_for_each_operation_and_the_longest_for_the_worst(found: Sensitivity) -> None:
    root = ElementTree.fromstring(draw(found, "A <model> & more"))
    bars = [float(bar.get("width", "0")) for bar in root.iter(f"{SVG}rect") if bar.get("class") == "alone"]
    assert len(bars) == len(found.operations)
    assert bars.index(max(bars)) == found.operations.index(found.ranked[0])
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert "A <model> & more" in texts
    assert any("block/uneven (Conv2D)" in text for text in texts)


def test_what_is_exact_and_what_is_not_known_is_told(found: Sensitivity) -> None:
    costs = (
        OperationCost(0, "RESHAPE", "a;\x1b[2J", "flatten", "Flatten", math.inf, math.inf, math.inf),
        OperationCost(1, "CUSTOM", "b", "scope", "", None, None, None),
    )
    silent = Sensitivity(3, math.inf, costs)
    assert json.dumps(silent.to_dict(), allow_nan=False)
    assert silent.to_dict()["operations"][0]["exact"]
    text = "\n".join(table(silent))
    assert "exact" in text
    assert "\x1b" not in draw(silent, "x")
    ElementTree.fromstring(draw(silent, "x"))


def test_the_command_prints_a_table_and_draws(model: Any, samples: Any, tmp_path: Path, ask: Command) -> None:
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", x=samples)
    chart = tmp_path / "chart.svg"
    code, out, err = ask(
        tmp_path / "model.keras", "--calibration", tmp_path / "data.npz", "--chart", chart, "--target", "coral",
        "--calibrator", "minmax",
    )
    assert code == 0, err
    assert "Most is lost by CONV_2D of " in out
    assert "block/uneven (Conv2D)" in out
    rows = [line for line in out.splitlines() if line.startswith("  ")]
    assert all(len(line) <= 80 for line in rows)
    assert rows[0].split() == ["alone", "left", "float", "inside"]
    ElementTree.parse(chart)


def test_a_recurrent_model_is_measured_and_printed_as_json(tmp_path: Path, ask: Command) -> None:
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((10, 3)), L.LSTM(8, name="memory"), L.Dense(2, activation="softmax")])
    made.save(tmp_path / "model.keras")
    np.save(tmp_path / "data.npy", np.random.default_rng(0).normal(size=(8, 10, 3)).astype(np.float32))
    code, out, _ = ask(tmp_path / "model.keras", "--calibration", tmp_path / "data.npy", "--json")
    facts = json.loads(out)
    assert code == 0
    (lstm,) = (cost for cost in facts["operations"] if cost["type"] == "UNIDIRECTIONAL_SEQUENCE_LSTM")
    assert (lstm["layer"], lstm["kind"]) == ("memory", "LSTM")
    assert lstm["alone_db"] > 10
    assert "only 8 calibration samples" in facts["warnings"][0]


def test_samples_that_were_made_up_are_told_loudly(model: Any, tmp_path: Path, ask: Command) -> None:
    model.save(tmp_path / "model.keras")
    code, out, err = ask(tmp_path / "model.keras", "--calibration", "synthetic", "--calibrator", "minmax")
    assert (code, "SYNTHETIC DATA" in err, "SYNTHETIC" in out) == (0, True, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--calibration"),
        (("--calibration", "nowhere.npz"), "nowhere.npz"),
        (("--calibration", "data.npy", "--chart", "no/folder/x.svg"), "cannot write"),
        (("--calibration", "data.npy", "--chart", "x.png"), "Let its name end in .svg"),
    ],
)
def test_wrong_use_is_told_before_the_work(
    arguments: tuple[str, ...], said: str, model: Any, tmp_path: Path, ask: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model.save("model.keras")
    np.save("data.npy", np.zeros((2, 8, 8, 2), np.float32))
    code, _, err = ask("model.keras", *arguments)
    assert code in (1, 2)
    assert said in err
    assert "Traceback" not in err
