"""Poses, masks, maps, pictures and vectors: what the tasks make of tensors, and of real models."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgekit
from edgekit import Classification, DataError, ModelFileError, UsageError
from edgekit.metadata import InputMetadata, Metadata, Normalization
from edgekit.metadata.types import ResizeRule
from edgekit.results import DepthMap, Detection, Embedding, Picture, Pose, Result, Segmentation
from edgekit.tasks import Output, Settings, View, build_task, frame_view

RULES = st.sampled_from(get_args(ResizeRule))
Call = Callable[..., int]


def read(
    task: str, arrays: list[np.ndarray[Any, Any]], view: View, head: str | None = None, labels: tuple[str, ...] = (),
    **more: Any,
) -> Result:
    outputs = [Output(f"out{at}", array.shape, labels=labels) for at, array in enumerate(arrays)]
    size = (view.input_width, view.input_height)
    built = build_task(task, outputs, settings=Settings(**more), size=size, head=head)
    return built([array.astype(np.float32) for array in arrays], "cpu", view)


def seen(view: View, x: float, y: float) -> tuple[float, float]:
    """A place of the frame, from fractions of what the network sees of it, as fractions of the network's picture."""
    target = view.target
    return (target.left + x * target.width) / view.input_width, (target.top + y * target.height) / view.input_height


def in_frame(view: View, x: float, y: float) -> tuple[float, float]:
    """The same place in pixels of the frame."""
    return view.source.left + x * view.source.width, view.source.top + y * view.source.height


@settings(deadline=None, max_examples=40)
@given(
    st.integers(20, 2000), st.integers(20, 2000), RULES,
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=17, max_size=17),
)
def test_keypoints_come_back_in_the_frame(
    width: int, height: int, rule: ResizeRule, places: list[tuple[float, float]]
) -> None:
    view = frame_view(width, height, 257, 193, rule)
    fractions = [seen(view, *place) for place in places]
    expected = [in_frame(view, *place) for place in places]
    near = 1e-4 * max(width, height) * 257 / min(view.target.width, view.target.height)

    def check(result: Result) -> None:
        assert isinstance(result, Pose)
        assert result.keypoints[0].name == "nose"
        for point, wanted in zip(result.keypoints, expected, strict=True):
            assert (point.x, point.y) == pytest.approx(wanted, abs=near)

    one = np.array([[y, x, 0.5] for x, y in fractions])
    check(read("pose", [one[None, None]], view))
    several = np.zeros((1, 6, 56))
    several[0, 2, :51], several[0, 2, 51:] = one.ravel(), [0, 0, 1, 1, 0.9]
    check(read("pose", [several], view))
    grid = np.zeros((1, 56, 32 * 24 + 16 * 12 + 8 * 6))
    grid[0, :5, 7] = [0.5, 0.5, 1, 1, 0.9]
    grid[0, 5:, 7] = np.array([[x, y, 0.5] for x, y in fractions]).ravel()
    check(read("pose", [grid], view, "yolov8-pose"))
    heat, offsets = np.full((1, 13, 17, 17), -9.0), np.zeros((1, 13, 17, 34))
    for at, (x, y) in enumerate(fractions):
        column, row = min(16, int(x * 16)), min(12, int(y * 12))
        heat[0, row, column, at] = 3.0
        offsets[0, row, column, [at, 17 + at]] = [y * 193 - row * 16, x * 257 - column * 16]
    check(read("pose", [offsets, heat], view))


def test_several_bodies_are_objects_with_keypoints() -> None:
    bodies = np.zeros((1, 6, 56))
    bodies[0, 0, 51:], bodies[0, 3, 51:] = [0.1, 0.1, 0.5, 0.4, 0.6], [0.2, 0.5, 0.9, 0.9, 0.8]
    result = read("pose", [bodies], frame_view(100, 100, 256, 256))
    assert isinstance(result, Pose)
    found = result.payload()
    assert [item["label"] for item in found["objects"]] == ["person", "person"]
    assert found["objects"][0]["box"] == [50, 20, 90, 90]
    assert len(found["keypoints"]) == len(found["objects"][1]["keypoints"]) == 17
    best = result.best("person", 0.7)
    assert best is not None
    assert best.center == pytest.approx((70, 55))
    nobody = read("pose", [np.zeros((1, 6, 56))], frame_view(9, 9, 256, 256))
    assert nobody.payload() == {"keypoints": [], "objects": []}


