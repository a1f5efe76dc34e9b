"""`edgekit evaluate` on labelled and unlabelled data, with a classifier of 2 kB that is right about everything."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.metadata import InputMetadata, Metadata, OutputMetadata
from edgekit_converters.evaluating import (
    Evaluation,
    TflitePredictor,
    Workers,
    evaluate,
    open_dataset,
    predict,
    score,
)

pytest.importorskip("sklearn", reason="needs the evaluate extra: pip install 'edgekit-sdk[evaluate]'")

PER_CLASS = 40
Command = Callable[..., int]


def pictures(classes: NDArray[Any]) -> NDArray[np.uint8]:
    """Pictures that the tiny classifier knows as those classes."""
    return np.where(np.arange(64) % 10 == classes[:, None], 255, 0).astype(np.uint8).reshape(-1, 8, 8, 1)


@pytest.fixture
def classes() -> NDArray[Any]:
    return np.repeat(np.arange(10), PER_CLASS)


@pytest.fixture
def data(tmp_path: Path, classes: NDArray[Any]) -> Path:
    """All classes alike, from two sites by turns."""
    path = tmp_path / "data.npz"
    sites = np.where(np.arange(len(classes)) % 2, "north", "south")
    np.savez(path, x=pictures(classes), y=classes, site=sites)
    return path


@pytest.fixture
def forgetful(tmp_path: Path, tiny_parts: Any, pack_model: Callable[[Any], bytes]) -> Path:
    """The tiny classifier, but that it takes a 3 for a 4."""
    weights = np.frombuffer(tiny_parts.buffers[1].data.tobytes(), np.int8).reshape(10, 64).copy()
    weights[4] = np.maximum(weights[4], weights[3])
    weights[3] = -100
    tiny_parts.buffers[1].data = np.frombuffer(weights.tobytes(), np.uint8)
    path = tmp_path / "forgetful.tflite"
    path.write_bytes(pack_model(tiny_parts))
    return path


def test_a_right_model_has_all_of_it_right(command: Command, tiny_classifier: Path, data: Path, capsys: Any) -> None:
    assert command("evaluate", tiny_classifier, "--data", data) == 0
    printed = capsys.readouterr()
    assert "classification of 400 samples, 10 classes" in printed.out
    assert "accuracy           100.0% (99.0..100.0)" in printed.out
    assert printed.err == ""


def test_what_has_changed_is_given_with_a_paired_interval(forgetful: Path, tiny_classifier: Path, data: Path) -> None:
    found = evaluate(forgetful, data, against=tiny_classifier)
    accuracy = found.main
    assert accuracy.name == "accuracy"
    assert accuracy.model.value == pytest.approx(0.9)
    assert accuracy.against is not None and accuracy.against.value == 1.0
    assert accuracy.change is not None and accuracy.change.value == pytest.approx(-0.1)
    assert accuracy.loss == pytest.approx(0.1)
    low, high = accuracy.change.low, accuracy.change.high
    assert low is not None and high is not None and -0.14 < low < -0.1 < high < -0.06
    assert accuracy.p_value is not None and accuracy.p_value < 1e-9


def test_a_class_that_loses_more_than_the_others_is_flagged(forgetful: Path, tiny_classifier: Path, data: Path) -> None:
    found = evaluate(forgetful, data, against=tiny_classifier)
    assert [part.name for part in found.flagged] == ["3"]
    assert "loses 100.0 points more than the other samples" in found.flagged[0].note
    three = found.classes[3]
    assert three.metric("recall").model.value == 0.0
    assert three.samples == PER_CLASS
    assert found.classes[4].metric("precision").model.value == pytest.approx(0.5)
    assert found.confusion[3][4] == PER_CLASS
    assert found.confusion_against[3][3] == PER_CLASS


def test_a_group_that_loses_more_than_the_others_is_flagged(
    tmp_path: Path, forgetful: Path, tiny_classifier: Path, classes: NDArray[Any]
) -> None:
    sites = np.where(classes < 5, "north", "south")
    np.savez(tmp_path / "sites.npz", x=pictures(classes), y=classes, site=sites)
    found = evaluate(forgetful, tmp_path / "sites.npz", against=tiny_classifier, group_by=["site"])
    north, south = found.groupings[0].groups
    assert (north.name, north.flagged, south.name, south.flagged) == ("north", True, "south", False)
    assert north.metric("accuracy").loss == pytest.approx(0.2)
    assert south.metric("f1").change is not None


def test_what_is_flagged_is_printed(
    command: Command, forgetful: Path, tiny_classifier: Path, data: Path, capsys: Any
) -> None:
    assert command("evaluate", forgetful, "--data", data, "--against", tiny_classifier, "--metric", "accuracy") == 0
    printed = capsys.readouterr().out
    assert "Flagged: class 3 loses 100.0 points more than the other samples" in printed
    assert "Most often confused: 3 as 4 (40)." in printed


def test_groups_that_lose_alike_are_not_flagged(forgetful: Path, tiny_classifier: Path, data: Path) -> None:
    found = evaluate(forgetful, data, against=tiny_classifier, group_by=["site"])
    assert found.groupings[0].flagged == ()


def test_a_small_group_is_said_to_be_too_small_to_tell(
    tmp_path: Path, forgetful: Path, tiny_classifier: Path, classes: NDArray[Any]
) -> None:
    sites = np.where(np.arange(len(classes)) < 4, "attic", "cellar")
    np.savez(tmp_path / "sites.npz", x=pictures(classes), y=classes, site=sites)
    found = evaluate(forgetful, tmp_path / "sites.npz", against=tiny_classifier, group_by=["site"])
    assert found.groupings[0].groups[0].note == "only 4 samples: too few to tell"


def test_json_holds_all_figures(
    command: Command, forgetful: Path, tiny_classifier: Path, data: Path, capsys: Any
) -> None:
    assert command("evaluate", forgetful, "--data", data, "--against", tiny_classifier, "--group-by", "site",
                   "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["task"] == "classification"
    assert found["metrics"][0]["name"] == "accuracy"
    assert found["metrics"][0]["change"]["value"] == pytest.approx(-0.1)
    assert found["classes"][3]["flagged"] is True
    assert found["groupings"][0]["by"] == "site"
    assert len(found["confusion"]) == 10


def test_without_labels_the_two_models_are_compared(
    tmp_path: Path, forgetful: Path, tiny_classifier: Path, classes: NDArray[Any]
) -> None:
    np.savez(tmp_path / "plain.npz", x=pictures(classes))
    found = evaluate(forgetful, tmp_path / "plain.npz", against=tiny_classifier)
    assert found.task == "agreement"
    assert found.metric("agreement").model.value == pytest.approx(0.9)
    assert found.metric("agreement").loss == pytest.approx(0.1)
    assert found.metric("sqnr").unit == "dB"


def test_limit_takes_samples_from_all_over(tiny_classifier: Path, data: Path) -> None:
    found = evaluate(tiny_classifier, data, limit=20)
    assert found.samples == 20
    assert [part.index for part in found.classes] == list(range(10))


def test_metrics_that_are_named_come_in_that_order(tiny_classifier: Path, data: Path) -> None:
    assert [metric.name for metric in evaluate(tiny_classifier, data, metrics=["f1", "accuracy"]).metrics] == [
        "f1", "accuracy",
    ]


def save(folder: Path, classes: NDArray[Any]) -> None:
    cv2 = pytest.importorskip("cv2")
    for number, (label, pixels) in enumerate(zip(classes, pictures(classes), strict=True)):
        place = folder / str(label) / ("night" if number % 2 else "day")
        place.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(place / f"{number}.png"), pixels)


def test_folders_of_pictures_are_classes_and_groups(tmp_path: Path, tiny_classifier: Path) -> None:
    save(tmp_path / "photos", np.repeat(np.arange(10), 4))
    found = evaluate(tiny_classifier, tmp_path / "photos", group_by=["folder:2"])
    assert found.main.model.value == 1.0
    assert [(group.name, group.samples) for group in found.groupings[0].groups] == [("day", 20), ("night", 20)]


def test_the_class_folders_may_lie_below_those_of_the_groups(tmp_path: Path, tiny_classifier: Path) -> None:
    save(tmp_path / "sites" / "roof", np.repeat(np.arange(10), 2))
    save(tmp_path / "sites" / "yard", np.repeat(np.arange(10), 2))
    found = evaluate(tiny_classifier, tmp_path / "sites", group_by=["folder:1"])
    assert found.main.model.value == 1.0
    assert [group.name for group in found.groupings[0].groups] == ["roof", "yard"]


def test_labels_name_the_folders(tmp_path: Path, tiny_classifier: Path) -> None:
    save(tmp_path / "photos", np.repeat(np.arange(3), 2))
    for number, name in enumerate(("Red_fox", "grey wolf", "bear")):
        (tmp_path / "photos" / str(number)).rename(tmp_path / "photos" / name)
    (tmp_path / "labels.txt").write_text("red fox\ngrey wolf\nbear\n" + "\n".join("abcdefg"))
    found = evaluate(tiny_classifier, tmp_path / "photos", labels=tmp_path / "labels.txt")
    assert found.main.model.value == 1.0
    assert [part.name for part in found.classes] == ["red fox", "grey wolf", "bear"]
    assert "no samples of 7 of the model's 10 classes" in found.warnings[0]


def test_a_table_beside_the_pictures_has_labels_and_groups(tmp_path: Path, tiny_classifier: Path) -> None:
    save(tmp_path / "photos", np.repeat(np.arange(10), 2))
    files = sorted((tmp_path / "photos").rglob("*.png"))
    rows = [f"{file.relative_to(tmp_path / 'photos')},{file.parts[-3]},{'x' if at % 2 else 'y'}"
            for at, file in enumerate(files)]
    (tmp_path / "photos" / "metadata.csv").write_text("\n".join(["file,digit,lens", *rows]))
    found = evaluate(tiny_classifier, tmp_path / "photos", target_column="digit", group_by=["lens"])
    assert found.main.model.value == 1.0
    assert [group.name for group in found.groupings[0].groups] == ["x", "y"]


def test_a_damaged_picture_is_named_and_makes_the_exit_code_1(
    command: Command, tmp_path: Path, tiny_classifier: Path, capsys: Any
) -> None:
    save(tmp_path / "photos", np.repeat(np.arange(10), 2))
    (tmp_path / "photos" / "0" / "day" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    assert command("evaluate", tiny_classifier, "--data", tmp_path / "photos") == 1
    printed = capsys.readouterr()
    assert "skipped 1: " in printed.err and "0.png: cut short" in printed.err
    assert "19 samples, 10 classes, 1 skipped" in printed.out


def test_a_table_gives_numbers_and_a_target(tmp_path: Path, numbers: Path) -> None:
    """The model of three features gives their absolute values: regression needs three targets, so take an array."""
    random = np.random.default_rng(1)
    features = random.normal(size=(50, 3)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=features, y=np.abs(features) + 0.5)
    found = evaluate(numbers, tmp_path / "rows.npz")
    assert found.task == "regression"
    assert [metric.name for metric in found.metrics] == ["rmse", "mae", "r2"]
    assert found.main.model.value == pytest.approx(0.5, rel=1e-5)


def test_a_sigmoid_s_table_of_features(tmp_path: Path, sigmoid: Path) -> None:
    values = np.linspace(-3, 3, 60)
    rows = [f"{value:.3f},{int(value > 0.5)},{'a' if at % 3 else 'b'}" for at, value in enumerate(values)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,label,kind", *rows]))
    found = evaluate(sigmoid, tmp_path / "rows.csv", target_column="label", group_by=["kind"])
    assert found.task == "classification"
    assert found.metric("roc_auc").model.value == 1.0
    assert found.main.model.value == pytest.approx(np.mean((values > 0) == (values > 0.5)), abs=0.02)
    assert [group.name for group in found.groupings[0].groups] == ["a", "b"]


def test_anomalies_stand_out_by_what_an_autoencoder_cannot_rebuild(tmp_path: Path, numbers: Path) -> None:
    """The model gives absolute values: what is negative is not rebuilt."""
    random = np.random.default_rng(2)
    normal = np.abs(random.normal(size=(40, 3)))
    np.savez(tmp_path / "rows.npz", x=np.concatenate((normal, -1 - normal[:20])).astype(np.float32),
             y=np.repeat([0, 1], (40, 20)))
    found = evaluate(numbers, tmp_path / "rows.npz")
    assert found.task == "anomaly"
    assert found.main.name == "roc_auc"
    assert found.main.model.value == 1.0


def test_an_anomaly_model_is_scored_as_its_file_says(
    tmp_path: Path, numbers: Path, describe: Callable[[Path, Metadata], None]
) -> None:
    """By the distance from what is normal, where the outputs are no copy of the inputs."""
    options = {"threshold": 2.0, "mean": 1.0, "normal": [1.0, 1.0, 1.0], "spread": [1.0, 1.0, 1.0]}
    describe(numbers, Metadata(
        inputs=(InputMetadata("x"),), outputs=(OutputMetadata("y"),), task="anomaly", head="distance",
        head_options=options,
    ))
    random = np.random.default_rng(3)
    normal = 1 + random.normal(scale=0.1, size=(30, 3))
    np.savez(tmp_path / "rows.npz", x=np.concatenate((normal, normal[:10] - 9)).astype(np.float32),
             y=np.repeat([0, 1], (30, 10)))
    assert evaluate(numbers, tmp_path / "rows.npz").metric("average_precision").model.value == 1.0


def test_one_answer_of_the_float_model_serves_many_candidates(
    forgetful: Path, tiny_classifier: Path, data: Path
) -> None:
    candidates = [TflitePredictor(path) for path in (tiny_classifier, forgetful)]
    dataset = open_dataset(data, candidates[0].subject)
    known = predict(candidates[0], dataset)

    def lost(candidate: TflitePredictor) -> Evaluation:
        return score(predict(candidate, dataset), dataset, candidate.subject, against=known, metrics=["accuracy"])

    assert [lost(candidate).main.loss for candidate in candidates] == pytest.approx([0.0, 0.1])


def test_worker_processes_find_the_same(tiny_classifier: Path, data: Path) -> None:
    pytest.importorskip("joblib")
    one, many = (evaluate(tiny_classifier, data, workers=workers, limit=40) for workers in (1, 2))
    assert many.metrics == one.metrics


def test_a_dask_cluster_does_the_work(tiny_classifier: Path, data: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        found = evaluate(tiny_classifier, data, workers=1, backend=f"dask:{cluster.scheduler_address}", limit=40)
    assert found.main.model.value == 1.0
    assert found.samples == 40


def test_workers_of_a_backend_that_joblib_was_told(tiny_classifier: Path, data: Path) -> None:
    joblib = pytest.importorskip("joblib")
    predictor = TflitePredictor(tiny_classifier)
    dataset = open_dataset(data, predictor.subject, limit=40)
    with joblib.parallel_config(backend="threading"):
        answers = predict(predictor, dataset, workers=Workers(2, "joblib"))
    assert len(answers.answered) == 40


def test_a_tflite_is_evaluated_without_tensorflow(tiny_classifier: Path, data: Path) -> None:
    code = (
        "import sys\nfrom edgekit_converters.evaluating import evaluate\n"
        f"evaluate({str(tiny_classifier)!r}, {str(data)!r}, limit=20)\n"
        "print([name for name in ('tensorflow', 'keras', 'joblib', 'h5py') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[]", "['joblib']")  # scikit-learn itself imports joblib
