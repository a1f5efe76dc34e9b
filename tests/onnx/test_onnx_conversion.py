"""`edgekit convert --also onnx`: the same network for TensorRT, held against the `.tflite`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit import ConversionError, MissingDependencyError, UsageError, metadata

keras = pytest.importorskip("keras", reason="needs the convert extra: pip install 'edgekit-sdk[convert]'")
onnx = pytest.importorskip("onnx", reason="needs the onnx extra: pip install 'edgekit-sdk[onnx]'")
pytest.importorskip("tf2onnx", reason="needs the onnx extra: pip install 'edgekit-sdk[onnx]'")
datasets = pytest.importorskip("sklearn.datasets")
numpy_helper, L = onnx.numpy_helper, keras.layers

pytestmark = [pytest.mark.convert, pytest.mark.usefixtures("in_process")]

WINDOWS = np.random.default_rng(0).normal(size=(40, 10, 4)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Digits:
    """A classifier of digits, converted to int8 with its ONNX file beside it."""

    folder: Path
    made: edgekit.Conversion
    pictures: NDArray[np.uint8]
    classes: NDArray[np.int64]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Digits]:
    from edgekit_converters import options, process

    folder, data = tmp_path_factory.mktemp("digits"), datasets.load_digits()
    pictures = (data.images[..., np.newaxis] * 15.9).astype(np.uint8)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((8, 8, 1), name="image"), L.Conv2D(12, 3, padding="same", activation="relu"), L.MaxPooling2D(),
        L.DepthwiseConv2D(3, padding="same"), L.BatchNormalization(), L.ReLU(6.0), L.Flatten(),
        L.Dense(10, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(pictures[:1200] / 255.0, data.target[:1200], epochs=5, verbose=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "AUTO", "minmax")
        patch.setattr(process, "run", lambda job, report, **_others: job.carry_out(report))
        made = edgekit.convert(
            model, folder / "digits.tflite", calibration=pictures[:100], normalize="0..1", also="onnx",
            labels=[f"digit {number}" for number in range(10)],
        )
    yield Digits(folder, made, pictures[1200:], data.target[1200:])


def test_the_file_lies_beside_the_tflite_and_is_told_of(digits: Digits) -> None:
    found = digits.made.onnx
    assert found is not None
    assert found.path == digits.folder / "digits.onnx"
    assert found.size == found.path.stat().st_size
    assert found.quantized
    assert found.sqnr_db > 25
    assert found.same_class is not None
    assert found.same_class > 0.9
    said = digits.made.to_dict()["onnx"]
    assert shlex.split(said["trtexec"]) == [
        "trtexec", f"--onnx={found.path}", f"--saveEngine={digits.folder / 'digits.engine'}", "--int8", "--fp16",
    ]
    assert json.loads(json.dumps(said)) == said


def test_it_recognises_as_many_digits_as_the_tflite(digits: Digits) -> None:
    right = {}
    for suffix in ("tflite", "onnx"):
        model = edgekit.load(digits.folder / f"digits.{suffix}", device="cpu")
        named = [best_of(model(picture)) for picture in digits.pictures]
        right[suffix] = float(np.mean(np.array(named) == digits.classes))
    assert right["tflite"] > 0.85
    assert abs(right["tflite"] - right["onnx"]) < 0.02


def best_of(result: edgekit.Result) -> int:
    assert isinstance(result, edgekit.Classification)
    return result.classes[0].index


def test_it_is_quantized_as_tensorrt_takes_it(digits: Digits) -> None:
    """Symmetric int8, weights as the `.tflite` has them, real numbers in and out, and no quantization for nothing."""
    model = onnx.load(digits.folder / "digits.onnx")
    onnx.checker.check_model(model, full_check=True)
    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert {"QuantizeLinear", "DequantizeLinear"} == {node.op_type for node in pairs}
    for node in pairs:
        zero_point = constants[node.input[2]]
        assert zero_point.dtype == np.int8
        assert not zero_point.any()
    for item in (*model.graph.input, *model.graph.output):
        assert item.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    before_softmax = next(node.input[0] for node in model.graph.node if node.op_type == "Softmax")
    maker = next(node for node in model.graph.node if before_softmax in node.output)
    assert maker.op_type in ("MatMul", "Add", "Gemm")
    assert {array.dtype for array in constants.values() if array.ndim > 1} == {np.dtype(np.int8)}


def test_it_carries_the_metadata_of_the_tflite(digits: Digits) -> None:
    tflite, found = (metadata.read(digits.folder / f"digits.{suffix}") for suffix in ("tflite", "onnx"))
    assert found.provenance == {**tflite.provenance, "io": "float32"}
    assert replace(found, files=(), provenance={}) == replace(tflite, files=(), provenance={})
    assert found.outputs[0].labels[3] == "digit 3"


def test_it_runs_by_command_with_the_preprocessing_of_the_tflite(
    digits: Digits, tmp_path: Path, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    cv2 = pytest.importorskip("cv2")
    picture = tmp_path / "digit.png"
    assert cv2.imwrite(str(picture), digits.pictures[0])
    said = []
    for suffix in ("tflite", "onnx"):
        assert call(digits.folder / f"digits.{suffix}", picture, "--device", "cpu", "--top", "1") == 0
        said.append(json.loads(capsys.readouterr().out)["classes"][0])
    assert said[0]["label"] == said[1]["label"] == f"digit {digits.classes[0]}"
    assert said[0]["score"] == pytest.approx(said[1]["score"], abs=0.05)


def recurrent(*layers: Any) -> Any:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((10, 4), name="window"), *layers, L.Dense(3)])


NETWORKS: dict[str, tuple[Callable[[], Any], str, float]] = {
    "LSTM": (lambda: recurrent(L.LSTM(8)), "int8", 25),
    "LSTM both ways, in float": (lambda: recurrent(L.Bidirectional(L.LSTM(5, return_sequences=True)), L.LSTM(4)),
                                 "float16", 80),
    "GELU": (lambda: recurrent(L.Dense(8, activation="gelu"), L.GlobalAveragePooling1D()), "dynamic", 35),
    "activations of 16 bits": (lambda: recurrent(L.Conv1D(6, 3, activation="relu"), L.Flatten()), "int16x8", 35),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_windows_computes_what_the_tflite_does(name: str, tmp_path: Path) -> None:
    build, precision, least = NETWORKS[name]
    made = edgekit.convert(
        build(), tmp_path / "m.tflite", precision=precision, calibration=WINDOWS[:20], also=["onnx"], task="values",
        calibrator="minmax" if precision == "int8" else None,
    )
    assert made.onnx is not None
    assert made.onnx.quantized == (precision == "int8")
    assert ("--fp16" in made.onnx.flags) == (precision != "dynamic")
    tflite, found = (edgekit.load(tmp_path / f"m.{suffix}", device="cpu") for suffix in ("tflite", "onnx"))
    expected, values = (
        np.stack([model(window).values["output"] for window in WINDOWS[20:]])  # type: ignore[attr-defined]
        for model in (tflite, found)
    )
    assert 10 * np.log10(np.sum(expected**2) / np.sum((expected - values) ** 2)) > least


def test_the_tanh_form_of_gelu_is_translated_as_such(tmp_path: Path) -> None:
    model = recurrent(L.Dense(8), L.Activation(gelu_by_tanh), L.GlobalAveragePooling1D())
    made = edgekit.convert(model, tmp_path / "m.tflite", precision="float32", calibration=WINDOWS, also="onnx")
    assert made.onnx is not None
    assert made.onnx.sqnr_db > 100


def gelu_by_tanh(values: Any) -> Any:
    return keras.activations.gelu(values, approximate=True)


def test_states_that_are_inputs_and_outputs_are_carried_from_sample_to_sample(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1, 4), batch_size=1), L.LSTM(6, stateful=True), L.Dense(2)])
    edgekit.convert(model, tmp_path / "m.tflite", precision="float32", keep=["lstm"], also="onnx", task="values")
    tflite, found = (edgekit.load(tmp_path / f"m.{suffix}", device="cpu") for suffix in ("tflite", "onnx"))
    samples = WINDOWS[0][:, np.newaxis]
    for _ in range(2):
        for sample in samples:
            assert values_of(found(sample)) == pytest.approx(values_of(tflite(sample)), abs=1e-5)
        found.reset()
        tflite.reset()


def values_of(result: edgekit.Result) -> list[float]:
    numbers: list[float] = json.loads(result.to_json())["values"]
    return numbers


def test_an_unrolled_network_whose_tensors_share_names_is_translated(tmp_path: Path) -> None:
    """The steps of a loop for the GPU each have a tensor 'begin'; tf2onnx takes them for one."""
    model = keras.Sequential([keras.Input((3, 4), name="window"), L.LSTM(4), L.Dense(3)])
    made = edgekit.convert(model, tmp_path / "m.tflite", target="jetson", precision="float32", also="onnx")
    assert made.onnx is not None
    assert made.onnx.sqnr_db > 80


def test_rows_of_a_table_that_is_quantized_with_a_zero_point_keep_their_values(tmp_path: Path) -> None:
    """They are moved before they are dequantized, so that the table itself has to be changed."""
    keras.utils.set_random_seed(0)
    table = keras.initializers.RandomUniform(-0.2, 1.0)
    model = keras.Sequential([
        keras.Input((6,), dtype="int32", name="words"), L.Embedding(20, 8, embeddings_initializer=table),
        L.Flatten(), L.Dense(3),
    ])
    words = np.random.default_rng(0).integers(0, 20, (30, 6)).astype(np.int32)
    made = edgekit.convert(
        model, tmp_path / "m.tflite", calibration={"words": words}, calibrator="minmax", task="values", also="onnx"
    )
    assert made.onnx is not None
    assert made.onnx.sqnr_db > 25


def test_a_dense_layer_behind_a_convolution_keeps_its_bias(tmp_path: Path) -> None:
    """tf2onnx loses it, where TFLite leaves out the flattening between."""
    keras.utils.set_random_seed(0)
    bias = keras.initializers.RandomNormal(stddev=5)
    model = keras.Sequential([
        keras.Input((8, 8, 4)), L.Conv2D(6, 8), L.Flatten(), L.Dense(3, bias_initializer=bias),
    ])
    made = edgekit.convert(model, tmp_path / "m.tflite", precision="float32", also="onnx")
    assert made.onnx is not None
    assert made.onnx.sqnr_db > 100


def test_without_calibration_data_a_made_up_sample_is_compared(tmp_path: Path) -> None:
    made = edgekit.convert(recurrent(L.Flatten()), tmp_path / "m.tflite", precision="float32", also="onnx")
    assert made.onnx is not None
    assert made.onnx.samples == 1


def test_a_translation_that_computes_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit_converters.onnx import lstm

    monkeypatch.setattr(lstm, "ORDER", (3, 0, 2, 1))
    with pytest.raises(ConversionError, match=r"does not compute what the \.tflite does: .* dB SQNR"):
        edgekit.convert(
            recurrent(L.LSTM(8)), tmp_path / "m.tflite", precision="float32", calibration=WINDOWS, also="onnx"
        )
    assert not list(tmp_path.iterdir())


def remembering() -> Any:
    return keras.Sequential([keras.Input((1, 4), batch_size=1), L.LSTM(6, stateful=True), L.Dense(2)])


def looking_up() -> Any:
    return keras.Sequential([keras.Input((4,), name="x"), L.Discretization([0.0, 1.0])])


def clipped() -> Any:
    """Its fused activation is one that tf2onnx stumbles over, and goes on."""
    layers = [L.Conv2D(4, 3), L.Activation(lambda x: keras.ops.clip(x, -1, 1))]
    return keras.Sequential([keras.Input((8, 8, 4)), *layers])


@pytest.mark.parametrize(("build", "words"), [
    (remembering, "remembers earlier samples"), (looking_up, "BUCKETIZE"), (clipped, "tf2onnx cannot translate"),
])
def test_what_onnx_cannot_say_is_refused_and_nothing_written(
    build: Callable[[], Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConversionError, match=words):
        edgekit.convert(build(), tmp_path / "m.tflite", precision="float32", also="onnx")
    assert not list(tmp_path.iterdir())


def test_other_formats_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="also cannot be 'onxn'"):
        edgekit.convert(recurrent(L.Flatten()), tmp_path / "m.tflite", precision="float32", also="onxn")


def test_a_missing_library_is_named_with_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgekit_converters.onnx import types

    monkeypatch.setattr(types, "LIBRARIES", ("onnx", "no_such_library"))
    with pytest.raises(MissingDependencyError, match=r"no_such_library(.|\n)*edgekit-sdk\[onnx\]"):
        edgekit.convert(recurrent(L.Flatten()), tmp_path / "m.tflite", precision="float32", also="onnx")