@settings(deadline=None, max_examples=40)
@given(st.integers(8, 700), st.integers(8, 700), st.sampled_from(["stretch", "letterbox"]), st.data())
def test_a_mask_on_the_frame_has_the_classes_of_the_frame_s_pixels(
    width: int, height: int, rule: ResizeRule, data: st.DataObject
) -> None:
    """A mask of left and right: each pixel of the frame gets the side on which the network saw it."""
    view = frame_view(width, height, 64, 48, rule)
    edge = data.draw(st.integers(view.target.left, view.target.left + view.target.width))
    mask = np.zeros((1, 48, 64))
    mask[:, :, edge:] = 1
    result = read("segmentation", [mask], view, "class-numbers", labels=("left", "right"))
    assert isinstance(result, Segmentation)
    frame = result.on_frame()
    assert frame.shape == (height, width)
    places = (np.arange(width) + 0.5) * view.target.width / width + view.target.left
    sure = np.abs(places - edge) > 1e-6
    assert (frame[:, sure] == (places >= edge)[sure]).all()
    assert sum(found.share for found in result.classes) == pytest.approx(1)
    assert result.share("right") == pytest.approx((view.target.left + view.target.width - edge) / view.target.width)


def test_masks_of_scores_numbers_and_one_score_agree() -> None:
    view = frame_view(20, 10, 16, 16)
    numbers = np.zeros((1, 16, 16))
    numbers[:, 4:8] = 1
    scores = np.stack((numbers == 0, numbers == 1), axis=-1) * 5.0
    expected = {"mask": {"width": 16, "height": 16, "classes": [
        {"index": 0, "label": "", "share": 0.75}, {"index": 1, "label": "", "share": 0.25},
    ]}}
    assert read("segmentation", [scores], view).payload() == expected
    assert read("segmentation", [numbers], view, "class-numbers").payload() == expected
    assert read("segmentation", [numbers[..., None] * 0.8], view, "binary-mask", score=0.6).payload() == expected
    named = read("segmentation", [numbers[..., None]], view, "binary-mask", labels=("person",))
    assert isinstance(named, Segmentation)
    assert [found.label for found in named.classes] == ["", "person"]
    large = read("segmentation", [numbers * 300], view, "class-numbers")
    assert isinstance(large, Segmentation)
    assert large.mask.max() == 300
    with pytest.raises(UsageError, match="in 2 ways") as caught:
        read("segmentation", [numbers], view)
    assert "class-numbers, binary-mask" in caught.value.hint
    with pytest.raises(DataError, match="3 labels for 2 classes"):
        read("segmentation", [scores], view, labels=("a", "b", "c"))


def test_a_letterbox_s_bars_are_no_part_of_maps_and_pictures() -> None:
    view = frame_view(32, 16, 16, 16, "letterbox")
    values = np.full((1, 16, 16, 1), 9.0)
    values[0, 4:12] = 0.5
    depth = read("depth", [values], view)
    assert isinstance(depth, DepthMap)
    assert depth.area == (0, 0, 32, 16)
    assert depth.payload() == {"depth": {"width": 16, "height": 8, "minimum": 0.5, "maximum": 0.5, "mean": 0.5}}
    assert (depth.on_frame() == 0.5).all()
    enlarged = np.repeat(np.repeat(values, 4, axis=1), 4, axis=2) * [1.0, 0.0, 2.0]
    picture = read("image", [enlarged], view, "image-0..1")
    assert isinstance(picture, Picture)
    assert picture.image.shape == (32, 64, 3)
    assert picture.image[0, 0].tolist() == [128, 0, 255]
    signed = read("image", [values - 0.5], view, "image-1..1")
    assert isinstance(signed, Picture)
    assert signed.image[0, 0].tolist() == [128]
    assert signed.payload()["image"]["channels"] == 1
    empty = read("depth", [values * np.nan], view)
    assert empty.payload()["depth"]["mean"] is None


