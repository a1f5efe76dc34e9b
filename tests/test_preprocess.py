"""From pictures to tensors: one table for normalizing and quantizing, and where the pixels go."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.typing import NDArray

from edgekit import DataError, MissingDependencyError, UsageError
from edgekit.metadata.types import Channels, Normalization, ResizeRule
from edgekit.preprocess import (
    PAD,
    ImagePreprocessor,
    ImageSpec,
    arrange,
    build_table,
    crop_region,
    fit,
    letterbox_region,
)
from edgekit.quantization import Scale, quantize

SIZE = st.integers(1, 400)
PIXELS = st.floats(-300, 300)
DEVIATIONS = st.floats(0.01, 300)
ALL_LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)


@st.composite
def quantized_specs(draw: st.DrawFn) -> ImageSpec:
    dtype = draw(st.sampled_from(["int8", "uint8", "int16"]))
    channels: Channels = draw(st.sampled_from(["gray", "rgb"]))
    depth = 1 if channels == "gray" else draw(st.sampled_from([1, 3]))
    mean = draw(st.lists(PIXELS, min_size=depth, max_size=depth))
    std = draw(st.lists(DEVIATIONS, min_size=1, max_size=1) | st.lists(DEVIATIONS, min_size=depth, max_size=depth))
    limits = np.iinfo(dtype)
    scale = Scale(draw(st.floats(2**-13, 8, width=32)), draw(st.integers(int(limits.min), int(limits.max))))
    return ImageSpec(16, 16, channels, dtype, scale, Normalization(tuple(mean), tuple(std)))


def real_path(image: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.float64]:
    """The long way: a float64 picture, normalized."""
    assert spec.normalization
    result: NDArray[np.float64] = (image - np.array(spec.normalization.mean)) / np.array(spec.normalization.std)
    return result[np.newaxis]


@given(quantized_specs())
@pytest.mark.parametrize("with_opencv", [True, False])
def test_the_table_is_the_float_path(with_opencv: bool, spec: ImageSpec) -> None:
    image = np.repeat(ALL_LEVELS, spec.depth, axis=2)
    with pytest.MonkeyPatch.context() as patch:
        if not with_opencv:
            patch.setitem(sys.modules, "cv2", None)
        found = ImagePreprocessor(spec)(image)
    real = real_path(image, spec)
    assert spec.quantization
    expected = quantize(real, spec.quantization, spec.dtype)
    limits = np.iinfo(spec.dtype)
    steps = real / spec.quantization.scale + spec.quantization.zero_point
    distance = np.abs(found.astype(np.float64) - np.clip(steps, limits.min, limits.max))
    assert found.dtype == spec.dtype
    assert found.shape == (1, 16, 16, spec.depth)
    assert ((found == expected) | (distance <= 0.501)).all()  # the other side of a tie will do


@pytest.mark.parametrize("normalization", [Normalization((127.5,), (127.5,)), Normalization((1, 2, 3), (4, 5, 6))])
def test_float_networks_get_the_normalized_picture(normalization: Normalization) -> None:
    spec = ImageSpec(16, 16, normalization=normalization)
    image = np.repeat(ALL_LEVELS, 3, axis=2)
    found = ImagePreprocessor(spec)(image)
    assert found.dtype == np.float32
    assert np.array_equal(found, real_path(image, spec).astype(np.float32))


@pytest.mark.parametrize(
    ("dtype", "normalization", "scale"),
    [
        ("uint8", None, Scale(1 / 128, 128)),
        ("uint8", None, None),
        ("uint8", Normalization((0,), (255,)), Scale(0.003921568859368563, 0)),
        ("uint8", Normalization((127.5,), (127.5,)), Scale(0.007843137718737125, 127)),
        ("int8", None, Scale(1 / 128, 0)),
        ("int8", Normalization((0,), (255,)), Scale(0.003921568859368563, -128)),
        ("int8", Normalization((127.5,), (127.5,)), Scale(0.007843137718737125, -1)),
        ("int32", None, None),
    ],
)
def test_plain_pixels_need_no_table(dtype: str, normalization: Normalization | None, scale: Scale | None) -> None:
    spec = ImageSpec(16, 16, "gray", dtype, scale, normalization)
    lowest = 128 if dtype == "int8" else 0
    assert np.array_equal(build_table(spec)[0], np.arange(256) - lowest)
    assert np.array_equal(ImagePreprocessor(spec)(ALL_LEVELS)[0], ALL_LEVELS.astype(int) - lowest)


@pytest.mark.parametrize(("dtype", "scale"), [("float32", None), ("int16", Scale(0.1, 0)), ("float16", None)])
def test_an_unknown_normalization_is_asked_for(dtype: str, scale: Scale | None) -> None:
    with pytest.raises(UsageError) as caught:
        ImagePreprocessor(ImageSpec(8, 8, dtype=dtype, quantization=scale))
    assert "--normalize" in caught.value.hint
    assert "imagenet" in caught.value.hint


def test_a_normalization_of_other_depth_is_refused() -> None:
    with pytest.raises(UsageError, match="3 channels does not go with a network of 1"):
        ImagePreprocessor(ImageSpec(8, 8, "gray", normalization=Normalization((1, 2, 3), (1,))))


def test_the_output_is_reused() -> None:
    prepare = ImagePreprocessor(ImageSpec(4, 4, normalization=Normalization((0,), (255,))))
    image = np.zeros((4, 4, 3), np.uint8)
    assert np.shares_memory(prepare(image), prepare(image))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("depth", [0, 1, 3, 4])
@pytest.mark.parametrize("channels", ["gray", "rgb"])
@pytest.mark.parametrize("rule", ["stretch", "letterbox", "crop"])
def test_every_picture_goes_into_every_network(dtype: str, depth: int, channels: Channels, rule: ResizeRule) -> None:
    pytest.importorskip("cv2")
    spec = ImageSpec(5, 7, channels, dtype, None, Normalization((0,), (1,)), rule)
    prepare = ImagePreprocessor(spec)
    for size in ((5, 7), (10, 9), (1, 1), (3, 200)):
        image = np.full(size if depth == 0 else (*size, depth), 200, np.uint8)
        found = prepare(image)
        assert found.dtype == dtype
        assert found.shape == (1, 5, 7, spec.depth)
        assert found[0, 2, 3].max() in (200, 127, 114)


def test_no_opencv_is_needed_for_a_picture_of_the_right_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    prepare = ImagePreprocessor(ImageSpec(4, 6, "rgb", "int8"))
    assert prepare(np.zeros((4, 6, 4), np.uint8), "bgr").tolist() == np.full((1, 4, 6, 3), -128).tolist()
    with pytest.raises(MissingDependencyError, match="OpenCV"):
        prepare(np.zeros((5, 6, 3), np.uint8))


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (4, 4, 5), (1, 4, 4, 3), (0, 4), (4, 0, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    prepare = ImagePreprocessor(ImageSpec(4, 4, "rgb", "uint8"))
    with pytest.raises(DataError, match=r"uint8 of shape"):
        prepare(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", ["uint16", "float32", "bool"])
def test_other_types_are_no_picture(dtype: str) -> None:
    wrong: Any = np.zeros((4, 4, 3), dtype)
    with pytest.raises(DataError, match=dtype):
        ImagePreprocessor(ImageSpec(4, 4, "rgb", "uint8"))(wrong)


@pytest.mark.parametrize("with_opencv", [True, False])
def test_colours_are_put_in_order(with_opencv: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_opencv:
        monkeypatch.setitem(sys.modules, "cv2", None)
    image = np.array([[[10, 20, 30, 40]]], np.uint8)
    assert arrange(image, "rgb", "rgb").tolist() == [[[10, 20, 30]]]
    assert arrange(image, "bgr", "rgb").tolist() == [[[30, 20, 10]]]
    assert arrange(image, "rgb", "bgr").tolist() == [[[30, 20, 10]]]
    assert arrange(image[..., 0], "bgr", "rgb").tolist() == [[[10, 10, 10]]]


@given(st_numpy.arrays(np.uint8, (3, 5, 3)))
def test_grey_is_that_of_opencv(image: NDArray[np.uint8]) -> None:
    cv2 = pytest.importorskip("cv2")
    codes: dict[Channels, int] = {"rgb": cv2.COLOR_RGB2GRAY, "bgr": cv2.COLOR_BGR2GRAY}
    for channels, code in codes.items():
        found = arrange(image, channels, "gray")[..., 0]
        assert np.abs(found.astype(int) - cv2.cvtColor(image, code)).max() <= 1


@given(SIZE, SIZE, SIZE, SIZE)
def test_a_letterboxed_picture_fits_whole_and_touches_two_sides(
    width: int, height: int, to_width: int, to_height: int
) -> None:
    left, top, part_width, part_height = letterbox_region(width, height, to_width, to_height)
    assert part_width == to_width or part_height == to_height
    assert 0 <= left <= to_width - part_width - left <= left + 1
    assert 0 <= top <= to_height - part_height - top <= top + 1
    scale = min(to_width / width, to_height / height)
    assert abs(part_width - width * scale) <= 1
    assert abs(part_height - height * scale) <= 1


@given(SIZE, SIZE, SIZE, SIZE)
def test_a_crop_is_in_the_middle_and_as_large_as_can_be(
    width: int, height: int, to_width: int, to_height: int
) -> None:
    left, top, part_width, part_height = crop_region(width, height, to_width, to_height)
    assert part_width == width or part_height == height
    assert 0 <= left <= width - part_width - left <= left + 1
    assert 0 <= top <= height - part_height - top <= top + 1
    scale = min(width / to_width, height / to_height)
    assert abs(part_width - to_width * scale) <= 1


def test_where_the_pixels_go() -> None:
    pytest.importorskip("cv2")
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, :50], image[:, 150:] = 255, 255
    boxed = fit(image, 40, 40, "letterbox")
    assert (boxed[:10] == PAD).all()
    assert (boxed[30:] == PAD).all()
    assert boxed[20, :, 0].tolist() == [255] * 10 + [0] * 20 + [255] * 10
    assert (fit(image, 40, 40, "crop") == 0).all()
    assert fit(image, 40, 40, "stretch")[20, :, 0].tolist() == [255] * 10 + [0] * 20 + [255] * 10
    assert fit(image, 200, 100, "crop") is image
