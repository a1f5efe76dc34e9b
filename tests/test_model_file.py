"""`.tflite` files, read without an interpreter."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import MissingFileError, ModelFileError
from edgekit.interpreter import import_runtime
from edgekit.tflite import ModelFile, Quantization, Tensor, flatbuffer, parse_model, read_model
from edgekit.tflite.model_file import tidy_name
from edgekit.tflite.opcodes import OPERATORS, TENSOR_TYPES, operator_name, tensor_type_name

schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="needs the schema of ai-edge-litert")
Interpreter = import_runtime().Interpreter
Pack = Callable[[Any], bytes]
quick = settings(max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])


def all_models(shared: Path) -> list[Path]:
    return sorted(shared.rglob("*.tflite"))


def test_what_the_tiny_classifier_holds(tiny_classifier: Path) -> None:
    file = read_model(tiny_classifier)
    assert (file.path, file.size) == (str(tiny_classifier), tiny_classifier.stat().st_size)
    assert file.flatbuffer_size == file.size
    assert file.description == "tiny classifier"
    assert file.min_runtime_version == "1.14.0"
    assert file.inputs == (
        Tensor(0, "serving_default_image:0", (1, 8, 8, 1), (1, 8, 8, 1), "int8",
               Quantization((float(np.float32(1 / 255)),), (-128,))),
    )
    assert file.input_names == ("image",)
    assert file.output_names == ("scores",)
    assert [(op.index, op.type, op.version, op.inputs, op.outputs) for op in file.main.operators] == [
        (0, "FULLY_CONNECTED", 4, (0, 1, 2), (3,)),
        (1, "SOFTMAX", 2, (3,), (4,)),
    ]
    assert [(t.name, t.nbytes) for t in file.main.tensors if t.constant] == [
        ("dense/weights", 640), ("dense/bias", 40),
    ]
    assert file.final_activation(0) == "SOFTMAX"
    assert file.float_tensors == ()
    assert not file.is_edgetpu
    assert not file.external_data


def test_options_and_small_constants_are_those_that_the_schema_reads(shared: Path) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    path = shared / "tflite" / "movenet_single_pose_lightning_ptq.tflite"
    graph = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0).subgraphs[0]
    file = read_model(path, details=True)
    seen = set()
    for operator, known in zip(file.main.operators, graph.operators, strict=True):
        for name, value in operator.options.items():
            first, *rest = name.split("_")
            wanted = getattr(known.builtinOptions, first + "".join(part.capitalize() for part in rest))
            assert value == (tuple(wanted) if isinstance(value, tuple) else wanted)
            seen.add((operator.type, name))
    assert {("CONV_2D", "stride_w"), ("DEPTHWISE_CONV_2D", "depth_multiplier"), ("CONCATENATION", "axis")} <= seen
    interpreter = Interpreter(str(path))
    constants = [tensor for tensor in file.main.tensors if tensor.values is not None]
    assert len(constants) > 20
    for tensor in constants:
        assert np.array_equal(interpreter.get_tensor(tensor.index).ravel(), list(tensor.values or ()))


def test_options_and_constants_are_read_when_asked_for_alone(shared: Path) -> None:
    file = read_model(shared / "tflite" / "movenet_single_pose_lightning_ptq.tflite")
    assert not any(operator.options for operator in file.main.operators)
    assert all(tensor.values is None for tensor in file.main.tensors)


def test_the_tiny_classifier_is_a_real_model(tiny_bytes: bytes) -> None:
    interpreter = Interpreter(model_content=tiny_bytes)
    interpreter.allocate_tensors()
    for wanted in range(10):
        picture = np.where(np.arange(64) % 10 == wanted, 127, -128).astype(np.int8).reshape(1, 8, 8, 1)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
        interpreter.invoke()
        assert interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).argmax() == wanted


def test_every_real_file_reads_as_the_interpreter_sees_it(shared: Path) -> None:
    models = all_models(shared)
    assert len(models) > 30
    for path in models:
        file = read_model(path)
        if file.is_edgetpu:
            assert path.stem.endswith("_edgetpu")
            continue
        interpreter = Interpreter(str(path), experimental_delegates=[])
        for ours, theirs in [
            (file.inputs, interpreter.get_input_details()), (file.outputs, interpreter.get_output_details()),
        ]:
            assert [tensor.name for tensor in ours] == [detail["name"] for detail in theirs]
            assert [tensor.index for tensor in ours] == [detail["index"] for detail in theirs]
            assert [tensor.static_shape for tensor in ours] == [tuple(detail["shape"]) for detail in theirs]
            assert [tensor.shape for tensor in ours] == [tuple(d["shape_signature"]) for d in theirs]
            assert [tensor.dtype for tensor in ours] == [np.dtype(detail["dtype"]).name for detail in theirs]
            for tensor, detail in zip(ours, theirs, strict=True):
                quantization = tensor.quantization
                scale, zero = (quantization.scales[0], quantization.zero_points[0]) if quantization else (0.0, 0)
                assert (scale, zero) == detail["quantization"]


def test_reading_a_real_file_takes_few_steps(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table costs a step; the three million weights cost none."""
    monkeypatch.setattr(flatbuffer, "_MOST_STEPS", 3_000)
    assert len(read_model(shared / "tflite/mobilenet_v2_1.0_224_quant.tflite").main.operators) == 66