def test_a_crop_s_map_covers_its_part_of_the_frame() -> None:
    depth = read("depth", [np.ones((1, 16, 16))], frame_view(32, 16, 16, 16, "crop"))
    assert isinstance(depth, DepthMap)
    assert depth.area == (8, 0, 24, 16)
    assert np.isnan(depth.on_frame()).sum() == 16 * 16


def test_vectors_are_compared_by_their_angle() -> None:
    view = frame_view(1, 1, 1, 1)
    one, other = (read("embedding", [np.array([[3.0, 4.0 * sign]])], view) for sign in (1, -1))
    assert isinstance(one, Embedding)
    assert isinstance(other, Embedding)
    assert one.payload() == {"embedding": [3.0, 4.0]}
    assert one.similarity(other) == pytest.approx(-7 / 25)
    with pytest.raises(UsageError, match="no score"):
        read("embedding", [np.ones((1, 2))], view, score=0.5)


def test_a_least_score_is_refused_where_it_would_do_nothing() -> None:
    view = frame_view(16, 16, 16, 16)
    plane, body = np.zeros((1, 16, 16, 1)), np.zeros((1, 1, 17, 3))
    for task, array, head in (
        ("depth", plane, None), ("values", plane, None), ("image", plane, "image-0..1"), ("pose", body, None),
        ("segmentation", plane, "class-numbers"), ("classification", np.zeros((1, 5)), None),
    ):
        with pytest.raises(UsageError, match=r"no least score|of any score"):
            read(task, [array], view, head, score=0.5)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Pictures of 8 by 8 pixels, dark ones with light at the pixels whose numbers end in the digit in the name."""
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(3)
    for digit in range(3):
        folder = tmp_path / "people" / f"number {digit}"
        folder.mkdir(parents=True)
        for at in range(3):
            light = np.where(np.arange(64) % 10 == digit, 220, 0) + rng.integers(0, 30, 64)
            assert cv2.imwrite(str(folder / f"{at}.png"), light.astype(np.uint8).reshape(8, 8))
    return tmp_path / "people"


@pytest.fixture
def enroll(monkeypatch: pytest.MonkeyPatch) -> Call:
    def run(*arguments: object) -> int:
        monkeypatch.setattr("sys.argv", ["edgekit", "enroll", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            edgekit_main()
        assert isinstance(caught.value.code, int)
        return caught.value.code

    from edgekit.cli import main as edgekit_main

    return run


def test_labels_are_taught_from_a_few_pictures_and_found_again(
    tiny_classifier: Path, people: Path, tmp_path: Path, enroll: Call, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    taught = tmp_path / "people.npz"
    assert enroll(tiny_classifier, people, "-o", taught, "--json") == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts["labels"] == {"number 0": 3, "number 1": 3, "number 2": 3}
    assert facts["left_out"]["right"] == facts["left_out"]["samples"] == 9
    assert call(tiny_classifier, people, "--enrolled", taught, "--top", 1) == 0
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["classes"][0]["label"] for line in found] == [f"number {n}" for n in (0, 0, 0, 1, 1, 1, 2, 2, 2)]

    (people / "number 1").rename(tmp_path / "later")
    (tmp_path / "new").mkdir()
    (tmp_path / "later").rename(tmp_path / "new" / "the first")
    assert enroll(tiny_classifier, tmp_path / "new", "-o", taught, "--add") == 0
    assert "4 labels, by number of pictures: number 0 (3)" in capfd.readouterr().out
    model = edgekit.load(tiny_classifier, enrolled=taught, score=0.999999)
    result = model(np.zeros((8, 8), np.uint8))
    assert isinstance(result, Classification)
    assert result.classes == ()  # like none of them


def test_what_cannot_be_enrolled_is_said(
    tiny_classifier: Path, people: Path, tmp_path: Path, enroll: Call, capfd: pytest.CaptureFixture[str],
    photo_model: Path,
) -> None:
    taught = tmp_path / "people.npz"
    (people / "number 0" / "0.png").write_bytes(b"no picture")
    assert enroll(tiny_classifier, people, "-o", taught) == 1
    assert "skipped" in capfd.readouterr().err
    with pytest.raises(DataError, match="another model"):
        edgekit.load(photo_model, enrolled=taught, normalize="0..1")
    taught.write_bytes(taught.read_bytes()[:100])
    with pytest.raises(DataError, match="not a file of enrolled labels"):
        edgekit.load(tiny_classifier, enrolled=taught)
    assert enroll(tiny_classifier, people, "-o", taught) == 1
    with pytest.raises(UsageError, match="task embedding, not values"):
        edgekit.load(tiny_classifier, enrolled=taught, task="values")
    (people / "loose.png").write_bytes((people / "number 1" / "0.png").read_bytes())
    assert enroll(tiny_classifier, people, "-o", taught) == 2
    assert "lies in no subfolder" in capfd.readouterr().err


def test_the_head_comes_from_the_file_unless_it_is_given(
    build: Callable[..., Path], describe: Callable[[Path, Metadata], None], tmp_path: Path
) -> None:
    """A network that gives its picture back: three channels, of which the file says what they are."""
    path = build("ABS", [("image", (1, 16, 16, 3), "float32")], [("y", (1, 16, 16, 3), "float32")])
    picture = InputMetadata(content="image", normalization=Normalization((0.0,), (255.0,)))
    describe(path, Metadata(inputs=(picture,), task="image", head="image-0..1"))
    frame = np.full((32, 32, 3), 51, np.uint8)
    found = edgekit.load(path)(frame)
    assert isinstance(found, Picture)
    assert (found.image == 51).all()
    assert isinstance(edgekit.load(path, head="class-scores")(frame), Segmentation)
    assert edgekit.load(path, task="values").task == "values"
    describe(path, Metadata(inputs=(picture,), task="detection", head="ssd", head_options={"strides": [8]}))
    assert edgekit.metadata.read(path).head_options == {"strides": [8]}
    with pytest.raises(UsageError, match=r"head ssd needs two outputs.*there is y \[1, 16, 16, 3\]"):
        edgekit.load(path)


def test_movenet_finds_the_published_keypoints(shared: Path) -> None:
    from edgekit.images import read_image

    model = edgekit.load(shared / "tflite" / "movenet_single_pose_lightning_ptq.tflite")
    assert model.task == "pose"
    frame = read_image(shared / "images" / "squat.bmp")
    result = model(frame, channels="bgr")
    assert isinstance(result, Pose)
    with (shared / "tflite" / "movenet_single_pose_lightning_ptq_reference.csv").open() as file:
        reference = list(csv.DictReader(file))
    height, width = frame.shape[:2]
    compared = 0
    for row, point in zip(reference, result.keypoints, strict=True):
        if float(row["keypoint_score"]) > 0.3:
            compared += 1
            assert abs(point.x / width - float(row["keypoint_x"])) < 0.04
            assert abs(point.y / height - float(row["keypoint_y"])) < 0.04
    assert compared > 10


def test_real_models_tell_their_heads(shared: Path) -> None:
    from edgekit.images import read_image

    models = shared / "edgetpu" / "models"
    cat = read_image(shared / "images" / "cat.bmp")
    segmented = edgekit.load(models / "test_data__deeplabv3_mnv2_dm05_pascal_quant.tflite")(cat, channels="bgr")
    assert isinstance(segmented, Segmentation)
    assert {found.index for found in segmented.classes} == {0, 8}  # background and cat, of Pascal VOC
    faces = edgekit.load(models / "thermal-face__thermal_face_automl_edge_fast.tflite", resize="letterbox")
    found = faces(read_image(shared / "images" / "grace_hopper.bmp"), channels="bgr")
    assert isinstance(found, Detection)
    assert len(found.objects) == 1
    assert 150 < found.objects[0].center[0] < 350


@pytest.mark.parametrize(
    "name", ["posenet_mobilenet_v1_075_353_481_16_quant_decoder", "bodypix_mobilenet_v1_075_512_512_16_quant_decoder"]
)
def test_posenet_runs_without_coral_s_own_decoder(shared: Path, name: str) -> None:
    """It agrees with MoveNet on where all that both are sure of is."""
    from edgekit.images import read_image

    frame = read_image(shared / "images" / "squat.bmp")
    model = edgekit.load(shared / "edgetpu" / "models" / f"test_data__{name}.tflite", resize="letterbox")
    assert [output.shape[-1] for output in model.outputs] == [17, 34]
    found = model(frame, channels="bgr")
    other = edgekit.load(shared / "tflite" / "movenet_single_pose_lightning_ptq.tflite")(frame, channels="bgr")
    assert isinstance(found, Pose)
    assert isinstance(other, Pose)
    both = [
        (one, two) for one, two in zip(found.keypoints, other.keypoints, strict=True)
        if one.score > 0.6 and two.score > 0.4
    ]
    assert len(both) > 8
    for one, two in both:
        assert abs(one.x - two.x) < 0.06 * frame.shape[1]
        assert abs(one.y - two.y) < 0.06 * frame.shape[0]


def test_a_decoder_of_poses_that_is_not_where_it_should_be_is_refused(build: Callable[..., Path]) -> None:
    path = build(
        "CUSTOM", [("image", (1, 8, 8, 3), "float32")], [("poses", (1, 8), "float32")], code="PosenetDecoderOp"
    )
    with pytest.raises(ModelFileError, match="PosenetDecoderOp") as caught:
        edgekit.load(path, normalize="0..1")
    assert "MoveNet" in caught.value.hint


@pytest.mark.convert
def test_a_converted_detector_carries_its_task_and_head(
    in_process: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], call: Call
) -> None:
    """A network of two convolutions whose outputs are offsets from 64 anchors, and three scores at each."""
    keras = pytest.importorskip("keras")
    picture = keras.Input((32, 32, 3), name="picture")
    grid = keras.layers.Conv2D(4, 4, 4, activation="relu")(picture)
    boxes = keras.layers.Reshape((64, 4), name="boxes")(keras.layers.Conv2D(4, 1)(grid))
    scores = keras.layers.Reshape((64, 3), name="scores")(keras.layers.Conv2D(3, 1, activation="sigmoid")(grid))
    keras.Model(picture, [boxes, scores]).save(tmp_path / "ssd.keras")
    np.save(tmp_path / "anchors.npy", np.full((64, 4), 0.5))
    np.save(tmp_path / "samples.npy", np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3)).astype(np.float32))
    made = edgekit.convert(
        tmp_path / "ssd.keras", tmp_path / "ssd.tflite", precision="float32", task="detection", head="ssd",
        head_options=[f"anchors={tmp_path / 'anchors.npy'}"], labels=["background", "cat", "dog"], normalize="0..1",
    )
    assert made.task == "detection"
    about = edgekit.metadata.read(tmp_path / "ssd.tflite")
    assert (about.task, about.head) == ("detection", "ssd")
    (tmp_path / "anchors.npy").unlink()
    result = edgekit.load(tmp_path / "ssd.tflite", score=0.0)(np.zeros((20, 40, 3), np.uint8))
    assert isinstance(result, Detection)
    assert {item.label for item in result.objects} <= {"background", "cat", "dog"}
    with pytest.raises(UsageError, match="head yolov8 needs one output"):
        edgekit.convert(tmp_path / "ssd.keras", tmp_path / "x.tflite", precision="float32", head="yolov8")
