"""`.onnx` files as they lie on disk: what is read of them, their metadata, and damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgekit
from edgekit import MissingFileError, ModelFileError, metadata
from edgekit.metadata import Metadata
from edgekit.onnx import parse_onnx, read_onnx
from edgekit.onnx.protobuf import encode, encode_varint, fields, varint

onnx = pytest.importorskip("onnx", reason="needs the onnx extra: pip install 'edgekit-sdk[onnx]'")
helper, numpy_helper, FLOAT = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT


def digits(*, weights_as_input: bool = False, batch: int | str = 1) -> bytes:
    """Ten scores of a gray picture of 8 by 8 pixels: class k answers to light at the pixels that end in k."""
    weights = np.zeros((64, 10), np.float32)
    weights[np.arange(64), np.arange(64) % 10] = 1
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"]),
    ]
    inputs = [helper.make_tensor_value_info("image", FLOAT, (batch, 8, 8, 1))]
    if weights_as_input:
        inputs.append(helper.make_tensor_value_info("w", FLOAT, (64, 10)))
    outputs = [helper.make_tensor_value_info("scores", FLOAT, (batch, 10))]
    graph = helper.make_graph(nodes, "digits", inputs, outputs, [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    return bytes(model.SerializeToString())


PLAIN = digits()


def test_inputs_outputs_and_the_last_operation_are_read() -> None:
    file = parse_onnx(PLAIN)
    assert (file.format, file.input_names, file.output_names) == ("onnx", ("image",), ("scores",))
    assert (file.inputs[0].dtype, file.inputs[0].shape, file.outputs[0].shape) == ("float32", (1, 8, 8, 1), (1, 10))
    assert file.final_activation() == "SOFTMAX"


def test_an_open_batch_is_one_sample() -> None:
    file = parse_onnx(digits(batch="N"))
    assert file.inputs[0].shape == (-1, 8, 8, 1)
    assert file.inputs[0].static_shape == (1, 8, 8, 1)


def test_weights_that_old_exporters_list_as_inputs_are_none() -> None:
    assert parse_onnx(digits(weights_as_input=True)).input_names == ("image",)


def test_a_file_carries_the_metadata_that_a_tflite_file_carries(said: Metadata, tmp_path: Path) -> None:
    path = tmp_path / "digits.onnx"
    path.write_bytes(metadata.write_onnx(PLAIN, said))
    found = metadata.read(path)
    assert replace(found, files=(), origin="none") == said
    assert found.origin == "edgekit"
    model = onnx.load(path)  # for everyone else it is an ordinary model with metadata_props
    onnx.checker.check_model(model)
    properties = {item.key: item.value for item in model.metadata_props}
    assert properties["labels.txt"].splitlines()[3] == "digit 3"
    assert set(properties) == {"labels.txt", "edgekit.json", "TFLITE_METADATA"}


def test_metadata_are_not_written_twice(said: Metadata) -> None:
    with pytest.raises(ModelFileError, match="has metadata already"):
        metadata.write_onnx(metadata.write_onnx(PLAIN, said), said)


def test_a_file_that_is_cut_short_is_refused() -> None:
    for length in range(len(PLAIN)):
        with pytest.raises(ModelFileError):
            parse_onnx(PLAIN[:length])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_changed_bit_of_the_network_is_found(
    said: Metadata, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(metadata.write_onnx(PLAIN, said))
    at, bit = data.draw(st.integers(0, len(PLAIN) - 1)), data.draw(st.integers(0, 7))
    content[at] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "changed.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError):
        metadata.read(path)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_and_nothing_worse(content: bytes) -> None:
    with pytest.raises(ModelFileError):
        parse_onnx(b"\x08\x08" + content)


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**20), st.binary(max_size=50))
def test_what_is_encoded_is_read_again(value: int, number: int, content: bytes) -> None:
    encoded = encode_varint(value)
    assert varint(encoded, 0, len(encoded)) == (value, len(encoded))
    data = encode(number, content)
    [field] = fields(data, 0, len(data))
    assert (field.number, data[field.start : field.end], field.end) == (number, content, len(data))


def test_a_map_as_output_is_told_of() -> None:
    given = helper.make_tensor_value_info("x", FLOAT, (1, 3))
    probabilities = helper.make_map_type_proto(onnx.TensorProto.INT64, helper.make_tensor_type_proto(FLOAT, ()))
    graph = helper.make_graph(
        [helper.make_node("ZipMap", ["x"], ["z"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2])], "g", [given],
        [helper.make_value_info("z", helper.make_sequence_type_proto(probabilities))],
    )
    with pytest.raises(ModelFileError, match="'z', which is no tensor"):
        parse_onnx(helper.make_model(graph).SerializeToString())


def test_what_is_no_onnx_file_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "picture.onnx"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    with pytest.raises(ModelFileError, match="is not an ONNX model"):
        read_onnx(path)
    with pytest.raises(MissingFileError):
        edgekit.load(tmp_path / "none.onnx")


def test_other_commands_say_which_file_they_take(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "digits.onnx"
    path.write_bytes(PLAIN)
    assert command("inspect", path) == 2
    assert "bench and doctor take it" in capsys.readouterr().err
