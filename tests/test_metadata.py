"""Metadata inside `.tflite` files: EdgeKit's own, the standard's, and other tools'."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import DataError, ModelFileError, UsageError
from edgekit.interpreter import import_runtime
from edgekit.metadata import InputMetadata, Metadata, Normalization, OutputMetadata, read, write
from edgekit.metadata.numbers import shortest
from edgekit.tflite import parse_model, read_model

Pack = Callable[[Any], bytes]
quick = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])

DIGITS = tuple(f"digit {number}" for number in range(10))
Archive = Callable[..., bytes]


def members(model: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# What EdgeKit writes


def test_what_is_written_is_read_back(said: Metadata, tiny_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "digits.tflite"
    path.write_bytes(write(tiny_bytes, said))
    expected = replace(said, origin="edgekit", files=("edgekit.json", "labels.txt"))
    assert read(path) == read(str(path)) == read(read_model(path)) == read(path.read_bytes()) == expected


def test_nothing_said_is_written_too(tiny_bytes: bytes) -> None:
    assert read(write(tiny_bytes, Metadata())) == Metadata(
        inputs=(InputMetadata(name="image"),), outputs=(OutputMetadata(name="scores"),),
        origin="edgekit", files=("edgekit.json",),
    )


def test_the_archive_as_any_tool_sees_it(said: Metadata, tiny_bytes: bytes) -> None:
    found = members(write(tiny_bytes, said))
    assert found["labels.txt"].decode().splitlines() == list(DIGITS)
    document = json.loads(found["edgekit.json"])
    assert document["schema"] == 1
    assert document["inputs"] == [{"content": "image", "channels": "gray", "resize": "letterbox"}]
    assert document["task"] == "classification"
    assert document["provenance"] == said.provenance
    assert len(document["model_sha256"]) == 64


def test_equal_arguments_give_equal_bytes(said: Metadata, tiny_bytes: bytes) -> None:
    assert write(tiny_bytes, said) == write(tiny_bytes, said)


def test_writing_again_replaces(said: Metadata, tiny_bytes: bytes) -> None:
    first = write(tiny_bytes, replace(said, name="First"))
    assert write(first, said) == write(tiny_bytes, said)


def test_bgr_for_which_the_standard_has_no_word(said: Metadata, tiny_bytes: bytes) -> None:
    said = replace(said, inputs=(replace(said.inputs[0], channels="bgr"),))
    assert read(write(tiny_bytes, said)).inputs[0].channels == "bgr"


def test_several_labelled_outputs_have_a_file_each(said: Metadata, tiny_parts: Any, pack_model: Pack) -> None:
    tiny_parts.subgraphs[0].outputs = [4, 3]
    said = Metadata(outputs=(
        OutputMetadata(name="age group", labels=("young", "old")), OutputMetadata(name="age/group", labels=DIGITS),
    ))
    model = write(pack_model(tiny_parts), said)
    assert sorted(members(model)) == ["edgekit.json", "labels_age_group.txt", "labels_age_group_1.txt"]
    assert read(model).outputs == said.outputs


@quick
@given(labels=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")), min_size=1))
def test_labels_come_back_as_they_were(said: Metadata, tiny_bytes: bytes, labels: list[str]) -> None:
    said = Metadata(outputs=(OutputMetadata(labels=tuple(labels)),))
    assert read(write(tiny_bytes, said)).outputs[0].labels == tuple(labels)


@quick
@given(value=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_survive_the_file(value: float) -> None:
    assert np.float32(shortest(value)) == np.float32(value)


def test_numbers_come_back_as_they_were_written(said: Metadata, tiny_bytes: bytes) -> None:
    rule = Normalization((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    said = Metadata(inputs=(InputMetadata(content="image", normalization=rule),))
    assert read(write(tiny_bytes, said)).inputs[0].normalization == rule


def test_what_cannot_be_written(tiny_bytes: bytes) -> None:
    with pytest.raises(DataError, match="line break"):
        write(tiny_bytes, Metadata(outputs=(OutputMetadata(labels=("a\nb",)),)))
    with pytest.raises(DataError, match="provenance"):
        write(tiny_bytes, Metadata(provenance={"path": Path()}))
    with pytest.raises(DataError, match="provenance"):
        write(tiny_bytes, Metadata(provenance={"accuracy": float("nan")}))
    with pytest.raises(UsageError, match="metadata for 2 inputs was given, and the model has 1"):
        write(tiny_bytes, Metadata(inputs=(InputMetadata(), InputMetadata())))
    with pytest.raises(ModelFileError, match="text file"):
        write(b"hello", Metadata())


def test_values_outside_the_flatbuffer_are_refused(tiny_parts: Any, pack_model: Pack) -> None:
    weights = tiny_parts.buffers[1]
    content, weights.data, weights.size, weights.offset = weights.data.tobytes(), None, 640, 1 << 20
    weights.offset = len(pack_model(tiny_parts))
    with pytest.raises(ModelFileError, match="outside its FlatBuffer"):
        write(pack_model(tiny_parts) + content, Metadata())


# The model's own bytes


def outputs(model: bytes) -> list[Any]:
    interpreter = import_runtime().Interpreter(model_content=model)
    interpreter.allocate_tensors()
    generator = np.random.default_rng(1)
    for detail in interpreter.get_input_details():
        low, high = (0, 1) if detail["dtype"] == np.float32 else (0, 100)
        values = generator.integers(low, high, detail["shape"], endpoint=True).astype(detail["dtype"])
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def buffer_starts(data: bytes) -> list[int]:
    schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = schema.Model.GetRootAs(data)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    return [b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength()]


def test_real_models_compute_the_same_and_stay_aligned(said: Metadata, shared: Path) -> None:
    for path in sorted((shared / "tflite").glob("*.tflite")):
        model = path.read_bytes()
        new = write(model, said)
        before, after = read_model(path), parse_model(new)
        assert model[: before.flatbuffer_size] in new
        assert after.subgraphs == before.subgraphs
        assert after.signatures == before.signatures
        assert after.min_runtime_version == before.min_runtime_version
        assert after.description == before.description
        aligned = [start % 16 == 0 for start in buffer_starts(model)]
        assert [start % 16 == 0 for start in buffer_starts(new)] == [*aligned, True]
        if not before.is_edgetpu:
            for old_values, new_values in zip(outputs(model), outputs(new), strict=True):
                np.testing.assert_array_equal(old_values, new_values)


def test_every_real_model_takes_metadata(shared: Path) -> None:
    for path in sorted(shared.rglob("*.tflite")):
        new = write(path.read_bytes(), Metadata(name="Any", task="values"))
        assert read(new).name == "Any"


def test_other_files_of_the_archive_are_kept(with_archive: Archive, said: Metadata, shared: Path) -> None:
    old = with_archive((shared / "keras/ad01_int8.tflite").read_bytes(), vocabulary__txt="one two", labels__txt="a")
    found = members(write(old, said))
    assert found["vocabulary.txt"] == b"one two"
    assert found["labels.txt"].startswith(b"digit 0\n")
    replaced = write((shared / "tflite/mobilenet_v1_0.25_128_quant.tflite").read_bytes(), said)
    assert sorted(members(replaced)) == ["edgekit.json", "labels.txt"]
