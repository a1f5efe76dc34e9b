"""Calling a model from Python, with pictures and with numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit import (
    Classification,
    DataError,
    Metadata,
    UsageError,
    Values,
)
from edgekit.metadata import InputMetadata, Normalization
from edgekit.results import ScoredClass

LABELS = [f"digit {number}" for number in range(10)]

Build = Callable[..., Path]
Describe = Callable[[Path, Metadata], None]


def digit(number: int) -> Any:
    """The picture that the tiny classifier knows as that number."""
    return np.where(np.arange(64) % 10 == number, 255, 0).astype(np.uint8).reshape(8, 8)


def values(result: edgekit.Result) -> Any:
    assert isinstance(result, Values)
    return next(iter(result.values.values()))


# Pictures


@pytest.mark.parametrize("number", range(10))
def test_a_picture_is_classified(tiny_classifier: Path, number: int) -> None:
    model = edgekit.load(tiny_classifier, labels=LABELS, top=3)
    result = model(digit(number))
    assert isinstance(result, Classification)
    assert [result.task, result.device, len(result.classes)] == ["classification", "cpu", 3]
    assert result.classes[0] == ScoredClass(number, f"digit {number}", result.classes[0].score)
    assert result.classes[0].score > 0.9
    assert result.latency.inference > 0
    assert (model.task, model.device, model.labels, model.path) == (
        "classification", "cpu", tuple(LABELS), tiny_classifier,
    )
    assert [model.inputs[0].name, model.outputs[0].name] == ["image", "scores"]


def test_pixels_and_the_real_numbers_that_they_stand_for_give_the_same(tiny_classifier: Path) -> None:
    model = edgekit.load(tiny_classifier)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 1), np.uint8)
    forms = [pixels, pixels[np.newaxis], pixels[..., 0], pixels / np.float32(255), (pixels / 255)[np.newaxis]]
    results = [model(form) for form in forms]
    assert len({result.classes for result in results if isinstance(result, Classification)}) == 1
    raw = model.tensors((pixels.astype(int) - 128).astype(np.int8)[np.newaxis])
    assert raw[0].dtype == np.int8
    assert raw[0].shape == (1, 10)


def test_colours_and_the_order_of_channels(photo_model: Path) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 255
    rgb = edgekit.load(photo_model, normalize="0..1")
    assert values(rgb(image))[0, 0].tolist() == [1, 0, 0]
    assert values(rgb(image, channels="bgr"))[0, 0].tolist() == [0, 0, 1]
    assert values(edgekit.load(photo_model, normalize="0..1", channels="bgr")(image))[0, 0].tolist() == [0, 0, 1]


def test_metadata_says_how_pictures_are_prepared_and_arguments_overrule_it(
    photo_model: Path, describe: Describe,
) -> None:
    about = InputMetadata(
        content="image", channels="bgr", normalization=Normalization((100, 50, 0), (2,)), resize="letterbox"
    )
    describe(photo_model, Metadata(inputs=(about,), task="values"))
    image = np.full((8, 8, 3), 200, np.uint8)
    image[..., 0] = 100
    model = edgekit.load(photo_model)
    assert model.inputs[0].image is not None
    assert model.inputs[0].image.resize == "letterbox"
    assert values(model(image))[0, 0].tolist() == [50, 75, 50]
    changed = edgekit.load(photo_model, channels="rgb", normalize=Normalization((0,), (100,)), resize="crop")
    assert changed.inputs[0].image is not None
    assert changed.inputs[0].image.resize == "crop"
    assert values(changed(image))[0, 0].tolist() == [1, 2, 2]


def test_pixels_for_an_unknown_normalization_are_a_question(photo_model: Path) -> None:
    model = edgekit.load(photo_model)
    assert values(model(np.full((8, 8, 3), 0.5)))[0, 0].tolist() == [0.5] * 3
    with pytest.raises(UsageError) as caught:
        model(np.zeros((8, 8, 3), np.uint8))
    assert "--normalize" in caught.value.hint


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [
        ((8, 8, 3), "int64", "uint8, or normalized pixels as floating-point numbers, not int64"),
        ((9, 8, 3), "float32", r"takes shape \[1, 8, 8, 3\] \(or \[8, 8, 3\]\), not \[9, 8, 3\]"),
        ((2, 8, 8, 3), "uint8", "not uint8 of shape"),
    ],
)
def test_pictures_of_other_kinds_are_refused(photo_model: Path, shape: tuple[int, ...], kind: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        edgekit.load(photo_model, normalize="0..1")(np.zeros(shape, kind))


def test_an_order_of_colours_that_does_not_exist_is_refused(photo_model: Path) -> None:
    model = edgekit.load(photo_model, normalize="0..1")
    order: Any = "foo"
    with pytest.raises(UsageError, match="channels cannot be 'foo'") as caught:
        model(np.zeros((8, 8, 3), np.uint8), channels=order)
    assert caught.value.hint == "Choose one of rgb, bgr."


def test_three_channels_that_the_file_calls_gray(photo_model: Path, describe: Describe) -> None:
    about = InputMetadata(content="image", channels="gray", normalization=Normalization((0,), (1,)))
    describe(photo_model, Metadata(inputs=(about,), task="values"))
    assert values(edgekit.load(photo_model)(np.full((8, 8), 7, np.uint8)))[0, 0].tolist() == [7, 7, 7]


def test_pixels_are_no_guess_where_edgekit_wrote_the_file(tiny_classifier: Path, describe: Describe) -> None:
    """A converter that knows of no normalization says none: the numbers of calibration need not be pixels."""
    about = InputMetadata(content="image", channels="gray")
    describe(tiny_classifier, Metadata(inputs=(about,)))
    model = edgekit.load(tiny_classifier)
    with pytest.raises(UsageError, match="pictures as int8, and nobody says how they are normalized") as caught:
        model(digit(3))
    assert "--normalize" in caught.value.hint
    said = edgekit.load(tiny_classifier, normalize="0..1")
    assert model(digit(3)[..., np.newaxis] / np.float32(255)).best() == said(digit(3)).best()


def test_a_grey_picture_without_a_channel_dimension_can_be_named_one(build: Build) -> None:
    path = build("ABS", [("x", (1, 8, 8), "float32")], [("y", (1, 8, 8), "float32")])
    assert edgekit.load(path).inputs[0].image is None
    model = edgekit.load(path, normalize="0..1")
    assert values(model(np.full((16, 16, 3), 255, np.uint8))).tolist() == np.ones((8, 8)).tolist()


def test_options_for_pictures_need_a_picture(numbers: Path) -> None:
    with pytest.raises(UsageError, match="the model takes none"):
        edgekit.load(numbers, normalize="0..1")


# Numbers


def test_numbers_come_with_or_without_batch(numbers: Path) -> None:
    model = edgekit.load(numbers)
    for data in ([-1, 2, -3], np.array([[-1, 2, -3]]), (-1.0, 2.0, -3.0), {"x": np.array([-1, 2, -3], np.int8)}):
        assert values(model(data)).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([1, 2], r"the input takes shape \[1, 3\] \(or \[3\]\), not \[2\]"),
        ([1, np.nan, 2], r"NaN or infinity, first at \[0, 1\]"),
        ([1, 2, np.inf], r"NaN or infinity, first at \[0, 2\]"),
        ([1, 2, 1e300], r"NaN or infinity"),
        (["a", "b", "c"], "takes numbers"),
        ({"z": [1, 2, 3]}, "inputs are x, not z"),
    ],
)
def test_numbers_that_the_model_cannot_take_are_refused(numbers: Path, data: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        edgekit.load(numbers)(data)


def test_numbers_are_quantized_and_outputs_are_real(build: Build) -> None:
    path = build("ABS", [("x", (1, 3), "int8", 0.5, 0)], [("y", (1, 3), "int8", 0.5, 0)])
    model = edgekit.load(path)
    assert values(model([-1.5, 2.2, -3.25])).tolist() == [1.5, 2.0, 3.5]
    with pytest.raises(DataError) as caught:
        model(np.array([1, 2, 3], np.int8))
    assert "Model.tensors" in caught.value.hint
    with pytest.raises(DataError, match="takes int8 of shape"):
        model.tensors(np.zeros((1, 3), np.float32))
    with pytest.raises(DataError, match="1 tensors"):
        model.tensors()


def test_several_inputs_go_by_name_or_place(build: Build) -> None:
    names = [("serving_default_a:0", (1, 2), "float32"), ("serving_default_b:0", (1, 2), "float32")]
    model = edgekit.load(build("SUB", names, [("y", (1, 2), "float32")]))
    assert values(model({"b": [1, 1], "a": [5, 7]})).tolist() == [4, 6]
    assert values(model([[5, 7], [1, 1]])).tolist() == [4, 6]
    for wrong in ([5, 7, 9], np.zeros((1, 2)), {"a": [1, 1]}):
        with pytest.raises(DataError, match=r"a, b|2 inputs"):
            model(wrong)
    with pytest.raises(UsageError, match="takes 2 inputs"):
        edgekit.run(model, "numbers.csv")


def test_nothing_is_left_over_from_the_sample_before(shared: Path) -> None:
    """TensorFlow Lite keeps an LSTM's state from run to run."""
    model = edgekit.load(shared / "tflite" / "keras_lstm_mnist_ptq.tflite")
    random = np.random.default_rng(0)
    first, other = random.random((28, 28)), random.random((28, 28))
    alone = model(first)
    model(other)
    assert isinstance(alone, Classification)
    again = model(first)
    assert isinstance(again, Classification)
    assert again.classes == alone.classes


def test_calls_from_threads_wait_for_one_another(tiny_classifier: Path) -> None:
    model = edgekit.load(tiny_classifier, top=1)
    found: dict[int, set[int]] = {number: set() for number in range(10)}

    def work(number: int) -> None:
        for _ in range(50):
            result = model(digit(number))
            assert isinstance(result, Classification)
            found[number].add(result.classes[0].index)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: {number} for number in range(10)}
