"""Metadata that other tools wrote."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import ModelFileError
from edgekit.metadata import InputMetadata, Metadata, Normalization, OutputMetadata, read
from edgekit.tflite import parse_model, read_model

Pack = Callable[[Any], bytes]
quick = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])

DIGITS = tuple(f"digit {number}" for number in range(10))
Archive = Callable[..., bytes]


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


def test_labels_that_no_output_claims(with_archive: Archive, tiny_bytes: bytes) -> None:
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
def test_ultralytics(with_archive: Archive, tiny_bytes: bytes, member: str, content: str) -> None:
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
    [
        ("classify", "classification", "crop"),
        ("segment", "instance-segmentation", "letterbox"),  # which EdgeKit does not do
        ("pose", "pose", "letterbox"),
    ],
)
def test_ultralytics_tasks(with_archive: Archive, tiny_bytes: bytes, theirs: str, ours: str, resize: str) -> None:
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
def test_what_looks_like_ultralytics_and_is_not_is_passed_over(
    with_archive: Archive, tiny_bytes: bytes, member: str, content: str
) -> None:
    assert read(with_archive(tiny_bytes, **{member: content})).origin == "none"


def test_ultralytics_with_strange_names(with_archive: Archive, tiny_bytes: bytes) -> None:
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
