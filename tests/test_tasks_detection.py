"""Boxes that are written into tensors as each head has them come back, in the frame that the picture was made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgekit import DataError, UsageError
from edgekit.metadata.types import ResizeRule
from edgekit.results import Detection
from edgekit.tasks import Output, Settings, Tensors, View, build_task, choose_head, choose_task, frame_view
from edgekit.tasks.detection.anchors import SsdAnchors, fixed_anchors
from edgekit.tasks.detection.centernet import peaks

pytest.importorskip("cv2", reason="boxes are compared by OpenCV: pip install 'edgekit-sdk[camera]'")

Arrays = list[np.ndarray[Any, np.dtype[Any]]]
RULES = st.sampled_from(get_args(ResizeRule))
SIDE = 64
"""Of the network's picture."""
CLASSES = 9


@dataclass(frozen=True)
class Scene:
    """Some boxes as fractions of the network's picture, each in a ninth of it, and where that lies in a frame."""

    view: View
    boxes: tuple[tuple[float, float, float, float], ...]
    classes: tuple[int, ...]
    scores: tuple[float, ...]

    def expected(self) -> list[tuple[int, list[float]]]:
        """Class and box in the frame, best first."""
        ranked = sorted(zip(self.scores, self.classes, self.boxes, strict=True), reverse=True)
        return [(index, self.in_frame(box)) for _, index, box in ranked]

    def in_frame(self, box: Sequence[float]) -> list[float]:
        source, target = self.view.source, self.view.target
        x = [source.left + (u * SIDE - target.left) * source.width / target.width for u in box[0::2]]
        y = [source.top + (v * SIDE - target.top) * source.height / target.height for v in box[1::2]]
        return [x[0], y[0], x[1], y[1]]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    view = frame_view(
        draw(st.integers(40, 2000)), draw(st.integers(40, 2000)), SIDE, SIDE, draw(RULES)
    )
    cells = draw(st.lists(st.integers(0, 8), min_size=0, max_size=5, unique=True))
    classes = draw(st.permutations(range(CLASSES)))[: len(cells)]
    scores = [0.6 + 0.03 * number for number in draw(st.permutations(range(9)))[: len(cells)]]
    part = st.floats(0.05, 0.35)
    boxes = []
    for cell in cells:
        inside = [draw(part), draw(part), 1 - draw(part), 1 - draw(part)]
        along = [(cell % 3 + value) / 3 for value in inside[0::2]]
        down = [(cell // 3 + value) / 3 for value in inside[1::2]]
        target = view.target
        x = [(target.left + value * target.width) / SIDE for value in along]
        y = [(target.top + value * target.height) / SIDE for value in down]
        boxes.append((x[0], y[0], x[1], y[1]))
    return Scene(view, tuple(boxes), tuple(classes), tuple(scores))


def shapes(arrays: Arrays, names: Sequence[str] = (), **more: Any) -> tuple[Output, ...]:
    titles = names or [f"out{at}" for at in range(len(arrays))]
    return tuple(Output(name, array.shape, **more) for name, array in zip(titles, arrays, strict=True))


def detect(scene: Scene, arrays: Arrays, head: str, names: Sequence[str] = (), **options: object) -> Detection:
    outputs = shapes(arrays, names)
    task = build_task(
        "detection", outputs, settings=Settings(score=0.5, options=options), size=(SIDE, SIDE), head=head
    )
    result = task([array.astype(np.float32) for array in arrays], "cpu", scene.view)
    assert isinstance(result, Detection)
    return result


def check(scene: Scene, result: Detection) -> None:
    found = [(item.index, list(item.box)) for item in result.objects]
    expected = scene.expected()
    assert [index for index, _ in found] == [index for index, _ in expected]
    tolerance = 2e-5 * SIDE * max(
        scene.view.source.width / scene.view.target.width, scene.view.source.height / scene.view.target.height
    )
    for (_, box), (_, wanted) in zip(found, expected, strict=True):
        assert box == pytest.approx(wanted, abs=tolerance)
    assert [item.score for item in result.objects] == pytest.approx(sorted(scene.scores, reverse=True), abs=1e-5)


def middles(scene: Scene) -> np.ndarray[Any, Any]:
    """Middle's x and y, width and height of each box."""
    boxes = np.array(scene.boxes).reshape(-1, 4)
    return np.concatenate(((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), axis=1)


@settings(deadline=None, max_examples=40)
@given(scenes(), st.permutations(range(4)))
def test_tflite_postprocess(scene: Scene, order: list[int]) -> None:
    rows = 10
    boxes, classes, scores = np.zeros((1, rows, 4)), np.zeros((1, rows)), np.zeros((1, rows))
    for at, (left, top, right, bottom) in enumerate(scene.boxes):
        boxes[0, at], classes[0, at], scores[0, at] = (top, left, bottom, right), scene.classes[at], scene.scores[at]
    scores[0, len(scene.boxes) :] = 0.99  # does not count
    parts = [boxes, classes, scores, np.array([float(len(scene.boxes))])]
    words = ["boxes", "classes", "scores", "count"]
    check(
        scene,
        detect(scene, [parts[at] for at in order], "tflite-postprocess", order=",".join(words[at] for at in order)),
    )
    names = ["detection_boxes", "detection_classes", "detection_scores", "num_detections"]
    check(scene, detect(scene, [parts[at] for at in order], "tflite-postprocess", [names[at] for at in order]))


def grid_table(scene: Scene, per_place: int, values: int, seed: int) -> tuple[Any, Any]:
    """A table (values, boxes) over the whole grid with zeros for scores, and the places of the scene's boxes."""
    count = per_place * sum((SIDE // stride) ** 2 for stride in (8, 16, 32))
    table = np.zeros((values, count))
    table[:2] = np.linspace(0.02, 0.98, count)
    table[2:4] = 0.1
    places = np.random.default_rng(seed).choice(count, len(scene.boxes), replace=False)
    table[:4, places] = middles(scene).T
    return table, places


@settings(deadline=None, max_examples=40)
@given(scenes(), st.integers(0, 99), st.booleans(), st.booleans())
def test_yolov8_either_way_round_in_fractions_or_pixels(scene: Scene, seed: int, turned: bool, pixels: bool) -> None:
    table, places = grid_table(scene, 1, 4 + CLASSES, seed)
    for at, place in enumerate(places):
        table[4 + scene.classes[at], place] = scene.scores[at]
    table[:4] *= SIDE if pixels else 1
    check(scene, detect(scene, [(table.T if turned else table)[None]], "yolov8"))


@settings(deadline=None, max_examples=40)
@given(scenes(), st.integers(0, 99))
def test_yolov5_multiplies_by_the_score_of_any_object(scene: Scene, seed: int) -> None:
    table, places = grid_table(scene, 3, 5 + CLASSES, seed)
    for at, place in enumerate(places):
        table[4, place], table[5 + scene.classes[at], place] = 0.9, scene.scores[at] / 0.9
    check(scene, detect(scene, [table.T[None]], "yolov5"))


@settings(deadline=None, max_examples=40)
@given(scenes(), st.booleans())
def test_yolo_end_to_end(scene: Scene, pixels: bool) -> None:
    table = np.zeros((1, 300, 6))
    for at, box in enumerate(scene.boxes):
        table[0, at] = [*(value * (SIDE if pixels else 1) for value in box), scene.scores[at], scene.classes[at]]
    if pixels and not scene.boxes:
        return
    check(scene, detect(scene, [table], "yolo-end2end", coordinates="pixels" if pixels else "auto"))


@settings(deadline=None, max_examples=40)
@given(scenes(), st.booleans(), st.sampled_from(["none", "sigmoid"]))
def test_ssd_with_anchors_that_are_made(scene: Scene, swapped: bool, activation: str) -> None:
    way = SsdAnchors(strides=(8, 16, 32))
    anchors = way.make(SIDE, SIDE)
    scores = np.full((1, len(anchors), 1 + CLASSES), 0.01)
    offsets = np.zeros((1, len(anchors), 4))
    free = set(range(len(anchors)))
    for at, (x, y, width, height) in enumerate(middles(scene)):
        near = min(free, key=lambda place: abs(anchors[place, 0] - x) + abs(anchors[place, 1] - y))
        free.discard(near)
        ax, ay, aw, ah = anchors[near]
        offsets[0, near] = [10 * (y - ay) / ah, 10 * (x - ax) / aw, 5 * log(height / ah), 5 * log(width / aw)]
        scores[0, near, 1 + scene.classes[at]] = scene.scores[at]
    if activation == "sigmoid":
        scores = np.log(scores / (1 - scores))
    arrays = [scores, offsets] if swapped else [offsets, scores]
    check(scene, detect(scene, arrays, "ssd", strides="8,16,32", activation=activation))
    centres = anchors[:, [1, 0, 3, 2]].tolist()
    check(scene, detect(scene, arrays, "ssd", anchors=centres, activation=activation))


@settings(deadline=None, max_examples=40)
@given(scenes(), st.booleans())
def test_centernet(scene: Scene, swapped: bool) -> None:
    side = 32
    pixels = [(int(y * side), int(x * side)) for x, y, _, _ in middles(scene)]
    assume(len(set(pixels)) == len(pixels))  # one pixel of the maps holds one size
    heat, size, offset = np.zeros((side, side, CLASSES)), np.zeros((side, side, 2)), np.zeros((side, side, 2))
    for at, (x, y, width, height) in enumerate(middles(scene)):
        row, column = int(y * side), int(x * side)
        heat[row, column, scene.classes[at]] = scene.scores[at]
        heat[row, min(column + 1, side - 1), scene.classes[at]] = max(
            scene.scores[at] - 0.05, heat[row, min(column + 1, side - 1), scene.classes[at]]
        )
        offset[row, column] = (x * side - column, y * side - row)
        size[row, column] = (width * side, height * side)
    if swapped:
        offset, size = offset[..., ::-1], size[..., ::-1]
    arrays = [offset[None], heat[None], size[None]]
    names = ["reg_offset", "hm", "wh"]
    check(scene, detect(scene, arrays, "centernet", names, axes="yx" if swapped else "xy", activation="none"))


@settings(deadline=None, max_examples=40)
@given(scenes(), st.booleans())
def test_blazeface_with_its_keypoints(scene: Scene, swapped: bool) -> None:
    strides = (8, 16, 16, 16)
    anchors = fixed_anchors(SIDE, SIDE, strides, 2)
    values, scores = np.zeros((1, len(anchors), 16)), np.full((1, len(anchors), 1), -50.0)
    free = set(range(len(anchors)))
    for at, (x, y, width, height) in enumerate(middles(scene)):
        near = min(free, key=lambda place: abs(anchors[place, 0] - x) + abs(anchors[place, 1] - y))
        free.discard(near)
        ax, ay = anchors[near]
        values[0, near, :4] = np.array([x - ax, y - ay, width, height]) * SIDE
        values[0, near, 4:6] = np.array([x - ax, y - ay]) * SIDE
        scores[0, near, 0] = log(scene.scores[at] / (1 - scene.scores[at]))
    faces = Scene(scene.view, scene.boxes, (0,) * len(scene.boxes), scene.scores)
    result = detect(faces, [scores, values] if swapped else [values, scores], "blazeface")
    check(faces, result)
    for item in result.objects:
        assert item.label == "face"
        assert [point.name for point in item.keypoints][:3] == ["right_eye", "left_eye", "nose"]
        eye = item.keypoints[0]
        assert (eye.x, eye.y) == pytest.approx(item.center, abs=0.05 * max(scene.view.width, scene.view.height) / SIDE)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_of_boxes_of_a_class_that_overlap_too_much_the_best_remains(overlap: float, iou: float) -> None:
    """Two boxes of width 1 whose intersection over union is `overlap`, in one class and in two."""
    if abs(overlap - iou) < 1e-3:
        return
    shift = (1 - overlap) / (1 + overlap)
    table = np.zeros((1, 6, 84), np.float32)
    table[0, :2] = np.linspace(0, 1, 84)
    table[0, :5, 0] = [0.3, 0.3, 0.2, 0.2, 0.8]
    table[0, :5, 1] = [0.3 + 0.2 * shift, 0.3, 0.2, 0.2, 0.9]
    outputs = (Output("y", table.shape),)
    task = build_task("detection", outputs, settings=Settings(score=0.5, iou=iou), size=(64, 64), head="yolov8")
    view = frame_view(640, 640, 64, 64)
    result = task([table], "cpu", view)
    assert isinstance(result, Detection)
    assert [round(item.score, 3) for item in result.objects] == ([0.9] if overlap > iou else [0.9, 0.8])
    table[0, 4:6, 1] = table[0, 5:3:-1, 1]
    result = task([table], "cpu", view)
    assert isinstance(result, Detection)
    assert [item.index for item in result.objects] == [1, 0]


def test_the_anchors_of_a_published_ssd_are_made() -> None:
    """SSD MobileNet with 300 pixels has 1,917, BlazeFace 896 near by, 2,304 far away, and the palm detector 2,016."""
    anchors = SsdAnchors().make(300, 300)
    assert anchors.shape == (1917, 4)
    assert anchors[0] == pytest.approx([0.5 / 19, 0.5 / 19, 0.1, 0.1])
    assert anchors[-1] == pytest.approx([0.5, 0.5, 0.974679, 0.974679], abs=1e-5)
    assert len(fixed_anchors(128, 128, (8, 16, 16, 16), 2)) == 896
    assert len(fixed_anchors(192, 192, (4,), 1)) == 2304
    assert len(fixed_anchors(192, 192, (8, 16, 16, 16), 2)) == 2016


def test_a_plateau_of_a_heat_map_is_one_peak() -> None:
    heat = np.zeros((4, 5, 1), np.float32)
    heat[1, 1:3], heat[3, 4] = 0.7, 0.6
    rows, columns, _ = peaks(heat, 0.5)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(1, 1), (3, 4)]


POST = "TFLite_Detection_PostProcess"


@pytest.mark.parametrize(
    ("outputs", "size", "task", "head"),
    [
        ([Output(f"StatefulPartitionedCall:{at}", (), operator=POST, place=p) for at, p in enumerate((3, 2, 1, 0))],
         (320, 320), "detection", "tflite-postprocess"),
        ([Output(POST, ()), *(Output(f"{POST}:{at}", ()) for at in (1, 2, 3))], (300, 300), "detection",
         "tflite-postprocess"),
        ([Output("y", (1, 84, 8400))], (640, 640), "detection", "yolov8"),
        ([Output("y", (1, 2100, 84))], (320, 320), "detection", "yolov8"),
        ([Output("y", (1, 25200, 85))], (640, 640), "detection", "yolov5"),
        ([Output("y", (1, 896, 16)), Output("z", (1, 896, 1))], (128, 128), "detection", "blazeface"),
        ([Output("y", (1, 1, 17, 3))], (192, 192), "pose", "movenet"),
        ([Output("y", (1, 6, 56))], (256, 256), "pose", "movenet-multipose"),
        ([Output("a", (1, 9, 9, 34)), Output("b", (1, 9, 9, 17))], (257, 257), "pose", "posenet"),
        ([Output("y", (1, 513, 513), operator="ARG_MAX")], (513, 513), "segmentation", "class-numbers"),
        ([Output("y", (1, 64, 64, 3), "SOFTMAX")], (64, 64), "segmentation", "class-scores"),
    ],
)
def test_a_head_is_known_by_names_shapes_and_operations(
    outputs: list[Output], size: tuple[int, int], task: str, head: str
) -> None:
    tensors = Tensors(tuple(outputs), *size)
    assert choose_task(outputs, wanted=None, from_file=None, labelled=False, size=size) == task
    assert choose_head(task, tensors).name == head


@pytest.mark.parametrize(
    ("outputs", "size", "candidates"),
    [
        ([Output("y", (1, 56, 8400))], (640, 640), ["yolov8", "yolov8-pose"]),  # 52 classes, or 17 keypoints
        ([Output("y", (1, 300, 6))], (640, 640), ["yolo-end2end"]),
        ([Output("y", (1, 64, 64, 1))], (64, 64), ["class-numbers", "binary-mask", "depth-map", "image-0..1"]),
        ([Output("a", (1, 1917, 4)), Output("b", (1, 1917, 91))], (300, 300), ["ssd"]),
    ],
)
def test_in_doubt_the_candidates_are_named_and_values_given(
    outputs: list[Output], size: tuple[int, int], candidates: list[str]
) -> None:
    with pytest.warns(UserWarning, match="do not tell what they are") as caught:
        assert choose_task(outputs, wanted=None, from_file=None, labelled=False, size=size) == "values"
    for name in candidates:
        assert name in str(caught[0].message)


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises((UsageError, DataError)) as caught:
        make()
    return str(caught.value)


def test_a_misfit_says_what_was_expected_and_what_is_there() -> None:
    outputs = (Output("y", (1, 84, 8401)),)

    def build(head: str | None = None, found: Sequence[Output] = outputs, **options: object) -> Callable[[], object]:
        return lambda: build_task(
            "detection", found, settings=Settings(options=options), size=(640, 640), head=head
        )

    said = refusal(build("yolov8"))
    assert "head yolov8 needs one output [1, 4 + classes, N]" in said
    assert "there is y [1, 84, 8401] from a picture of 640 x 640" in said
    assert "blazeface: two outputs" in refusal(build())
    assert "did you mean 'yolov8'" in refusal(build("yolo8")).lower()
    grid = (Output("y", (1, 84, 8400)),)
    assert "cannot be 'stride'" in refusal(build("yolov8", grid, stride=8))
    assert "Choose one of auto, fractions, pixels" in refusal(build("yolov8", grid, coordinates="metres"))
    assert "79 labels for 80 classes" in refusal(
        build("yolov8", (Output("y", (1, 84, 8400), labels=("a",) * 79),))
    )
    ssd = (Output("a", (1, 1917, 4)), Output("b", (1, 1917, 91)))
    assert "neither sigmoid nor softmax" in refusal(lambda: build_task("detection", ssd, size=(300, 300), head="ssd"))
    wrong = (Output("a", (1, 1918, 4)), Output("b", (1, 1918, 91), "LOGISTIC"))
    assert "make 1917 anchors" in refusal(lambda: build_task("detection", wrong, size=(300, 300), head="ssd"))
    four = (Output("a", (1, 5, 4)), Output("b", (1, 5)), Output("c", (1, 5)), Output("d", (1,)))
    assert "order=boxes,classes,scores,count" in refusal(build("tflite-postprocess", four))
    assert "order is 'boxes'" in refusal(build("tflite-postprocess", four, order="boxes"))


def test_numbers_that_are_none_are_no_objects() -> None:
    table = np.full((1, 6, 84), np.nan, np.float32)
    table[0, :, 3] = [np.inf, 0.5, 0.1, 0.1, 0.9, 0]
    task = build_task("detection", (Output("y", table.shape),), size=(64, 64), head="yolov8")
    result = task([table], "cpu", frame_view(64, 64, 64, 64))
    assert result.payload() == {"objects": []}