def test_facts_of_real_files(shared: Path) -> None:
    def model(name: str) -> ModelFile:
        return read_model(shared / name)

    mobilenet = model("tflite/mobilenet_v1_0.25_128_quant.tflite")
    assert mobilenet.final_activation() == "SOFTMAX"
    assert list(mobilenet.files) == ["imagenet_labels.txt"]
    assert mobilenet.size - mobilenet.flatbuffer_size == 525598 - 503776
    assert model("tflite/keras_lstm_mnist_ptq_edgetpu.tflite").is_edgetpu
    assert model("tflite/movenet_single_pose_lightning_ptq.tflite").float_tensors[0] == "Cast"
    assert model("keras/ad01_int8.tflite").final_activation() is None
    detector = model("edgetpu/models/thermal-face__thermal_face_automl_edge_l.tflite")
    assert detector.main.operators[-1].custom_code == "TFLite_Detection_PostProcess"


@pytest.mark.parametrize(
    ("name", "tidy"),
    [
        ("serving_default_image:0", "image"),
        ("StatefulPartitionedCall:0", "StatefulPartitionedCall"),
        ("TFLite_Detection_PostProcess:2", "TFLite_Detection_PostProcess"),
        ("input", "input"),
        ("a:b", "a:b"),
        (":0", ":0"),
    ],
)
def test_tensor_names_are_tidied(name: str, tidy: str) -> None:
    assert tidy_name(name) == tidy


def test_names_without_a_signature(tiny_parts: Any, pack_model: Pack) -> None:
    tiny_parts.signatureDefs = []
    file = parse_model(pack_model(tiny_parts))
    assert (file.input_names, file.output_names) == (("image",), ("StatefulPartitionedCall",))


def test_names_that_tidying_would_confuse_stay(tiny_parts: Any, pack_model: Pack) -> None:
    tiny_parts.signatureDefs = []
    graph = tiny_parts.subgraphs[0]
    graph.tensors[3].name, graph.outputs = b"StatefulPartitionedCall:1", [4, 3]
    assert parse_model(pack_model(tiny_parts)).output_names == (
        "StatefulPartitionedCall:0", "StatefulPartitionedCall:1",
    )


def test_an_open_dimension(tiny_parts: Any, pack_model: Pack) -> None:
    tiny_parts.subgraphs[0].tensors[0].shapeSignature = [-1, 8, 8, 1]
    (image,) = parse_model(pack_model(tiny_parts)).inputs
    assert image.shape == (-1, 8, 8, 1)
    assert image.static_shape == (1, 8, 8, 1)


