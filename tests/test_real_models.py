"""Real models on real input, in Python and on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit import Values

pytest.importorskip("cv2")

Call = Callable[..., int]
REAL = [
    ("mobilenet_v2_1.0_224_quant", "cat.bmp", 286, "Egyptian cat", 0.82),
    ("mobilenet_v2_1.0_224_quant", "grace_hopper.bmp", 653, "military uniform", 0.90),
    ("mobilenet_v2_1.0_224_quant", "parrot.jpg", 89, "macaw", 0.996),
    ("tf2_mobilenet_v2_1.0_224_ptq", "cat.bmp", 286, "Egyptian cat", 0.61),
    ("tf2_mobilenet_v2_1.0_224_ptq", "grace_hopper.bmp", 653, "military uniform", 0.84),
    ("tf2_mobilenet_v2_1.0_224_ptq", "parrot.jpg", 89, "macaw", 0.94),
    ("mobilenet_v1_0.25_128_quant", "parrot.jpg", 89, "macaw", 0.81),
]


def values(result: edgekit.Result) -> Any:
    assert isinstance(result, Values)
    return next(iter(result.values.values()))


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(("model", "picture", "index", "label", "score"), REAL)
def test_real_models_on_real_pictures(
    *, shared: Path, call: Call, capfd: pytest.CaptureFixture[str],
    model: str, picture: str, index: int, label: str, score: float,
) -> None:
    images = shared / "images"
    arguments = ("--labels", images / "imagenet_labels.txt", "--top", 1, "--device", "cpu")
    assert call(shared / "tflite" / f"{model}.tflite", images / picture, *arguments) == 0
    out, err = capfd.readouterr()
    [result] = lines(out)
    [best] = result["classes"]
    assert (best["index"], best["label"]) == (index, label)
    assert abs(best["score"] - score) < 0.035
    assert err == ""


@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_128_quant_edgetpu", "keras_lstm_mnist_ptq_edgetpu"])
def test_a_compiled_model_is_refused_with_the_cure(
    shared: Path, call: Call, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    assert call(shared / "tflite" / f"{name}.tflite", shared / "images" / "cat.bmp") == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "Edge TPU" in err
    assert "uncompiled model" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mobilenet_v2_1.0_224_quant", "classification"),
        ("tf2_mobilenet_v2_1.0_224_ptq", "classification"),
        ("keras_lstm_mnist_ptq", "classification"),
        ("movenet_single_pose_lightning_ptq", "pose"),
    ],
)
def test_tasks_of_real_models(shared: Path, name: str, kind: str) -> None:
    assert edgekit.load(shared / "tflite" / f"{name}.tflite").task == kind


def test_keypoints_of_a_real_model_lie_where_they_should(shared: Path) -> None:
    pytest.importorskip("cv2")
    name = "movenet_single_pose_lightning_ptq"
    model = edgekit.load(shared / "tflite" / f"{name}.tflite", task="values")
    found = values(next(edgekit.run(model, shared / "images" / "squat.bmp")))[0]
    reference = np.genfromtxt(shared / "tflite" / f"{name}_reference.csv", delimiter=",", names=True)
    sure = reference["keypoint_score"] > 0.3
    for column, field in enumerate(("keypoint_y", "keypoint_x")):
        assert np.abs(found[:, column] - reference[field])[sure].max() < 0.03
