"""`edgekit evaluate` on objects: COCO annotations, mAP, its resampling, and what can be wrong with them.

The detector gives back the picture that it is shown, in which the tests write what a YOLO would have found.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.metadata import InputMetadata, Metadata, Normalization, OutputMetadata
from edgekit_converters.evaluating import TflitePredictor, evaluate
from edgekit_converters.evaluating.metrics import detection
from edgekit_converters.evaluating.metrics.answers import Answers
from edgekit_converters.evaluating.running.interpreting import OBJECTS, for_task

pytest.importorskip("pycocotools", reason="needs the evaluate extra: pip install 'edgekit-sdk[evaluate]'")
cv2 = pytest.importorskip("cv2")

WIDTH, HEIGHT = 59, 56
"""A picture of 59 columns has 59 boxes on the grids of a YOLO; each column is one, of 4 + 52 numbers."""
CATEGORIES = ("cat", "dog", "owl", "fox")
LABELS = (*CATEGORIES, *(f"thing {number}" for number in range(48)))
Found = tuple[float, float, float, float, int, float]
"""Middle and size as fractions of the picture, class and score."""


@pytest.fixture
def detector(build: Callable[..., Path], describe: Callable[[Path, Metadata], None]) -> Path:
    shape = (1, HEIGHT, WIDTH)
    path = build("ABS", [("image", shape, "float32")], [("boxes", shape, "float32")])
    describe(path, Metadata(
        inputs=(InputMetadata("image", content="image", channels="gray", normalization=Normalization((0,), (255,))),),
        outputs=(OutputMetadata("boxes", labels=LABELS),), task="detection", head="yolov8",
    ))
    return path


def write(folder: Path, name: str, found: Sequence[Found]) -> list[list[float]]:
    """Save a picture in which so much is found, and give the boxes as COCO has them, in its pixels."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for column, (x, y, width, height, kind, score) in enumerate(found):
        pixels[:4, column] = np.round(np.array((x, y, width, height)) * 255)
        pixels[4 + kind, column] = round(score * 255)
    folder.mkdir(exist_ok=True, parents=True)
    assert cv2.imwrite(str(folder / name), pixels)
    boxes = pixels[:4].T / 255 * (WIDTH, HEIGHT, WIDTH, HEIGHT)
    boxes[:, :2] -= boxes[:, 2:] / 2
    return [[float(number) for number in box] for box in boxes[: len(found)]]


def annotated(folder: Path, seen: Sequence[Sequence[Found]], missed: int = 0) -> dict[str, Any]:
    """COCO annotations of pictures where all is found, but for one object in each of the first `missed` pictures."""
    document: dict[str, Any] = {
        "images": [], "annotations": [],
        "categories": [{"id": at + 7, "name": name} for at, name in enumerate(CATEGORIES)],
    }
    for number, found in enumerate(seen):
        shown = found[:-1] if number < missed else found
        light = "night" if number % 2 else "day"
        document["images"].append({"id": number + 100, "file_name": f"{number}.png", "light": light})
        boxes = write(folder, f"{number}.png", found)
        write(folder, f"{number}.png", shown)
        for box, entry in zip(boxes, found, strict=True):
            document["annotations"].append({
                "id": len(document["annotations"]), "image_id": number + 100, "category_id": entry[4] + 7, "bbox": box,
            })
    return document


SCENE: list[Found] = [(0.25, 0.5, 0.4, 0.6, 0, 0.9), (0.75, 0.5, 0.4, 0.6, 1, 0.8)]


