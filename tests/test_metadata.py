"""Metadata inside `.tflite` files: EdgeKit's own, the standard's, and other tools'."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import DataError, MissingFileError, ModelFileError, UsageError
from edgekit.metadata import InputMetadata, Metadata, Normalization, OutputMetadata, read, write
from edgekit.metadata.numbers import shortest
from edgekit.tflite import parse_model, read_model
from edgekit.tflite.archive import MOST_BYTES

Pack = Callable[[Any], bytes]
quick = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])

DIGITS = tuple(f"digit {number}" for number in range(10))
SAID = Metadata(
    name="Digits",
    description="Which digit it is.",
    version="1.2",
    author="A. Maker",
    license="Apache-2.0",
    inputs=(
        InputMetadata(
            name="image", description="A digit", content="image", channels="gray",
            normalization=Normalization((123.675,), (255.0,)), resize="letterbox", minimum=(0.0,), maximum=(1.0,),
        ),
    ),
    outputs=(OutputMetadata(name="scores", description="How sure", labels=DIGITS),),
    task="classification",
    target="coral",
    provenance={"source": "digits.keras", "samples": 100, "versions": {"keras": "3.15.1"}},
)


def with_archive(model: bytes, **members: str | bytes) -> bytes:
    """The model with an archive as other tools append it; `__` in a name stands for a dot."""
    stream = io.BytesIO(model)
    with zipfile.ZipFile(stream, "a") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


def members(model: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# What EdgeKit writes


def test_what_is_written_is_read_back(tiny_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "digits.tflite"
    path.write_bytes(write(tiny_bytes, SAID))
    expected = replace(SAID, origin="edgekit", files=("edgekit.json", "labels.txt"))
    assert read(path) == read(str(path)) == read(read_model(path)) == read(path.read_bytes()) == expected


def test_nothing_said_is_written_too(tiny_bytes: bytes) -> None:
    assert read(write(tiny_bytes, Metadata())) == Metadata(
        inputs=(InputMetadata(name="image"),), outputs=(OutputMetadata(name="scores"),),
        origin="edgekit", files=("edgekit.json",),
    )


def test_the_archive_as_any_tool_sees_it(tiny_bytes: bytes) -> None:
    found = members(write(tiny_bytes, SAID))
    assert found["labels.txt"].decode().splitlines() == list(DIGITS)
    document = json.loads(found["edgekit.json"])
    assert document["schema"] == 1
    assert document["inputs"] == [{"content": "image", "channels": "gray", "resize": "letterbox"}]
    assert document["task"] == "classification"
    assert document["provenance"] == SAID.provenance
    assert len(document["model_sha256"]) == 64


def test_equal_arguments_give_equal_bytes(tiny_bytes: bytes) -> None:
    assert write(tiny_bytes, SAID) == write(tiny_bytes, SAID)


def test_writing_again_replaces(tiny_bytes: bytes) -> None:
    first = write(tiny_bytes, replace(SAID, name="First"))
    assert write(first, SAID) == write(tiny_bytes, SAID)


def test_bgr_for_which_the_standard_has_no_word(tiny_bytes: bytes) -> None:
    said = replace(SAID, inputs=(replace(SAID.inputs[0], channels="bgr"),))
    assert read(write(tiny_bytes, said)).inputs[0].channels == "bgr"


def test_several_labelled_outputs_have_a_file_each(tiny_parts: Any, pack_model: Pack) -> None:
    tiny_parts.subgraphs[0].outputs = [4, 3]
    said = Metadata(outputs=(
        OutputMetadata(name="age group", labels=("young", "old")), OutputMetadata(name="age/group", labels=DIGITS),
    ))
    model = write(pack_model(tiny_parts), said)
    assert sorted(members(model)) == ["edgekit.json", "labels_age_group.txt", "labels_age_group_1.txt"]
    assert read(model).outputs == said.outputs


@quick
@given(labels=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")), min_size=1))
def test_labels_come_back_as_they_were(tiny_bytes: bytes, labels: list[str]) -> None:
    said = Metadata(outputs=(OutputMetadata(labels=tuple(labels)),))
    assert read(write(tiny_bytes, said)).outputs[0].labels == tuple(labels)


@quick
@given(value=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_survive_the_file(value: float) -> None:
    assert np.float32(shortest(value)) == np.float32(value)


def test_numbers_come_back_as_they_were_written(tiny_bytes: bytes) -> None:
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
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    generator = np.random.default_rng(1)
    for detail in interpreter.get_input_details():
        low, high = (0, 1) if detail["dtype"] == np.float32 else (0, 100)
        values = generator.integers(low, high, detail["shape"], endpoint=True).astype(detail["dtype"])
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def buffer_starts(data: bytes) -> list[int]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(data)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    return [b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength()]


def test_real_models_compute_the_same_and_stay_aligned(shared: Path) -> None:
    for path in sorted((shared / "tflite").glob("*.tflite")):
        model = path.read_bytes()
        new = write(model, SAID)
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


def test_other_files_of_the_archive_are_kept(shared: Path) -> None:
    old = with_archive((shared / "keras/ad01_int8.tflite").read_bytes(), vocabulary__txt="one two", labels__txt="a")
    found = members(write(old, SAID))
    assert found["vocabulary.txt"] == b"one two"
    assert found["labels.txt"].startswith(b"digit 0\n")
    replaced = write((shared / "tflite/mobilenet_v1_0.25_128_quant.tflite").read_bytes(), SAID)
    assert sorted(members(replaced)) == ["edgekit.json", "labels.txt"]


# Damage


def test_every_flipped_bit_is_found_or_harmless(tiny_bytes: bytes) -> None:
    written = write(tiny_bytes, SAID)
    whole, said = parse_model(written), read(written)
    chance = random.Random(1)
    for place in range(0, len(written), 2):
        data = bytearray(written)
        data[place] ^= 1 << chance.randrange(8)
        try:
            found = read(bytes(data))
        except ModelFileError:
            continue
        assert place >= whole.flatbuffer_size, f"a flipped bit of the model at {place} was not found"
        assert found == said


def test_a_cut_file_is_refused_wherever_it_is_cut(tiny_bytes: bytes) -> None:
    written = write(tiny_bytes, SAID)
    for length in range(len(written)):
        with pytest.raises(ModelFileError):
            read(written[:length])


def test_a_changed_model_fails_its_checksum(tiny_bytes: bytes, tmp_path: Path) -> None:
    written = write(tiny_bytes, SAID)
    path = tmp_path / "model.tflite"
    weights = written.index(b"\x64\xf6\xf6")
    path.write_bytes(written[:weights] + b"\x65" + written[weights + 1 :])
    with pytest.raises(ModelFileError, match=r"model\.tflite .* checksum differs"):
        read(path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": 2}, "schema 2, and this EdgeKit reads schema 1"),
        ({"schema": None}, "schema None"),
        ({"task": 7}, "'task' in its edgekit.json is 7"),
        ({"provenance": []}, "'provenance'"),
        ({"inputs": {}}, "'inputs'"),
        ({"inputs": [3]}, "'inputs'"),
        ({"inputs": [{"channels": "cmyk"}]}, "'channels' in its edgekit.json is 'cmyk'"),
        ({"inputs": [{"resize": ["crop"]}]}, "'resize'"),
        ({"model_sha256": None}, "'model_sha256'"),
        ({"model_sha256": "00"}, "checksum differs"),
    ],
)
def test_what_edgekit_json_may_not_say(tiny_bytes: bytes, change: dict[str, Any], problem: str) -> None:
    written = write(tiny_bytes, SAID)
    flatbuffer, found = written[: parse_model(written).flatbuffer_size], members(written)
    document = json.dumps(json.loads(found["edgekit.json"]) | change)
    model = with_archive(flatbuffer, edgekit__json=document, labels__txt=found["labels.txt"])
    with pytest.raises(ModelFileError) as raised:
        read(model)
    assert problem in str(raised.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100000, "\xff"])
def test_edgekit_json_that_is_no_object(tiny_bytes: bytes, content: str) -> None:
    with pytest.raises(ModelFileError, match=r"edgekit\.json in it"):
        read(with_archive(tiny_bytes, edgekit__json=content.encode("latin-1")))


def test_a_bomb_in_the_archive_is_refused(tiny_bytes: bytes) -> None:
    stream = io.BytesIO(tiny_bytes)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", bytes(MOST_BYTES + 1))
    with pytest.raises(ModelFileError, match="larger than 16 MiB"):
        read(stream.getvalue())


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read(tmp_path / "nowhere.tflite")


# What others write


def test_a_file_that_says_nothing(tiny_bytes: bytes) -> None:
    assert read(tiny_bytes) == Metadata(inputs=(InputMetadata(),), outputs=(OutputMetadata(),))


def test_standard_metadata_by_google(shared: Path) -> None:
    found = read(shared / "tflite/mobilenet_v1_0.25_128_quant.tflite")
    assert found.origin == "tflite"
    assert found.name == "ImageClassifier"
    assert found.inputs[0].content == "image"
    assert found.inputs[0].channels == "rgb"
    assert found.inputs[0].normalization == Normalization((127.5,), (127.5,))
    assert len(found.outputs[0].labels) == 1001
    assert found.outputs[0].labels[89] == "macaw"
    assert found.files == ("imagenet_labels.txt",)
    assert found.task is None


def test_standard_metadata_without_its_archive_is_cut_short(shared: Path) -> None:
    path = shared / "tflite/mobilenet_v1_0.25_128_quant.tflite"
    model = path.read_bytes()[: read_model(path).flatbuffer_size]
    with pytest.raises(ModelFileError, match=r"imagenet_labels\.txt, is missing or incomplete"):
        read(model)


def test_labels_that_no_output_claims(tiny_bytes: bytes) -> None:
    found = read(with_archive(tiny_bytes, readme__txt="hello", my_labels__txt="\n".join(DIGITS)))
    assert found.outputs[0].labels == DIGITS
    assert found.origin == "tflite"


ULTRALYTICS = {
    "description": "Ultralytics YOLO11n model trained on coco.yaml", "author": "Ultralytics",
    "date": "2025-06-01T12:00:00", "version": "8.3.140", "license": "AGPL-3.0 License",
    "docs": "https://docs.ultralytics.com", "stride": 32, "task": "detect", "batch": 1, "imgsz": [640, 640],
    "names": {"0": "person", "1": "bicycle", "3": "motorcycle"}, "args": {"int8": True}, "channels": 3,
}


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("metadata__json", json.dumps(ULTRALYTICS)),
        ("temp_meta__txt", str(ULTRALYTICS | {"names": {0: "person", 1: "bicycle", 3: "motorcycle"}})),
    ],
)
def test_ultralytics(tiny_bytes: bytes, member: str, content: str) -> None:
    found = read(with_archive(tiny_bytes, **{member: content}))
    assert found.origin == "ultralytics"
    assert found.task == "detection"
    assert found.outputs[0].labels == ("person", "bicycle", "", "motorcycle")
    assert found.inputs[0].normalization == Normalization((0.0,), (255.0,))
    assert (found.inputs[0].channels, found.inputs[0].resize) == ("rgb", "letterbox")
    assert (found.author, found.version, found.license) == ("Ultralytics", "8.3.140", "AGPL-3.0 License")
    assert found.provenance["imgsz"] == [640, 640]


@pytest.mark.parametrize(
    ("theirs", "ours", "resize"),
    [("classify", "classification", "crop"), ("segment", "segmentation", "letterbox"), ("pose", "pose", "letterbox")],
)
def test_ultralytics_tasks(tiny_bytes: bytes, theirs: str, ours: str, resize: str) -> None:
    found = read(with_archive(tiny_bytes, metadata__json=json.dumps(ULTRALYTICS | {"task": theirs})))
    assert (found.task, found.inputs[0].resize) == (ours, resize)


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "3", "[" * 99999,
        '{"task": "detect"}', '{"task": 3, "names": {}}', '{"task": "detect", "names": 3}',
    ],
)
@pytest.mark.parametrize("member", ["metadata__json", "temp_meta__txt"])
def test_what_looks_like_ultralytics_and_is_not_is_passed_over(tiny_bytes: bytes, member: str, content: str) -> None:
    assert read(with_archive(tiny_bytes, **{member: content})).origin == "none"


def test_ultralytics_with_strange_names(tiny_bytes: bytes) -> None:
    names = {"0": "a", "999999999": "b", "x": "c", "2": None}
    content = json.dumps(ULTRALYTICS | {"names": names})
    assert read(with_archive(tiny_bytes, metadata__json=content)).outputs[0].labels == ("a", "", "None")


def test_an_archive_whose_offsets_count_from_its_own_start(tiny_bytes: bytes) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("labels.txt", "\n".join(DIGITS))
    model = tiny_bytes + bytes(7) + stream.getvalue()
    assert parse_model(model).flatbuffer_size == len(tiny_bytes) + 7
    assert read(model).outputs[0].labels == DIGITS


@quick
@given(flips=st.lists(st.tuples(st.integers(0, 2**14), st.integers(1, 255)), min_size=1, max_size=4))
def test_damaged_standard_metadata_reads_or_is_refused(shared: Path, flips: list[tuple[int, int]]) -> None:
    path = shared / "tflite/mobilenet_v1_0.25_128_quant.tflite"
    entry = next(entry for entry in read_model(path).entries if entry.name == "TFLITE_METADATA")
    data = bytearray(path.read_bytes())
    for place, mask in flips:
        data[entry.start + place % entry.length] ^= mask
    try:
        assert len(read(bytes(data)).inputs) == 1
    except ModelFileError as error:
        assert "damaged or cut short" in str(error)


# Interoperation


@pytest.fixture
def tflite_support() -> Path:
    folder = os.environ.get("EDGEKIT_TFLITE_SUPPORT", "")
    if not folder or not Path(folder, "tensorflow_lite_support").is_dir():
        pytest.skip("EDGEKIT_TFLITE_SUPPORT names no folder with tflite-support unpacked in it")
    return Path(folder)


def support(folder: Path, program: str, *arguments: str) -> str:
    """Run a program with tflite-support, which cannot live beside TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SCHEMA_READER = """
import json, sys
from ai_edge_litert import schema_py_generated as model_schema
from tensorflow_lite_support.metadata import metadata_schema_py_generated as schema
data = open(sys.argv[1], "rb").read()
model = model_schema.Model.GetRootAs(data)
entries = [model.Metadata(index) for index in range(model.MetadataLength())]
(entry,) = [entry for entry in entries if entry.Name() == b"TFLITE_METADATA"]
content = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
assert schema.ModelMetadata.ModelMetadataBufferHasIdentifier(content, 0)
metadata = schema.ModelMetadataT.InitFromObj(schema.ModelMetadata.GetRootAs(content, 0))
graph = metadata.subgraphMetadata[0]
image, scores = graph.inputTensorMetadata[0], graph.outputTensorMetadata[0]
unit = image.processUnits[0]
print(json.dumps({
    "texts": [t.decode() for t in (metadata.name, metadata.description, metadata.version, metadata.author,
                                   metadata.license, image.name, image.description, scores.name)],
    "content": [image.content.contentPropertiesType, image.content.contentProperties.colorSpace],
    "unit": [unit.optionsType, round(float(unit.options.mean[0]), 3), float(unit.options.std[0])],
    "stats": [[float(v) for v in values] for values in (image.stats.min, image.stats.max)],
    "labels": [[f.name.decode(), f.type] for f in scores.associatedFiles],
    "files": [f.name.decode() for f in metadata.associatedFiles],
}))
"""


