"""Several models: one on what another finds, and models side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import edgekit
from edgekit import Cascade, DataError, UsageError
from edgekit.after import state_of
from edgekit.cascade import crop_of
from edgekit.drawing import annotate
from edgekit.results import DepthMap, DetectedObject, Detection, Keypoint, Latency, Picture, Pose, Values
from edgekit.results.moving import moved
from edgekit.sources import Memory

cv2 = pytest.importorskip("cv2")
schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="needs the schema of ai-edge-litert")

Call = Callable[..., int]
Build = Callable[..., Path]
BLOCK, ROWS = 16, 4
HEIGHT, WIDTH = ROWS * BLOCK, 2 * BLOCK
DETECTOR: dict[str, Any] = {
    "task": "detection", "head": "yolo-end2end", "head_options": {"coordinates": "fractions"}, "normalize": "0..1",
}


@pytest.fixture
def finder(build: Build, pack_model: Callable[[Any], bytes]) -> Path:
    """A detector that reads its objects from the picture: each row of two pixels is a box, a score and a class."""
    path = build("RESHAPE", [("image", (1, ROWS, 2, 3), "float32")], [("y", (1, ROWS, 6), "float32")])
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    step = model.subgraphs[0].operators[0]
    step.builtinOptionsType, step.builtinOptions = schema.BuiltinOptions.ReshapeOptions, schema.ReshapeOptionsT()
    step.builtinOptions.newShape = [1, ROWS, 6]
    finder = path.with_name("finder.tflite")
    finder.write_bytes(pack_model(model))
    (path.parent / "animals.txt").write_text("cat\ndog\n")
    return finder


@pytest.fixture
def detector(finder: Path) -> edgekit.Model:
    return edgekit.load(finder, labels=["cat", "dog"], **DETECTOR)


@pytest.fixture
def looker(photo_model: Path) -> edgekit.Model:
    """Gives the pixels that it sees, 8 by 8."""
    return edgekit.load(photo_model, task="values", normalize="0..1")


Row = tuple[int, int, int, int, int, int]
CAT: Row = (0, 64, 200, 128, 255, 0)
DOG: Row = (101, 20, 255, 255, 230, 255)
EMPTY: Row = (50, 50, 50, 90, 255, 0)
NOTHING: Row = (0, 0, 0, 0, 0, 0)


def picture(*rows: Row) -> NDArray[np.uint8]:
    """A picture, red, green, blue, in which the finder finds these boxes (of 255 parts), scores and classes."""
    pixels = np.array([*rows, *[NOTHING] * (ROWS - len(rows))], np.uint8).reshape(ROWS, 2, 3)
    return np.ascontiguousarray(pixels.repeat(BLOCK, 0).repeat(BLOCK, 1))


def objects(result: edgekit.Result) -> tuple[DetectedObject, ...]:
    assert isinstance(result, Detection)
    return result.objects


def test_the_second_model_sees_exactly_the_pixels_of_each_object(
    detector: edgekit.Model, looker: edgekit.Model
) -> None:
    frame = picture(CAT, DOG)
    found = objects(Cascade(detector, looker)(frame))
    assert [one.label for one in found] == ["cat", "dog"]
    crops = [frame[16:33, 0:26], frame[5:64, 12:32]]  # 64/255 of 64 rows is 16.06, 128/255 is 32.1, ...
    for one, crop in zip(found, crops, strict=True):
        direct = looker(crop)
        assert isinstance(one.inner, Values)
        assert isinstance(direct, Values)
        np.testing.assert_array_equal(one.inner.values["y"], direct.values["y"])
        assert one.payload()["inner"]["task"] == "values"


def test_a_source_s_order_of_colours_reaches_the_second_model(detector: edgekit.Model, looker: edgekit.Model) -> None:
    frames = Memory(live=False)
    frames.push(picture(CAT)[:, :, ::-1].copy(), channels="bgr")
    frames.close()
    cascade = Cascade(detector, looker)
    [result] = edgekit.run(cascade, frames)
    [there], [here] = objects(result), objects(cascade(picture(CAT)))
    assert isinstance(there.inner, Values)
    assert isinstance(here.inner, Values)
    np.testing.assert_array_equal(there.inner.values["y"], here.inner.values["y"])


def test_only_chosen_objects_that_have_pixels_are_looked_at(detector: edgekit.Model, looker: edgekit.Model) -> None:
    frame = picture(CAT, DOG, EMPTY)
    chosen = {one.label: one.inner is not None for one in objects(Cascade(detector, looker, objects=["dog"])(frame))}
    assert chosen == {"cat": False, "dog": True}
    of_all = [one.inner is not None for one in objects(Cascade(detector, looker)(frame)) if one.box[0] == one.box[2]]
    assert of_all in ([], [False])
    assert objects(Cascade(detector, looker)(picture())) == ()


def test_the_latency_is_that_of_all_and_of_each(detector: edgekit.Model, looker: edgekit.Model) -> None:
    result = Cascade(detector, looker)(picture(CAT, DOG))
    inner = [one.inner.latency for one in objects(result) if one.inner]
    assert len(inner) == 2
    for stage in ("preprocess", "inference", "postprocess"):
        assert getattr(result.latency, stage) > sum(getattr(one, stage) for one in inner) > 0


def test_places_that_the_second_model_finds_are_places_in_the_frame(detector: edgekit.Model) -> None:
    """The same finder: in the lower half of the picture it reads the rows that are there."""
    frame = picture((0, 128, 255, 255, 255, 0), NOTHING, DOG, DOG)
    half = objects(Cascade(detector, detector)(frame))[0]
    alone = objects(detector(frame[32:]))
    assert isinstance(half.inner, Detection)
    assert (half.inner.width, half.inner.height) == (WIDTH, HEIGHT)
    boxes = [(left, top + 32, right, bottom + 32) for left, top, right, bottom in (one.box for one in alone)]
    assert [one.box for one in half.inner.objects] == boxes != []


@pytest.mark.parametrize("task", ["image", "depth"])
def test_a_map_covers_its_part_of_the_frame(detector: edgekit.Model, build: Build, task: str) -> None:
    plane = build("ABS", [("image", (1, 8, 8, 1), "float32")], [("y", (1, 8, 8, 1), "float32")])
    head = {"image": "image-0..1", "depth": "depth-map"}[task]
    inner = edgekit.load(plane, task=task, head=head, normalize="0..1")
    [_, dog] = objects(Cascade(detector, inner)(picture(CAT, DOG)))
    assert isinstance(dog.inner, Picture | DepthMap)
    assert dog.inner.area == (12, 5, 32, 64)
    assert (dog.inner.width, dog.inner.height) == (WIDTH, HEIGHT)


def test_keypoints_move_along() -> None:
    point, latency = Keypoint("nose", 1.5, 2.0, 0.5), Latency()
    body = DetectedObject(0, "", 1.0, (0.0, 0.0, 4.0, 4.0), (point,))
    pose = Pose(
        task="pose", device="cpu", latency=latency, width=4, height=4, keypoints=(point,), objects=(body,)
    )
    there = moved(pose, 10, 20, 100, 80)
    assert isinstance(there, Pose)
    assert there.keypoints == (Keypoint("nose", 11.5, 22.0, 0.5),)
    assert there.objects == (DetectedObject(0, "", 1.0, (10.0, 20.0, 14.0, 24.0), there.keypoints),)


EDGES = st.floats(-50, 150, allow_nan=False)


@given(EDGES, EDGES, EDGES, EDGES, st.floats(0, 10))
def test_a_crop_is_the_pixels_that_the_widened_box_touches(
    x0: float, y0: float, x1: float, y1: float, margin: float
) -> None:
    found = DetectedObject(0, "", 1.0, (x0, y0, x1, y1))
    crop = crop_of(found, margin, 100, 80)
    wide = (x0 - margin * (x1 - x0), x1 + margin * (x1 - x0)), (y0 - margin * (y1 - y0), y1 + margin * (y1 - y0))
    columns, rows = (
        [pixel for pixel in range(size) if pixel < end and pixel + 1 > start]
        for size, (start, end) in zip((100, 80), wide, strict=True)
    )
    if x1 <= x0 or y1 <= y0 or not columns or not rows:
        assert crop is None
    else:
        assert crop == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def test_a_box_that_is_no_number_has_no_pixels() -> None:
    assert crop_of(DetectedObject(0, "", 1.0, (0.0, 0.0, math.nan, 5.0)), 0.0, 10, 10) is None


def test_models_that_do_not_go_together(detector: edgekit.Model, looker: edgekit.Model, numbers: Path) -> None:
    with pytest.raises(UsageError, match="is for values and finds no objects"):
        Cascade(looker, detector)
    with pytest.raises(UsageError, match="takes no picture"):
        Cascade(detector, edgekit.load(numbers, task="values"))
    with pytest.raises(UsageError, match="knows no 'dgo'; did you mean 'dog'"):
        Cascade(detector, looker, objects=["dgo"])
    with pytest.raises(UsageError, match="margin has to be a number from 0 to 10, not -1"):
        Cascade(detector, looker, margin=-1)
    with pytest.raises(DataError, match="takes pictures"):
        Cascade(detector, looker)(np.zeros((1, ROWS, 2, 3), np.float32))


def test_what_the_second_model_says_is_drawn_and_is_a_change(
    detector: edgekit.Model, tiny_classifier: Path
) -> None:
    frame = picture(CAT).repeat(8, 0).repeat(8, 1)
    inner = edgekit.load(tiny_classifier, task="classification", normalize="0..1")
    results = [replace(model(frame), frame=frame) for model in (detector, Cascade(detector, inner))]
    alone, cascaded = (np.asarray(annotate(result, (8 * WIDTH, 8 * HEIGHT))) for result in results)
    assert not np.array_equal(alone, cascaded)
    assert state_of(results[0]) != state_of(results[1])


def test_objects_without_labels_cannot_be_chosen(finder: Path, looker: edgekit.Model) -> None:
    cascade = Cascade(edgekit.load(finder, **DETECTOR), looker, objects=["dog"])
    with pytest.raises(DataError, match="objects without labels"):
        cascade(picture(CAT))


def test_side_by_side_each_sample_goes_to_all_models(
    detector: edgekit.Model, looker: edgekit.Model, tmp_path: Path
) -> None:
    for number in range(2):
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), picture(CAT)[:, :, ::-1])
    results = list(edgekit.run([detector, looker], tmp_path / "*.png"))
    assert [(result.sequence, result.model) for result in results] == [
        (0, "finder"), (0, "abs"), (1, "finder"), (1, "abs"),
    ]
    assert json.loads(results[0].to_json())["model"] == "finder"
    assert results[0].captured == results[1].captured
    named = list(edgekit.run({"a": detector, "b": Cascade(detector, looker)}, tmp_path / "0.png"))
    assert [result.model for result in named] == ["a", "b"]
    assert [one.inner is None for result in named for one in objects(result)] == [True, False]


def test_models_that_cannot_run_side_by_side(looker: edgekit.Model, numbers: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two models are called abs"):
        edgekit.run([looker, looker], tmp_path)
    with pytest.raises(UsageError, match="of the models a and b one takes pictures"):
        edgekit.run({"a": looker, "b": edgekit.load(numbers, task="values")}, tmp_path)
    with pytest.raises(UsageError, match="there is no model"):
        edgekit.run([], tmp_path)


def test_the_newest_result_of_each_model(detector: edgekit.Model, looker: edgekit.Model) -> None:
    frames = Memory(live=True)
    with edgekit.Pipeline([detector, looker], frames) as pipeline:
        results = iter(pipeline)
        frames.push(picture(DOG))
        assert {next(results).model, next(results).model} == {"finder", "abs"}
        for model in ("finder", "abs"):
            result = pipeline.latest(model=model)
            assert result is not None
            assert result.model == model
        with pytest.raises(UsageError, match="Did you mean 'finder'"):
            pipeline.latest(model="findr")


TOML = """
sources = ["cat.png", "dog.png"]
sinks = ["-"]
[models.kinds]
path = "abs.tflite"
task = "values"
normalize = "0..1"
[models.animals]
path = "finder.tflite"
task = "detection"
head = "yolo-end2end"
head_options = {coordinates = "fractions"}
labels = "animals.txt"
normalize = "0..1"
[models.animals.inner]
path = "abs.tflite"
task = "values"
normalize = "0..1"
objects = ["dog"]
margin = 0.1
[models.animals.after]
track = true
"""


@pytest.fixture
def config(finder: Path, photo_model: Path) -> Path:
    for name, row in (("cat", CAT), ("dog", DOG)):
        assert cv2.imwrite(str(finder.with_name(f"{name}.png")), picture(row)[:, :, ::-1])
    path = finder.with_name("pipeline.toml")
    path.write_text(TOML)
    return path


def test_a_file_with_all_of_it(config: Path, call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(config, "--check") == 0
    assert "kinds: values on cpu; animals: detection, then values on cpu, from " in capfd.readouterr().out
    assert call(config) == 0
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert sorted((Path(entry["source"]).name, entry["model"]) for entry in found) == [
        ("cat.png", "animals"), ("cat.png", "kinds"), ("dog.png", "animals"), ("dog.png", "kinds"),
    ]
    assert {one["id"] for entry in found for one in entry.get("objects", ())} == {1}  # tracked, each picture by itself
    looked_at = {one["label"]: "inner" in one for entry in found for one in entry.get("objects", ())}
    assert looked_at == {"cat": False, "dog": True}


def test_a_recording_gives_all_results_again(config: Path, call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(config, "--record", config.with_name("kept")) == 0
    first = capfd.readouterr().out
    config.write_text(TOML.replace('"cat.png", "dog.png"', '"replay:kept"'))
    assert call(config) == 0
    assert capfd.readouterr().out == first != ""


def test_every_mistake_of_several_models_is_told(config: Path, call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    config.write_text("""\
sources = ["x.png"]
[models.a]
pth = "a.tflite"
[models.b]
path = "b.tflite"
inner = 3
[models.c]
path = "c.tflite"
[models.c.inner]
objects = "dog"
margn = 0.1
inner = {path = "d.tflite"}
[models.c.after]
track = 1
""")
    assert call(config, "--check") == 2
    assert capfd.readouterr().err.splitlines()[1:] == [
        "  line 2: path is missing in [models.a]",
        "  line 3: no key 'pth' in [models.a]; did you mean 'path'?",
        "  line 6: inner in [models.b] has to be a table, not 3",
        "  line 9: path is missing in [models.c.inner]",
        "  line 10: objects in [models.c.inner] has to be a list of texts, not 'dog'",
        "  line 11: no key 'margn' in [models.c.inner]; did you mean 'margin'?",
        "  line 12: no key 'inner' in [models.c.inner]; there are path, device, device_options, inference_timeout, "
        "threads, task, head, head_options, labels, normalize, channels, resize, top, score, iou, enrolled, objects, "
        "margin",
        "  line 14: track in [models.c.after] has to be true or false, not 1",
    ]
    config.write_text('sources = ["x.png"]\n[model]\npath = "a"\n[models.b]\npath = "b"\n')
    assert call(config, "--check") == 2
    assert "line 4: there has to be either [model] or [models.NAME]" in capfd.readouterr().err


def test_a_table_of_several_models_names_them(config: Path, call: Call) -> None:
    config.write_text(TOML.replace('sinks = ["-"]', 'sinks = ["out.csv"]').replace("[models.kinds]", """
[models.all]
path = "finder.tflite"
task = "detection"
head = "yolo-end2end"
labels = "animals.txt"
normalize = "0..1"
[models.kinds]""").replace('[models.kinds]\npath = "abs.tflite"\ntask = "values"\nnormalize = "0..1"\n', ""))
    assert call(config) == 0
    header, *rows = config.with_name("out.csv").read_text().splitlines()
    at = header.split(",").index("model")
    assert {row.split(",")[at] for row in rows} == {"all", "animals"}


def test_a_service_may_use_the_devices_of_all_models(
    config: Path, command: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command("service", config) == 0
    assert "plugdev" not in capfd.readouterr().out
    config.write_text(TOML.replace("margin = 0.1", 'margin = 0.1\ndevice = "coral,cpu"'))
    assert command("service", config) == 0
    assert "SupplementaryGroups=video plugdev" in capfd.readouterr().out