@pytest.fixture
def save(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    def write_json(document: dict[str, Any]) -> Path:
        (tmp_path / "coco.json").write_text(json.dumps(document))
        return tmp_path / "coco.json"

    return write_json


def test_a_detector_that_finds_all_has_a_map_of_1(
    detector: Path, tmp_path: Path, save: Any, command: Callable[..., int], capsys: Any
) -> None:
    path = save(annotated(tmp_path / "images", [SCENE] * 12))
    assert command("evaluate", detector, "--data", path, "--group-by", "light") == 0
    printed = capsys.readouterr().out
    assert "detection of 12 samples" in printed
    assert "mAP 50-95  1.0000 (1.0000..1.0000)" in printed
    assert "mAP 50-95 by light" in printed


def test_objects_that_are_missed_cost_recall_of_their_class(detector: Path, tmp_path: Path, save: Any) -> None:
    found = evaluate(detector, save(annotated(tmp_path / "images", [SCENE] * 12, missed=6)))
    cat, dog = found.classes
    assert (cat.name, cat.samples) == ("cat", 12)
    assert cat.metric("map").model.value == pytest.approx(1.0)
    assert dog.metric("map_50").model.value == pytest.approx(51 / 101)  # precision 1 up to a recall of a half
    assert found.main.model.value == pytest.approx((1 + 51 / 101) / 2)
    low, high = found.main.model.low, found.main.model.high
    assert low is not None and high is not None and 0.55 < low < found.main.model.value < high < 0.95


def test_the_float_detector_is_read_by_the_same_task(detector: Path, tmp_path: Path, save: Any) -> None:
    found = evaluate(detector, save(annotated(tmp_path / "images", [SCENE] * 4)), against=detector)
    assert found.main.change is not None
    assert (found.main.change.value, found.main.change.low, found.main.change.high) == (0, 0, 0)


def test_a_detector_can_go_to_other_processes(detector: Path, tmp_path: Path) -> None:
    boxes = write(tmp_path, "scene.png", SCENE)
    predictor = TflitePredictor(detector)
    sent = pickle.loads(pickle.dumps(for_task(predictor, predictor.subject, "detection")))
    objects = sent(cv2.imread(str(tmp_path / "scene.png")), "bgr")[OBJECTS]
    assert objects[0, :2] == pytest.approx(boxes[0][:2], abs=0.5)
    assert objects[:2, 5].tolist() == [0, 1]
    assert np.isnan(objects[2:]).all()


def random_answers(seed: int, pictures: int = 30) -> Answers:
    """Boxes that are found nearly where they are, some not at all, some where nothing is, some in crowds."""
    random = np.random.default_rng(seed)
    targets: list[NDArray[np.float64]] = []
    outputs = np.full((pictures, 100, 6), np.nan, np.float32)
    for picture in range(pictures):
        count = int(random.integers(1, 6))
        corner = random.uniform(0, 80, (count, 2))
        boxes = np.hstack((corner, corner + random.uniform(10, 40, (count, 2))))
        kinds, crowd = random.integers(3, size=(count, 1)), random.random((count, 1)) < 0.1
        targets.append(np.hstack((boxes, kinds, crowd)).astype(np.float64))
        outputs[picture, :count, :4] = boxes + random.normal(scale=3, size=boxes.shape)
        outputs[picture, :count, 4] = np.round(random.random(count), 2)
        outputs[picture, :count, 5] = np.where(random.random(count) < 0.8, kinds[:, 0], 0)
        outputs[picture, count, :] = (0, 0, 20, 20, 0.3, 1)
    return Answers(targets, {OBJECTS: outputs})


@pytest.mark.parametrize("seed", range(3))
def test_resampled_precisions_of_each_picture_once_are_those_of_pycocotools(seed: int) -> None:
    answers = random_answers(seed)
    scored = detection._score(answers.targets, answers.outputs, [0, 1, 2])
    once = np.ones((len(answers), 1), np.float32)
    found = np.stack([detection._average_precisions(one, once)[0] for one in scored.matched], axis=1)
    assert found == pytest.approx(scored.values, abs=1e-6)


def test_a_picture_that_is_drawn_twice_counts_twice() -> None:
    answers = random_answers(5, pictures=12)
    twice = [at for at in range(12) for _ in range(1 + at % 2)]
    doubled = Answers([answers.targets[at] for at in twice], {OBJECTS: answers.outputs[OBJECTS][twice]})
    scored = detection._score(answers.targets, answers.outputs, [0, 1, 2])
    weights = (1 + np.arange(12) % 2).astype(np.float32)[:, None]
    found = np.stack([detection._average_precisions(one, weights)[0] for one in scored.matched], axis=1)
    assert found == pytest.approx(detection._score(doubled.targets, doubled.outputs, [0, 1, 2]).values, abs=0.02)


def test_nothing_found_is_a_map_of_0() -> None:
    answers = random_answers(1)
    nothing = {OBJECTS: np.full_like(answers.outputs[OBJECTS], np.nan)}
    measured, _ = detection.measure_detection(Answers(answers.targets, nothing), ("map", "map_50"))
    assert [one.metric.model.value for one in measured] == [0, 0]


def test_what_can_be_wrong_with_annotations(
    detector: Path, tmp_path: Path, save: Any, command: Callable[..., int], capsys: Any
) -> None:
    good = annotated(tmp_path / "images", [SCENE] * 2)
    first, rest = good["annotations"][0], good["annotations"][1:]

    def refused(document: Any, *options: object) -> str:
        assert command("evaluate", detector, "--data", save(document), *options) == 2
        return str(capsys.readouterr().err)

    def with_first(**changed: Any) -> dict[str, Any]:
        return {**good, "annotations": [{**first, **changed}, *rest]}

    assert "has no list 'categories'" in refused({"images": [], "annotations": []})
    assert "holds no images" in refused({**good, "images": []})
    assert "annotations[0] is of image 5, which is not there" in refused(with_first(image_id=5))
    assert "annotations[0] is of category 5, which is not there" in refused(with_first(category_id=5))
    assert "bbox of annotations[0] is [1, 2]" in refused(with_first(bbox=[1, 2]))
    assert "no NaN" in refused(with_first(bbox=[1, 2, float("nan"), 4]))
    assert "annotations[0] does not have all of" in refused({**good, "annotations": [{"id": 1}]})
    unknown = [*good["categories"][1:], {"id": 7, "name": "unicorn"}]
    assert "has classes that abs.tflite has not: unicorn" in refused({**good, "categories": unknown})
    assert "which is not in" in refused(good, "--images", tmp_path)
    (tmp_path / "images" / "1.png").unlink()
    assert "1 of 2 pictures" in refused(good)
    assert "task classification has no use for them" in refused(good, "--task", "classification")
    (tmp_path / "coco.json").write_text("{")
    assert command("evaluate", detector, "--data", tmp_path / "coco.json") == 2
    assert "cannot be read as JSON" in capsys.readouterr().err


def test_a_detector_that_leaves_the_shapes_of_its_outputs_open_is_scored(shared: Path, tmp_path: Path) -> None:
    face = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [185, 115, 170, 217], "area": 36890, "iscrowd": 0}
    (tmp_path / "faces.json").write_text(json.dumps({
        "images": [{"id": 1, "file_name": "grace_hopper.bmp"}], "annotations": [face],
        "categories": [{"id": 1, "name": "face"}],
    }))
    model = shared / "edgetpu" / "models" / "thermal-face__thermal_face_automl_edge_fast.tflite"
    found = evaluate(model, tmp_path / "faces.json", images=shared / "images", labels=["face"])
    assert found.metric("map_50").model.value == pytest.approx(1.0)
