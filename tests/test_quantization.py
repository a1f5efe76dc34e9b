"""Real numbers to integers and back, and how people write a normalization."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from edgekit import ModelFileError, UsageError
from edgekit.metadata.types import Normalization
from edgekit.normalization import FORMS, NAMED, parse_normalization
from edgekit.quantization import Scale, dequantize, quantize, round_half_away, scale_of
from edgekit.tflite import Quantization, Tensor

TYPES = st.sampled_from(["int8", "uint8", "int16"])
STEPS = st.floats(2**-13, 2**10, width=32)


@st.composite
def parameters(draw: st.DrawFn, dtype: str) -> Scale:
    limits = np.iinfo(dtype)
    return Scale(draw(STEPS), draw(st.integers(int(limits.min), int(limits.max))))


def c_round(value: float) -> float:
    """As C has it: halves away from zero."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


@given(st.integers(-(2**40), 2**40).map(lambda quarters: quarters / 4))
def test_rounding_is_that_of_c(value: float) -> None:
    assert round_half_away(np.array([value]))[0] == c_round(value)


def test_the_largest_number_below_a_half_rounds_to_zero() -> None:
    below = np.nextafter(np.float32(0.5), np.float32(0))
    assert round_half_away(np.array([below, -below])).tolist() == [0, 0]


@given(st.data(), TYPES)
def test_integers_survive_the_way_to_real_numbers_and_back(data: st.DataObject, dtype: str) -> None:
    scale = data.draw(parameters(dtype))
    values = data.draw(st_numpy.arrays(dtype, st.integers(0, 20)))
    assert np.array_equal(quantize(dequantize(values, scale), scale, dtype), values)


@given(st.data(), TYPES)
def test_quantizing_is_off_by_half_a_step_at_most_and_clips(data: st.DataObject, dtype: str) -> None:
    scale = data.draw(parameters(dtype))
    limits = np.iinfo(dtype)
    lowest, highest = ((limit - scale.zero_point) * scale.scale for limit in (limits.min, limits.max))
    values = data.draw(st_numpy.arrays(np.float64, 10, elements=st.floats(-1e8, 1e8)))
    expected = np.clip(values, lowest, highest)
    back = dequantize(quantize(values, scale, dtype), scale)
    assert (np.abs(back - expected) <= scale.scale * 0.5001 + np.abs(expected) * 1e-6).all()


def test_shape_and_type_are_kept() -> None:
    assert quantize(np.zeros((2, 0, 3), np.float32), Scale(0.5, 3), "int8").shape == (2, 0, 3)
    assert dequantize(np.zeros((), np.uint8), Scale(2, 4)) == np.float32(-8)


@pytest.mark.parametrize(
    ("text", "mean", "std"),
    [
        ("0..255", (0,), (1,)),
        (" 0..1 ", (0,), (255,)),
        ("-1..1", (127.5,), (127.5,)),
        ("ImageNet", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        ("127.5/127.5", (127.5,), (127.5,)),
        ("0/255", (0,), (255,)),
        ("123.7,116.3,103.5/58.4,57.1,57.4", (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)),
        ("103.9, 116.8, 123.7/1", (103.9, 116.8, 123.7), (1,)),
    ],
)
def test_normalizations_are_read(text: str, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    assert parse_normalization(text) == Normalization(mean, std)


@pytest.mark.parametrize("text", ["", "0-1", "0..2", "1/", "/1", "a/1", "1/0", "1/-2", "1,2/1,2,3", "nan/1", "1/2/3"])
def test_bad_normalizations_are_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_normalization(text)
    assert text in caught.value.message
    assert caught.value.hint == FORMS


def test_every_name_is_in_the_help() -> None:
    assert all(name in FORMS for name in NAMED)


@pytest.mark.parametrize(
    ("parameters", "scale"),
    [
        (None, None),
        (Quantization((0.0,), (3,)), None),  # how old converters say that there is none
        (Quantization((0.5,), (3,)), Scale(0.5, 3)),
        (Quantization((0.5,), ()), Scale(0.5, 0)),
    ],
)
def test_the_scale_of_a_tensor(parameters: Quantization | None, scale: Scale | None) -> None:
    assert scale_of(Tensor(0, "x", (1, 3), (1, 3), "int8", parameters)) == scale


def test_a_scale_for_each_slice_is_none_for_an_input() -> None:
    sliced = Tensor(0, "x", (1, 2), (1, 2), "int8", Quantization((0.5, 0.25), (0, 0), 1))
    with pytest.raises(ModelFileError, match=r"m\.tflite: tensor x has a scale for each slice"):
        scale_of(sliced, "m.tflite")