def test_the_schema_s_own_reader(tflite_support: Path, tiny_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(write(tiny_bytes, SAID))
    assert json.loads(support(tflite_support, SCHEMA_READER, str(path))) == {
        "texts": ["Digits", "Which digit it is.", "1.2", "A. Maker", "Apache-2.0", "image", "A digit", "scores"],
        "content": [2, 2],
        "unit": [1, 123.675, 255.0],
        "stats": [[0.0], [1.0]],
        "labels": [["labels.txt", 2]],
        "files": ["edgekit.json"],
    }


# Its native modules make JSON and versions only; the package cannot be imported without them.
DISPLAYER = """
import sys, types
package = "tensorflow_lite_support.metadata."
for name in (package + "cc.python._pywrap_metadata_version", package + "flatbuffers_lib._pywrap_flatbuffers"):
    parent, _, leaf = name.rpartition(".")
    sys.modules[name] = types.ModuleType(name)
    setattr(__import__(parent, fromlist=[leaf]), leaf, sys.modules[name])
from tensorflow_lite_support.metadata.python import metadata
displayer = metadata.MetadataDisplayer.with_model_file(sys.argv[1])
assert sorted(displayer.get_packed_associated_file_list()) == ["edgekit.json", "labels.txt"]
print(displayer.get_associated_file_buffer("labels.txt").decode(), end="")
"""


def test_tflite_support_finds_the_files(tflite_support: Path, tiny_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(write(tiny_bytes, SAID))
    assert support(tflite_support, DISPLAYER, str(path)).splitlines() == list(DIGITS)


NATIVE = """
import json, sys
try:
    from tensorflow_lite_support.metadata.python import metadata
    from tensorflow_lite_support.metadata.cc.python import _pywrap_metadata_version as version
except ImportError as error:
    print(json.dumps(str(error)))
    sys.exit()
displayer = metadata.MetadataDisplayer.with_model_file(sys.argv[1])
needed = version.GetMinimumMetadataParserVersion(displayer.get_metadata_buffer())
print(json.dumps([json.loads(displayer.get_metadata_json()), needed]))
"""


@pytest.mark.parametrize("content", ["image", "features", "audio", "unknown"])
def test_tflite_support_understands_it(
    tflite_support: Path, tiny_bytes: bytes, tmp_path: Path, content: Any
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(write(tiny_bytes, replace(SAID, inputs=(replace(SAID.inputs[0], content=content),))))
    answer = json.loads(support(tflite_support, NATIVE, str(path)))
    if isinstance(answer, str):
        pytest.skip(f"tflite-support's native part cannot be loaded here: {answer}")
    shown, needed = answer
    assert shown["name"] == "Digits"
    graph = shown["subgraph_metadata"][0]
    assert graph["input_tensor_metadata"][0]["process_units"][0]["options_type"] == "NormalizationOptions"
    assert graph["output_tensor_metadata"][0]["associated_files"][0]["type"] == "TENSOR_AXIS_LABELS"
    assert shown["min_parser_version"] == needed
