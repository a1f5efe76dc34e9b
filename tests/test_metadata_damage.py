"""Files whose metadata is damaged, or says what it may not."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from edgekit.errors import MissingFileError, ModelFileError
from edgekit.metadata import Metadata, read, write
from edgekit.tflite import parse_model
from edgekit.tflite.archive import MOST_BYTES

Pack = Callable[[Any], bytes]
quick = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])

Archive = Callable[..., bytes]


def members(model: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_flipped_bit_is_found_or_harmless(said: Metadata, tiny_bytes: bytes) -> None:
    written = write(tiny_bytes, said)
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


def test_a_cut_file_is_refused_wherever_it_is_cut(said: Metadata, tiny_bytes: bytes) -> None:
    written = write(tiny_bytes, said)
    for length in range(len(written)):
        with pytest.raises(ModelFileError):
            read(written[:length])


def test_a_changed_model_fails_its_checksum(said: Metadata, tiny_bytes: bytes, tmp_path: Path) -> None:
    written = write(tiny_bytes, said)
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
def test_what_edgekit_json_may_not_say(
    *, with_archive: Archive, said: Metadata, tiny_bytes: bytes, change: dict[str, Any], problem: str
) -> None:
    written = write(tiny_bytes, said)
    flatbuffer, found = written[: parse_model(written).flatbuffer_size], members(written)
    document = json.dumps(json.loads(found["edgekit.json"]) | change)
    model = with_archive(flatbuffer, edgekit__json=document, labels__txt=found["labels.txt"])
    with pytest.raises(ModelFileError) as raised:
        read(model)
    assert problem in str(raised.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100000, "\xff"])
def test_edgekit_json_that_is_no_object(with_archive: Archive, tiny_bytes: bytes, content: str) -> None:
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
