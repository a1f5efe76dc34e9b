"""Places in a network's picture and in the frame that it was made of."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.metadata.types import ResizeRule
from edgekit.preprocess import fit
from edgekit.results.maps import on_frame
from edgekit.tasks import frame_view

SIZES = st.integers(1, 4000)
RULES = st.sampled_from(get_args(ResizeRule))


def to_network(value: float, start: int, size: int, target: int, target_size: int, whole: int) -> float:
    """Where a column (or row) of the frame comes to lie, by what the rules of resizing say."""
    return (target + (value - start) * target_size / size) / whole


@settings(deadline=None)
@given(SIZES, SIZES, SIZES, SIZES, RULES, st.data())
def test_a_place_of_the_frame_comes_back_from_the_network_s_picture(
    width: int, height: int, to_width: int, to_height: int, rule: ResizeRule, data: st.DataObject
) -> None:
    view = frame_view(width, height, to_width, to_height, rule)
    source, target = view.source, view.target
    x = data.draw(st.floats(source.left, source.left + source.width))
    y = data.draw(st.floats(source.top, source.top + source.height))
    seen_x = to_network(x, source.left, source.width, target.left, target.width, to_width)
    seen_y = to_network(y, source.top, source.height, target.top, target.height, to_height)
    assert -1e-9 <= seen_x <= 1 + 1e-9
    assert -1e-9 <= seen_y <= 1 + 1e-9
    assert view.x(np.array([seen_x]))[0] == pytest.approx(x, abs=1e-9 * max(width, to_width) + 1e-9)
    assert view.y(np.array([seen_y]))[0] == pytest.approx(y, abs=1e-9 * max(height, to_height) + 1e-9)


@settings(deadline=None)
@given(SIZES, SIZES, SIZES, SIZES, RULES)
def test_boxes_stay_within_the_frame(
    width: int, height: int, to_width: int, to_height: int, rule: ResizeRule
) -> None:
    view = frame_view(width, height, to_width, to_height, rule)
    ((left, top, right, bottom),) = view.boxes(np.array([[-1.0, -1.0, 2.0, 2.0]]))
    assert 0 <= left <= view.source.left
    assert 0 <= top <= view.source.top
    assert view.source.left + view.source.width <= right <= width
    assert view.source.top + view.source.height <= bottom <= height


@settings(deadline=None)
@given(st.integers(8, 300), st.integers(8, 300), st.integers(8, 200), st.integers(8, 200), RULES)
def test_the_mapping_is_that_of_the_preprocessing(
    width: int, height: int, to_width: int, to_height: int, rule: ResizeRule
) -> None:
    """A picture whose pixels are their own columns: after resizing, the mapping tells what the pixels hold."""
    pytest.importorskip("cv2")
    columns = np.tile(np.linspace(0, 255, width), (height, 1))
    small = fit(columns.round().astype(np.uint8), to_width, to_height, rule)
    view = frame_view(width, height, to_width, to_height, rule)
    row = view.target.top + view.target.height // 2
    inner = np.arange(view.target.left + 1, view.target.left + view.target.width - 1)
    places = view.x((inner + 0.5) / to_width) - 0.5
    expected = places.clip(view.source.left, view.source.left + view.source.width - 1) * 255 / (width - 1)
    assert np.abs(small[row, inner] - expected).max(initial=0) <= 1.01 + 255 / (width - 1) * 0.01


@settings(deadline=None)
@given(SIZES, SIZES, st.integers(1, 600), st.integers(1, 600), RULES, st.integers(1, 80), st.integers(1, 80))
def test_a_map_without_its_bars_covers_what_the_network_saw(
    width: int, height: int, to_width: int, to_height: int, rule: ResizeRule, rows: int, columns: int
) -> None:
    view = frame_view(width, height, to_width, to_height, rule)
    kept, (left, top, right, bottom) = view.crop_map(np.zeros((rows, columns)))
    assert min(kept.shape) >= 1
    wide, high = (right - left) / kept.shape[1], (bottom - top) / kept.shape[0]
    # To within one pixel of the map, which may be larger than a narrow picture between its bars.
    assert abs(left - view.source.left) <= wide + 1e-6
    assert abs(right - view.source.left - view.source.width) <= wide + 1e-6
    assert abs(top - view.source.top) <= high + 1e-6
    assert abs(bottom - view.source.top - view.source.height) <= high + 1e-6


def test_a_map_is_laid_on_the_frame_pixel_by_pixel() -> None:
    mask = np.array([[1, 2], [3, 4]], np.uint8)
    assert on_frame(mask, (0, 0, 4, 2), 4, 2, 0).tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]
    assert on_frame(mask, (1, 0, 3, 2), 4, 2, 9).tolist() == [[9, 1, 2, 9], [9, 3, 4, 9]]
