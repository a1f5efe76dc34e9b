"""Opening models and calling them from Python."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import edgekit
from edgekit import (
    Classification,
    DataError,
    DeviceError,
    Metadata,
    MissingFileError,
    Model,
    ModelFileError,
    UsageError,
    Values,
    metadata,
    plugins,
)
from edgekit.interpreter import Engine, default_threads, explain
from edgekit.metadata import InputMetadata, Normalization, OutputMetadata
from edgekit.results import Latency, ScoredClass
from edgekit.tasks import Output, build_task, choose_task
from edgekit.tasks.classification import best_indices

FLOAT32 = schema.TensorType.FLOAT32
INT8 = schema.TensorType.INT8
UINT8 = schema.TensorType.UINT8
LABELS = [f"digit {number}" for number in range(10)]

Build = Callable[..., Path]


def tensor(name: str, shape: Sequence[int], kind: int, scale: float | None = None, zero_point: int = 0) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name.encode(), list(shape), kind, 0
    if scale is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = [scale], [zero_point]
    return made


@pytest.fixture
def build(tmp_path: Path, pack_model: Callable[[Any], bytes]) -> Build:
    """Makes a model file of one operator from its name, input tensors and output tensors."""

    def make(operator: str, inputs: Sequence[Any], outputs: Sequence[Any], code: str = "") -> Path:
        graph, step, kind, model = schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT(), schema.ModelT()
        graph.tensors = [*inputs, *outputs]
        graph.inputs = step.inputs = list(range(len(inputs)))
        graph.outputs = step.outputs = list(range(len(inputs), len(graph.tensors)))
        step.opcodeIndex, graph.operators = 0, [step]
        kind.builtinCode = getattr(schema.BuiltinOperator, operator)
        kind.deprecatedBuiltinCode, kind.version = min(kind.builtinCode, 127), 1
        kind.customCode = code.encode() if code else None
        model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [kind], [graph], [schema.BufferT()]
        path = tmp_path / f"{operator.lower()}.tflite"
        path.write_bytes(pack_model(model))
        return path

    return make


@pytest.fixture
def numbers(build: Build) -> Path:
    """A model of three float features, which takes their absolute values."""
    return build("ABS", [tensor("x", (1, 3), FLOAT32)], [tensor("y", (1, 3), FLOAT32)])


@pytest.fixture
def sigmoid(build: Build) -> Path:
    """A model of one float feature that ends in a sigmoid."""
    return build("LOGISTIC", [tensor("x", (1, 1), FLOAT32)], [tensor("y", (1, 1), FLOAT32)])


@pytest.fixture
def photo_model(build: Build) -> Path:
    """A model that takes a float picture of 8 by 8 pixels and gives it back."""
    return build("ABS", [tensor("image", (1, 8, 8, 3), FLOAT32)], [tensor("y", (1, 8, 8, 3), FLOAT32)])


def with_metadata(path: Path, about: Metadata) -> Path:
    path.write_bytes(metadata.write(path.read_bytes(), about))
    return path


def digit(number: int) -> Any:
    """The picture that the tiny classifier knows as that number."""
    return np.where(np.arange(64) % 10 == number, 255, 0).astype(np.uint8).reshape(8, 8)


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


def values(result: edgekit.Result) -> Any:
    assert isinstance(result, Values)
    return next(iter(result.values.values()))


def test_metadata_says_how_pictures_are_prepared_and_arguments_overrule_it(photo_model: Path) -> None:
    about = InputMetadata(
        content="image", channels="bgr", normalization=Normalization((100, 50, 0), (2,)), resize="letterbox"
    )
    with_metadata(photo_model, Metadata(inputs=(about,), task="values"))
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


def test_a_grey_picture_without_a_channel_dimension_can_be_named_one(build: Build) -> None:
    path = build("ABS", [tensor("x", (1, 8, 8), FLOAT32)], [tensor("y", (1, 8, 8), FLOAT32)])
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
        ([1, 2], r"input x takes shape \[1, 3\] \(or \[3\]\), not \[2\]"),
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
    path = build("ABS", [tensor("x", (1, 3), INT8, 0.5, 0)], [tensor("y", (1, 3), INT8, 0.5, 0)])
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
    names = [tensor("serving_default_a:0", (1, 2), FLOAT32), tensor("serving_default_b:0", (1, 2), FLOAT32)]
    model = edgekit.load(build("SUB", names, [tensor("y", (1, 2), FLOAT32)]))
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


# Tasks


def test_a_sigmoid_has_two_classes(sigmoid: Path) -> None:
    result = edgekit.load(sigmoid, labels=["bad", "good"])([3.0])
    assert isinstance(result, Classification)
    assert [(entry.index, entry.label) for entry in result.classes] == [(1, "good"), (0, "bad")]
    assert [entry.score for entry in result.classes] == pytest.approx([0.9526, 0.0474], abs=1e-4)
    assert result.best("bad") == result.classes[1]
    negative = edgekit.load(sigmoid)([-3.0])
    assert isinstance(negative, Classification)
    assert [entry.index for entry in negative.classes] == [0, 1]


@pytest.mark.parametrize(
    ("shape", "activation", "labels", "wanted", "from_file", "given", "expected"),
    [
        ((1, 5), "SOFTMAX", 0, None, None, False, "classification"),
        ((1, 5), "LOGISTIC", 0, None, None, False, "values"),  # an autoencoder, say
        ((1, 5), "LOGISTIC", 5, None, None, False, "classification"),
        ((1, 1), "LOGISTIC", 0, None, None, False, "classification"),
        ((1, 5), None, 0, None, None, False, "values"),
        ((1, 1), None, 1, None, None, False, "values"),
        ((1, 5), None, 5, None, None, False, "classification"),
        ((1, 5), None, 5, None, None, True, "classification"),
        ((1, 5, 5), "SOFTMAX", 0, None, None, False, "values"),
        ((1, 5), "SOFTMAX", 0, "values", "classification", False, "values"),
        ((1, 5), "SOFTMAX", 0, None, "values", False, "values"),
        ((1, 5), None, 0, "classification", None, False, "classification"),
    ],
)
def test_the_task_is_chosen(
    *, shape: tuple[int, ...], activation: str | None, labels: int, wanted: str | None, from_file: str | None,
    given: bool, expected: str,
) -> None:
    outputs = [Output("y", shape, activation, ("a",) * labels)]
    assert choose_task(outputs, wanted=wanted, from_file=from_file, labelled=given) == expected


def test_a_task_of_the_future_gives_values_and_a_warning(numbers: Path) -> None:
    with_metadata(numbers, Metadata(task="detection"))
    with pytest.warns(UserWarning, match="task is detection"):
        assert edgekit.load(numbers).task == "values"


def test_unknown_tasks_and_misfits_are_refused(numbers: Path, photo_model: Path, build: Build) -> None:
    with pytest.raises(UsageError, match="no task 'detect'") as caught:
        edgekit.load(numbers, task="detect")
    assert "classification, values" in caught.value.hint
    with pytest.raises(UsageError, match=r"one output of shape \[1, classes\], and there is y \[1, 8, 8, 3\]"):
        edgekit.load(photo_model, task="classification")
    with pytest.raises(UsageError, match="needs a sigmoid"):
        edgekit.load(
            build("ABS", [tensor("x", (1, 1), FLOAT32)], [tensor("y", (1, 1), FLOAT32)]), task="classification"
        )
    with pytest.raises(UsageError, match="no use for them"):
        edgekit.load(numbers, task="values", labels=["a", "b", "c"])
    with pytest.raises(UsageError, match="top is 0"):
        edgekit.load(numbers, task="classification", top=0)


def test_labels_are_one_for_each_class(tiny_classifier: Path, sigmoid: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(LABELS))
    assert edgekit.load(tiny_classifier, labels=file).labels == tuple(LABELS)
    with pytest.raises(DataError, match="9 labels for 10 outputs") as caught:
        edgekit.load(tiny_classifier, labels=LABELS[1:])
    assert "background" in caught.value.hint
    with pytest.raises(DataError, match="1 labels for 2 outputs"):
        edgekit.load(sigmoid, labels=["good"])
    with pytest.raises(MissingFileError):
        edgekit.load(tiny_classifier, labels=tmp_path / "absent.txt")


def test_labels_come_from_the_file_unless_they_are_given(tiny_classifier: Path) -> None:
    with_metadata(tiny_classifier, Metadata(outputs=(OutputMetadata(labels=tuple("abcdefghij")),)))
    assert edgekit.load(tiny_classifier).labels == tuple("abcdefghij")
    assert edgekit.load(tiny_classifier, labels=LABELS).labels == tuple(LABELS)


def test_of_equal_scores_the_lower_index_comes_first() -> None:
    scores = np.array([0.1, 0.4, np.nan, 0.4, 0.0, 0.4], np.float32)
    assert best_indices(scores, 2).tolist() == [1, 3]
    assert best_indices(scores, 99).tolist() == [1, 3, 5, 0, 4, 2]


def test_what_is_no_number_is_null_in_json(build: Build) -> None:
    path = build("LOG", [tensor("x", (1, 3), FLOAT32)], [tensor("y", (1, 3), FLOAT32)])
    found = json.loads(edgekit.load(path)([1, 0, -1]).to_json())
    assert found["values"] == [0, None, None]
    entry = ScoredClass(0, "", float("nan"))
    result = Classification(task="classification", device="cpu", latency=Latency(), classes=(entry,))
    assert json.loads(result.to_json())["classes"] == [{"index": 0, "label": "", "score": None}]


def test_outputs_that_share_a_name_are_told_apart() -> None:
    outputs = [Output("y", (1, 1)), Output("y", (1, 1)), Output("z", (2,))]
    result = build_task("values", outputs, top=1)([np.zeros((1, 1), np.float32)] * 2 + [np.ones(2, np.float32)], "cpu")
    assert result.payload() == {"values": {"y:0": [0], "y:1": [0], "z": [1, 1]}}


# Devices and files


@pytest.mark.parametrize("device", ["gpu", "corall", "cpu:1", ""])
def test_an_unknown_device_is_told_the_known_ones(numbers: Path, device: str) -> None:
    with pytest.raises(UsageError, match=f"no device '{device}'") as caught:
        edgekit.load(numbers, device=device)
    assert "auto, cpu, coral" in caught.value.hint


def test_a_registered_device_is_asked_for_its_delegate(numbers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Point:
        name = "mine"

        def load(self) -> Callable[[str], Any]:
            return self.open

        def open(self, spec: str) -> Any:
            asked.append(spec)
            raise DeviceError("mine is not attached")

    monkeypatch.setattr(plugins, "registered", lambda group: {"mine": Point()})
    with pytest.raises(DeviceError, match="not attached"):
        edgekit.load(numbers, device="mine:usb:0")
    assert asked == ["usb:0"]


def test_edge_tpu_files_and_devices_have_to_go_together(numbers: Path, build: Build) -> None:
    with pytest.raises(UsageError, match="not compiled for the Edge TPU"):
        edgekit.load(numbers, device="coral")
    compiled = build(
        "CUSTOM", [tensor("x", (1, 3), INT8, 1)], [tensor("y", (1, 3), INT8, 1)], code="edgetpu-custom-op"
    )
    with pytest.raises(UsageError, match="cannot run on the cpu"):
        edgekit.load(compiled, device="cpu")
    with pytest.raises(DeviceError, match="Edge TPU"):
        edgekit.load(compiled)


def test_operations_that_the_runtime_lacks_are_explained(build: Build) -> None:
    path = build("CUSTOM", [tensor("x", (1, 3), FLOAT32)], [tensor("y", (1, 3), FLOAT32)], code="MyOwn")
    with pytest.raises(ModelFileError, match="MyOwn") as caught:
        edgekit.load(path)
    assert "no part of TensorFlow Lite" in caught.value.hint
    path = build("CUSTOM", [tensor("x", (1, 3), FLOAT32)], [tensor("y", (1, 3), FLOAT32)], code="FlexErf")
    with pytest.raises(ModelFileError, match="Flex") as caught:
        edgekit.load(path)
    assert "Select TF ops" in caught.value.hint


def test_an_operation_of_a_newer_tensorflow_is_explained() -> None:
    """The words of the runtime, as it says them of a version that it does not know."""
    reason = "Didn't find op for builtin opcode 'ABS' version '99'. An older version might be supported."
    error = explain(Path("m.tflite"), reason, "ai_edge_litert")
    assert "m.tflite cannot be run by ai_edge_litert" in error.message
    assert "newer TensorFlow" in error.hint


def test_free_dimensions_and_large_batches_are_refused(build: Build) -> None:
    free = tensor("x", (1, 1), FLOAT32)
    free.shapeSignature = [1, -1]
    for given in (free, tensor("x", (4, 3), FLOAT32)):
        with pytest.raises(ModelFileError, match="batch of 1"):
            edgekit.load(build("ABS", [given], [tensor("y", given.shape, FLOAT32)]))


def test_damaged_and_missing_models(tmp_path: Path, tiny_bytes: bytes) -> None:
    with pytest.raises(MissingFileError):
        edgekit.load(tmp_path / "absent.tflite")
    cut = tmp_path / "cut.tflite"
    for length in range(0, len(tiny_bytes), 97):
        cut.write_bytes(tiny_bytes[:length])
        with pytest.raises(ModelFileError, match=r"cut\.tflite"):
            edgekit.load(cut)


def test_threads_are_counted(numbers: Path) -> None:
    assert 1 <= default_threads() <= 4
    assert Engine(numbers).threads == default_threads()
    assert edgekit.load(numbers, threads=2).threads == 2
    with pytest.raises(UsageError, match="threads is 0"):
        edgekit.load(numbers, threads=0)


def test_a_model_says_what_it_is(numbers: Path) -> None:
    model = edgekit.load(numbers)
    assert repr(model) == "<Model abs.tflite: values on cpu>"
    assert isinstance(model, Model)
    assert model.metadata.origin == "none"


def test_devices_are_entry_points() -> None:
    assert isinstance(plugins.registered("edgekit.devices")["coral"], EntryPoint)


# Real models


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mobilenet_v2_1.0_224_quant", "classification"),
        ("tf2_mobilenet_v2_1.0_224_ptq", "classification"),
        ("keras_lstm_mnist_ptq", "classification"),
        ("movenet_single_pose_lightning_ptq", "values"),
    ],
)
def test_tasks_of_real_models(shared: Path, name: str, kind: str) -> None:
    assert edgekit.load(shared / "tflite" / f"{name}.tflite").task == kind


def test_keypoints_of_a_real_model_lie_where_they_should(shared: Path) -> None:
    pytest.importorskip("cv2")
    name = "movenet_single_pose_lightning_ptq"
    model = edgekit.load(shared / "tflite" / f"{name}.tflite")
    found = values(next(edgekit.run(model, shared / "images" / "squat.bmp")))[0]
    reference = np.genfromtxt(shared / "tflite" / f"{name}_reference.csv", delimiter=",", names=True)
    sure = reference["keypoint_score"] > 0.3
    for column, field in enumerate(("keypoint_y", "keypoint_x")):
        assert np.abs(found[:, column] - reference[field])[sure].max() < 0.03
