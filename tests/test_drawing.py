"""Results drawn on their frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit import Result
from edgekit.drawing import annotate, canvas
from edgekit.results import (
    Classification,
    ClassShare,
    DepthMap,
    DetectedObject,
    Detection,
    Keypoint,
    Latency,
    Picture,
    Pose,
    ScoredClass,
    Segmentation,
    Values,
)

cv2 = pytest.importorskip("cv2")

GREY = 100
COMMON: dict[str, Any] = {"task": "t", "device": "cpu", "latency": Latency()}
WHOLE = (0.0, 0.0, 64.0, 48.0)


def frame(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    return np.full((height, width, 3), GREY, np.uint8)


def drawn(result: Result, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    given = result if result.frame is not None else replace(result, frame=frame())
    before = None if given.frame is None else given.frame.copy()
    picture = annotate(given, size)
    assert picture is not None
    assert np.array_equal(given.frame, before)  # type: ignore[arg-type]  # the frame itself is left alone
    return picture


def changed(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(picture.astype(int) - GREY) > 8).any(axis=2))


def test_a_result_without_a_frame_has_no_picture() -> None:
    assert annotate(Values(values={}, **COMMON)) is None


def test_a_box_stands_where_the_object_is_whatever_the_size_of_the_picture() -> None:
    found = DetectedObject(1, "", 0.9, (10, 20, 50, 40), id=3)
    result = Detection(objects=(found,), width=64, height=48, **COMMON)
    for scale in (1, 4):
        picture = changed(drawn(result, (64 * scale, 48 * scale)))
        assert picture[40 * scale - 1 : 40 * scale + 2, 30 * scale].any()  # the lower edge
        assert not picture[34 * scale, 44 * scale]  # inside
        assert not picture[24 * scale :, : 8 * scale].any()  # beside it, below the caption


def test_bodies_have_points_and_limbs() -> None:
    arm = (Keypoint("left_shoulder", 10, 10, 0.9), Keypoint("left_elbow", 50, 10, 0.9))
    points = (*arm, Keypoint("nose", 30, 40, 0.1))
    picture = changed(drawn(Pose(keypoints=points, width=64, height=48, **COMMON)))
    assert picture[10, 10]
    assert picture[9:12, 30].any()  # the upper arm
    assert not picture[40, 30]  # not seen well enough


def test_a_mask_colours_its_classes_and_leaves_the_background() -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[3:, 4:] = 1
    classes = (ClassShare(1, "cat", 0.25),)
    result = Segmentation(mask=mask, area=WHOLE, classes=classes, width=64, height=48, **COMMON)
    picture = changed(drawn(result))
    assert picture[26:, 34:].all()
    assert not picture[26:, :30].any()
    assert not picture[20:22, 34:].any()


def test_a_mask_of_a_crop_covers_that_alone() -> None:
    mask = np.ones((4, 4), np.uint8)
    result = Segmentation(mask=mask, area=(8.0, 0.0, 56.0, 48.0), classes=(), width=64, height=48, **COMMON)
    picture = changed(drawn(result))
    assert picture[:, 9:55].all()
    assert not picture[:, :7].any()
    assert not picture[:, 57:].any()


def test_a_map_of_numbers_runs_from_dark_to_bright_and_leaves_holes() -> None:
    depth = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    depth[0, 0] = np.nan
    picture = drawn(DepthMap(depth=depth, area=WHOLE, width=64, height=48, **COMMON))
    assert not changed(picture)[2, 2]
    assert picture[44, 60].astype(int).sum() > picture[4, 12].astype(int).sum()
    nothing = DepthMap(depth=np.full((2, 2), np.nan, np.float32), area=WHOLE, width=64, height=48, **COMMON)
    assert not changed(drawn(nothing)).any()


def test_a_picture_that_a_network_made_is_shown_as_it_is() -> None:
    image = np.zeros((24, 32, 3), np.uint8)
    image[..., 0] = 200  # red
    picture = drawn(Picture(image=image, area=WHOLE, width=64, height=48, **COMMON))
    assert picture[30, 30].tolist() == [0, 0, 200]


def test_classes_stand_in_the_corner_without_those_that_are_hardly_there() -> None:
    one = (ScoredClass(0, "cat", 0.97),)
    many = (*one, ScoredClass(1, "dog", 0.02))
    pictures = [drawn(Classification(classes=classes, **COMMON), (640, 480)) for classes in (one, many)]
    assert changed(pictures[0])[:20, :40].any()
    assert np.array_equal(pictures[0], pictures[1])


def test_colours_keep_their_meaning_in_any_order_of_channels() -> None:
    given = frame()
    given[..., 0] = 255
    result = Values(values={}, **COMMON)
    assert drawn(replace(result, frame=given, frame_channels="rgb"))[40, 40].tolist() == [GREY, GREY, 255]
    assert drawn(replace(result, frame=given))[40, 40].tolist() == [255, GREY, GREY]
    assert drawn(replace(result, frame=given[..., 0]))[40, 40].tolist() == [255, 255, 255]
    assert drawn(replace(result, frame=np.dstack((given, given[..., :1]))))[40, 40].tolist() == [255, GREY, GREY]


def test_what_another_task_puts_under_a_known_key_is_drawn() -> None:
    class Own(Result):
        def payload(self) -> dict[str, Any]:
            return {"objects": [{"box": [10, 20, 50, 40]}], "is_anomaly": True, "score": None}

    assert changed(drawn(Own(**COMMON), (640, 480)))[400, 300]


def test_older_versions_of_opencv_draw_letters_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "FontFace", raising=False)
    result = Classification(classes=(ScoredClass(0, "Straße 猫", 0.97),), **COMMON)
    assert changed(drawn(result, (640, 480)))[:30, :60].any()
    assert canvas._plain("Straße é 猫") == "Strasse e ?"


ANY_NUMBER = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(st.tuples(*[ANY_NUMBER] * 4), max_size=4), st.text(max_size=20), st.integers(1, 40), st.integers(1, 40))
def test_any_box_and_label_on_any_frame(
    boxes: list[tuple[float, float, float, float]], label: str, height: int, width: int
) -> None:
    objects = tuple(DetectedObject(0, label, 0.5, box) for box in boxes)
    points = tuple(Keypoint(label, box[0], box[1], box[2]) for box in boxes)
    result = Pose(keypoints=points, objects=objects, width=width, height=height, frame=frame(height, width), **COMMON)
    assert drawn(result).shape == (height, width, 3)