def test_final_activation_looks_through_quantizing_and_reshaping(tiny_parts: Any, pack_model: Pack) -> None:
    graph = tiny_parts.subgraphs[0]
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = schema.BuiltinOperator.DEQUANTIZE, 6, 1
    tiny_parts.operatorCodes.append(code)
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = b"real", [1, 10], schema.TensorType.FLOAT32
    graph.tensors.append(tensor)
    operator.opcodeIndex, operator.inputs, operator.outputs = 2, [4], [5]
    graph.operators.append(operator)
    graph.outputs = [5]
    file = parse_model(pack_model(tiny_parts))
    assert file.final_activation() == "SOFTMAX"
    assert file.float_tensors == ("real",)


def test_floats_that_only_say_how_an_lstm_is_quantized_are_not_computed(shared: Path) -> None:
    file = read_model(shared / "tflite/keras_lstm_mnist_ptq.tflite")
    assert any(tensor.dtype == "float32" and not tensor.constant for tensor in file.main.tensors)
    assert any(-1 in operator.inputs for operator in file.main.operators)
    assert file.float_tensors == ()


def test_operator_and_type_names_are_the_schema_s() -> None:
    def numbered(enumeration: type) -> dict[int, str]:
        return {value: key for key, value in vars(enumeration).items() if not key.startswith("_")}

    assert dict(enumerate(OPERATORS)) == numbered(schema.BuiltinOperator)
    assert [name.upper() for name in TENSOR_TYPES] == list(numbered(schema.TensorType).values())


def test_operator_codes_old_and_new() -> None:
    assert operator_name(3, 0) == "CONV_2D"
    assert operator_name(127, 150) == "GELU"
    assert operator_name(9, 9) == "FULLY_CONNECTED"
    assert operator_name(127, 9999) == "OPERATOR_9999"
    assert tensor_type_name(99) == "type_99"


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("model.tflite", b"", "is empty"),
        ("model.tflite", b"hello, world\n", "a text file"),
        ("model.tflite", "Grüße\n".encode(), "a text file"),
        ("model.tflite", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("model.tflite", b"<!DOCTYPE html><html>", "a web page"),
        ("model.keras", b"PK\x03\x04" + bytes(60), "edgekit convert .*model.keras"),
        ("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(60), "edgekit convert .*model.h5"),
        ("model.onnx", b"\x08\x07\x12\x07pytorch" + bytes(60), "an ONNX model"),
        ("model.tflite", b"\x08\x07\x12\x07pytorch" + bytes(60), "an ONNX model"),
        ("model.task", b"PK\x03\x04" + bytes(60), "a MediaPipe bundle"),
        ("cat.jpg", b"\xff\xd8\xff\xe0" + bytes(60), "a JPEG picture"),
        ("model.tflite", bytes(100), "something else"),
        ("model.tflite", b"TFL3", "a text file"),
    ],
)
def test_other_files_are_refused_by_name_of_what_they_are(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=what) as raised:
        read_model(path)
    assert name in str(raised.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_model(tmp_path / "nowhere.tflite")
    with pytest.raises(MissingFileError, match="is a folder"):
        read_model(tmp_path)
    with pytest.raises(MissingFileError, match="not a regular file"):
        read_model("/dev/zero")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda model: setattr(model, "subgraphs", []),
        lambda model: setattr(model, "version", 4),
        lambda model: setattr(model.subgraphs[0], "inputs", [5]),
        lambda model: setattr(model.subgraphs[0], "outputs", [-1]),
        lambda model: setattr(model.subgraphs[0].operators[0], "inputs", [0, -2]),
        lambda model: setattr(model.subgraphs[0].operators[0], "opcodeIndex", 2),
        lambda model: setattr(model.subgraphs[0].tensors[0], "buffer", 4),
        lambda model: setattr(model.signatureDefs[0], "subgraphIndex", 1),
        lambda model: setattr(model.signatureDefs[0].inputs[0], "tensorIndex", 5),
        lambda model: setattr(model.metadata[0], "buffer", 9),
    ],
)
def test_numbers_of_things_that_do_not_exist(tiny_parts: Any, pack_model: Pack, spoil: Callable[[Any], None]) -> None:
    spoil(tiny_parts)
    with pytest.raises(ModelFileError, match="damaged or cut short"):
        parse_model(pack_model(tiny_parts))


