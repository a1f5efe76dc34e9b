"""`edgekit.explain`: what it finds is what the model looks at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import edgekit
from edgekit.errors import DataError, UsageError
from edgekit.explaining.explainer import SATURATED, _saturated
from edgekit.explaining.objectives import overlap
from edgekit.explaining.planes import plane_of
from edgekit.explaining.regions import _connected
from edgekit.explaining.types import Region, places, pooled, spread
from edgekit.inputs import Input

Build = Callable[..., Path]


@pytest.fixture
def light() -> NDArray[np.uint8]:
    """A picture that the tiny classifier takes for class 3."""
    return np.where(np.arange(64) % 10 == 3, 255, 0).astype(np.uint8).reshape(8, 8)


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_the_map_shows_the_pixels_that_the_class_answers_to(
    tiny_classifier: Path, light: NDArray[np.uint8], method: str
) -> None:
    found = edgekit.explain(tiny_classifier, light, method=method, baseline="zero", masks=600)
    assert (found.kind, found.index, found.size) == ("picture", 3, (8, 8))
    answering = light > 0
    assert found.heat[answering].min() > found.heat[~answering].max()
    assert found.faithfulness is not None
    assert found.faithfulness.insertion.area > found.faithfulness.deletion.area
    assert found.faithfulness.gain > 0


def test_the_same_seed_gives_the_same_explanation(tiny_classifier: Path, light: NDArray[np.uint8]) -> None:
    first, again = (edgekit.explain(tiny_classifier, light, method="rise", masks=64, seed=5) for _ in range(2))
    other = edgekit.explain(tiny_classifier, light, method="rise", masks=64, seed=6)
    assert np.array_equal(first.cells, again.cells)
    assert first.faithfulness == again.faithfulness
    assert not np.array_equal(first.cells, other.cells)


def test_the_frame_is_masked_and_not_what_was_made_of_it(tiny_classifier: Path) -> None:
    pytest.importorskip("cv2")
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[:240, :320] = 255
    found = edgekit.explain(tiny_classifier, frame, target=0, masks=40, faithful=False)
    assert found.heat.shape == (480, 640)
    assert found.cells.shape == (128, 128)


def test_runs_are_counted_and_told(tiny_classifier: Path, light: NDArray[np.uint8]) -> None:
    told: list[tuple[str, int, int]] = []
    found = edgekit.explain(tiny_classifier, light, masks=50, progress=lambda *what: told.append(what))
    assert found.runs == len(told)
    assert found.masks == 50
    assert all(done <= total for _, done, total in told)


def test_a_slow_device_gets_fewer_masks_and_a_note(tiny_classifier: Path, light: NDArray[np.uint8]) -> None:
    found = edgekit.explain(tiny_classifier, light, masks=500, seconds=1e-9)
    assert found.masks == 32
    assert "500 masks" in found.notes[0]


def test_a_class_can_be_named_or_numbered(tiny_classifier: Path, light: NDArray[np.uint8]) -> None:
    labels = [f"digit {number}" for number in range(10)]
    named = edgekit.explain(tiny_classifier, light, target="digit 4", labels=labels, masks=32, faithful=False)
    numbered = edgekit.explain(tiny_classifier, light, target=4, masks=32, faithful=False)
    assert (named.index, named.label, numbered.index) == (4, "digit 4", 4)
    assert named.score == numbered.score
    with pytest.raises(UsageError, match="no class 'digt 4'") as caught:
        edgekit.explain(tiny_classifier, light, target="digt 4", labels=labels)
    assert "Did you mean 'digit 4'" in caught.value.hint
    with pytest.raises(UsageError, match="no class '10'"):
        edgekit.explain(tiny_classifier, light, target=10)


def test_a_class_that_is_seen_nowhere_gets_a_note(tiny_classifier: Path) -> None:
    found = edgekit.explain(tiny_classifier, np.zeros((8, 8), np.uint8), baseline="zero", masks=32)
    assert "No mask moved" in found.notes[0]
    assert found.regions == ()


@pytest.mark.parametrize(
    ("method", "without", "notes"),
    [("occlusion", 0.996, [SATURATED]), ("occlusion", 0.7, []), ("rise", 0.996, [])],
)
def test_a_first_region_that_moves_nothing_alone_gets_a_note(method: str, without: float, notes: list[str]) -> None:
    assert _saturated(method, (Region((0, 0, 4, 4), 0.5, without),), 0.996) == notes
    assert _saturated(method, (), 0.996) == []


def test_features_are_ranked_by_name(build: Build) -> None:
    path = build("ABS", [("x", (1, 4), "float32")], [("y", (1, 4), "float32")])
    found = edgekit.explain(path, [1.0, -8.0, 0.0, 2.0], target=1, names=["a", "b", "c", "d"])
    assert (found.kind, found.explained, found.score) == ("features", "output number 1", 8.0)
    assert found.columns[0].name == "b"
    assert [column.drop for column in found.columns] == pytest.approx([8.0, 0.0, 0.0, 0.0])
    assert found.faithfulness is not None
    assert found.faithfulness.deletion.area < 0.2
    assert found.faithfulness.insertion.area > 0.8


def test_many_outputs_are_explained_by_their_likeness(numbers: Path) -> None:
    found = edgekit.explain(numbers, [5.0, 0.0, 1.0])
    assert "likeness" in found.explained
    assert found.score == 1.0
    assert found.columns[0].name == "feature 0"


def test_a_window_is_hidden_by_channel_and_time(build: Build) -> None:
    path = build("ABS", [("x", (1, 40, 3), "float32")], [("y", (1, 40, 3), "float32")])
    window = np.zeros((40, 3), np.float32)
    window[25:30, 2] = 9
    found = edgekit.explain(path, window, names=("ax", "ay", "az"))
    assert found.kind == "window"
    assert found.columns[0].name == "az"
    first, column, last, _ = found.regions[0].box
    assert column == 2
    assert first < 30 and last > 25
    assert found.heat.shape == (40, 3)


def test_normal_data_are_a_baseline(numbers: Path) -> None:
    normal = np.array([[5.0, 1.0, 0.0], [7.0, 3.0, 0.0]])
    found = edgekit.explain(numbers, [6.0, 5.0, 0.0], baseline=normal)
    assert found.baseline == "the mean of normal data"
    assert found.columns[0].index == 1
    with pytest.raises(DataError, match="4 numbers a row"):
        edgekit.explain(numbers, [6.0, 5.0, 0.0], baseline=np.ones((2, 4)))


def test_what_cannot_be_explained_is_said(
    build: Build, numbers: Path, tiny_classifier: Path, light: NDArray[np.uint8]
) -> None:
    two = build("ADD", [("a", (1, 3), "float32"), ("b", (1, 3), "float32")], [("y", (1, 3), "float32")])
    with pytest.raises(UsageError, match="takes 2 inputs"):
        edgekit.explain(two, {"a": [1, 2, 3], "b": [1, 2, 3]})
    with pytest.raises(DataError, match="whole numbers"):
        edgekit.explain(build("NEG", [("x", (1, 3), "int32")], [("y", (1, 3), "int32")]), [1, 2, 3])
    with pytest.raises(UsageError, match="blurring is for pictures"):
        edgekit.explain(numbers, [1.0, 2.0, 3.0], baseline="blur")
    with pytest.raises(UsageError, match="method cannot be 'oclusion'"):
        edgekit.explain(numbers, [1.0, 2.0, 3.0], method="oclusion")
    with pytest.raises(UsageError, match="31 masks are too few"):
        edgekit.explain(numbers, [1.0, 2.0, 3.0], masks=31)
    with pytest.raises(UsageError, match="no output number '3'"):
        edgekit.explain(numbers, [1.0, 2.0, 3.0], target=3)
    with pytest.raises(DataError, match="takes shape"):
        edgekit.explain(numbers, [1.0, 2.0])
    with pytest.raises(UsageError, match="name 5 of 10 classes") as caught:
        edgekit.explain(edgekit.load(tiny_classifier), light)
    assert "top=10" in caught.value.hint


@given(st.integers(1, 300), st.integers(1, 128))
def test_cells_share_out_all_places(size: int, cells: int) -> None:
    found = places(size, min(size, cells))
    assert found[0] == 0 and found[-1] == min(size, cells) - 1
    counts = np.bincount(found)
    assert counts.max() - counts.min() <= 1


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(1, 60))
def test_spreading_keeps_the_mean_and_pooling_the_sum_of_equal_cells(rows: int, columns: int) -> None:
    cells = np.random.default_rng(rows).random((rows, columns)).astype(np.float32)
    assert spread(cells, (2 * rows, 3 * columns)).mean() == pytest.approx(cells.mean(), rel=1e-4)
    assert pooled(cells, 8).shape == (min(rows, 8), min(columns, 8))
    assert pooled(cells, 64) == pytest.approx(cells)


@given(st.floats(0, 1))
def test_a_half_seen_picture_lies_between_it_and_its_baseline(share: float) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    plane = plane_of(pixels, Input("x", (1, 16, 16, 3), "float32", image=_spec()), "mean", ())
    mixed = plane.masked(np.full(plane.cells, share, np.float32))
    assert mixed.dtype == np.uint8
    low, high = np.minimum(pixels, plane.baseline), np.maximum(pixels, plane.baseline)
    assert ((mixed >= low) & (mixed <= high)).all()


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 300), st.integers(0, 2**16))
def test_whole_cells_are_hidden_as_if_mixed(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    plane = plane_of(pixels, Input("x", (1, 16, 16, 3), "float32", image=_spec()), "zero", ())
    seen = (random.random(plane.cells) < 0.5).astype(np.float32)
    assert np.array_equal(plane.masked(seen), pixels * (spread(seen, plane.size) > 0)[..., np.newaxis])


def _spec() -> Any:
    from edgekit.preprocess import ImageSpec

    return ImageSpec(16, 16)


def test_regions_hang_together_only_where_neighbours_do() -> None:
    chosen = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], np.bool_)
    assert len(list(_connected(chosen, (True, True)))) == 2
    assert len(list(_connected(chosen, (True, False)))) == 3
    assert len(list(_connected(chosen, (False, False)))) == 4


def test_boxes_overlap_by_their_common_share() -> None:
    assert overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 1, 1), (1, 1, 2, 2)) == 0


def test_the_bird_is_what_makes_it_a_macaw(shared: Path) -> None:
    """MobileNet v1 0.25 by Google, int8, and a photo of a parrot in the right half, before leaves."""
    pytest.importorskip("cv2")
    from edgekit.images import read_image

    found = edgekit.explain(
        shared / "tflite" / "mobilenet_v1_0.25_128_quant.tflite",
        read_image(shared / "images" / "parrot.jpg")[::2, ::2], channels="bgr", masks=100,
    )
    assert found.index == 89
    assert found.faithfulness is not None
    assert found.faithfulness.deletion.area < 0.5 * found.faithfulness.insertion.area
    assert found.faithfulness.gain > 0.1
    row, column = np.unravel_index(np.argmax(found.heat), found.heat.shape)
    assert 40 < row < 400 and 75 < column < 235  # the animal