@pytest.mark.parametrize(("size", "good"), [(640, True), (641, False), (2**63, False)])
def test_values_behind_the_model_lie_in_the_file(
    tiny_parts: Any, pack_model: Pack, size: int, good: bool
) -> None:
    weights = tiny_parts.buffers[1]
    content, weights.data, weights.size = weights.data.tobytes(), None, size
    weights.offset = 1 << 20
    weights.offset = len(pack_model(tiny_parts))
    data = pack_model(tiny_parts) + content
    if good:
        file = parse_model(data)
        assert file.external_data
        assert file.main.tensors[1].nbytes == 640
    else:
        with pytest.raises(ModelFileError, match="damaged or cut short"):
            parse_model(data)


def test_real_files_cut_anywhere_are_refused(shared: Path) -> None:
    chance = random.Random(1)
    for path in all_models(shared):
        data = path.read_bytes()
        archive = read_model(path).flatbuffer_size
        # The last bytes before the archive may be mere padding.
        lengths = [*(chance.randrange(archive - 64) for _ in range(8)), archive - 64]
        if archive < len(data):
            lengths += [archive + 30, len(data) - 1, len(data) - 100]
        for length in lengths:
            with pytest.raises(ModelFileError):
                parse_model(data[:length], path.name)


def test_the_tiny_classifier_cut_anywhere_is_refused(tiny_bytes: bytes) -> None:
    for length in range(len(tiny_bytes) - 4):
        with pytest.raises(ModelFileError):
            parse_model(tiny_bytes[:length])


@quick
@given(flips=st.lists(st.tuples(st.integers(0, 4095), st.integers(1, 255)), min_size=1, max_size=8))
def test_flipped_bits_read_or_are_refused(tiny_bytes: bytes, flips: list[tuple[int, int]]) -> None:
    data = bytearray(tiny_bytes)
    for place, mask in flips:
        data[place % len(data)] ^= mask
    _read_or_refuse(bytes(data))


@quick
@given(place=st.integers(0, 4095), word=st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF]))
def test_absurd_offsets_and_lengths_read_or_are_refused(tiny_bytes: bytes, place: int, word: int) -> None:
    data = bytearray(tiny_bytes)
    struct.pack_into("<I", data, place % (len(data) - 4) // 4 * 4, word)
    _read_or_refuse(bytes(data))


@quick
@given(content=st.binary(max_size=400))
def test_random_bytes_read_or_are_refused(content: bytes) -> None:
    _read_or_refuse(content)
    _read_or_refuse(content[:4] + b"TFL3" + content[4:])


def _read_or_refuse(data: bytes) -> None:
    try:
        file = parse_model(data)
    except ModelFileError:
        return
    assert file.size == len(data)
    assert len(file.input_names) == len(file.inputs)
    assert len(file.output_names) == len(file.outputs)
    assert all(file.final_activation(index) != "" for index in range(len(file.outputs)))
    assert isinstance(file.is_edgetpu, bool)


def _offsets(at: int, target: int, count: int) -> bytes:
    """A vector, at `at`, of offsets that all lead to the same place."""
    return struct.pack(f"<{count + 1}I", count, *(target - (at + 4 + 4 * number) for number in range(count)))


def test_a_file_that_refers_to_the_same_place_again_and_again_is_refused() -> None:
    # A thousand graphs of ten thousand operators, all of them the same, in 44 kB.
    graphs, graph = 48, 48 + 4 + 4000 + 12
    operators, operator = graph + 8, graph + 8 + 4 + 40000 + 8
    data = b"".join([
        struct.pack("<I4s", 32, b"TFL3"),
        struct.pack("<HHHHHHHH", 16, 12, 4, 0, 8, 0, 0, 0).ljust(24, b"\0"),
        struct.pack("<iII4x", 24, 3, graphs - 40),
        _offsets(graphs, graph, 1000),
        struct.pack("<HHHHHH", 12, 8, 0, 0, 0, 4),
        struct.pack("<iI", 12, 4),
        _offsets(operators, operator, 10000),
        struct.pack("<HH4x", 4, 4),
        struct.pack("<i", 8),
    ])
    with pytest.raises(ModelFileError, match="again and again"):
        parse_model(data)
