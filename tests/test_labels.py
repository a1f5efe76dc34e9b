"""Files of class names."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import DataError, MissingFileError
from edgekit.labels import read_labels


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return tmp_path / "labels.txt"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat\ndog\n", ("cat", "dog")),
        ("cat\r\ndog", ("cat", "dog")),
        ("\ufeffcat\ndog\n\n\n", ("cat", "dog")),
        ("Größe\n猫\n", ("Größe", "猫")),
        ("tench, Tinca tinca\ngoldfish\n", ("tench, Tinca tinca", "goldfish")),
        ("cat\n\ndog\n", ("cat", "", "dog")),
        ("0\n1\n2\n", ("0", "1", "2")),
    ],
)
def test_one_name_a_line(labels: Path, text: str, expected: tuple[str, ...]) -> None:
    labels.write_bytes(text.encode())
    assert read_labels(labels) == expected


@pytest.mark.parametrize("text", ["0  person\n1  bicycle\n3  motorcycle\n", "0: person\n1:bicycle\n3 :  motorcycle"])
def test_numbered_names_go_where_their_numbers_say(labels: Path, text: str) -> None:
    labels.write_text(text)
    assert read_labels(labels) == ("person", "bicycle", "", "motorcycle")


@pytest.mark.parametrize("text", ["0 person\nbicycle\n", "1 euro\n1 cent\n", "2 euros\n1 euro\n", "3 dogs\n"])
def test_numbers_that_do_not_ascend_are_part_of_the_name(labels: Path, text: str) -> None:
    labels.write_text(text)
    assert read_labels(labels) == tuple(text.splitlines())


def test_a_huge_number_makes_no_huge_list(labels: Path) -> None:
    labels.write_text("0 a\n99999999999 b\n")
    assert read_labels(labels) == ("0 a", "99999999999 b")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"a\0b\n", b"\xff\xd8\xff\xe0JFIF", "Größe".encode("latin-1")])
def test_what_holds_no_labels_is_refused(labels: Path, content: bytes) -> None:
    labels.write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.txt"):
        read_labels(labels)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no such file: .*nowhere"):
        read_labels(tmp_path / "nowhere.txt")
    with pytest.raises(MissingFileError, match="is a folder"):
        read_labels(tmp_path)


def test_imagenet(shared: Path) -> None:
    labels = read_labels(shared / "images/imagenet_labels.txt")
    assert len(labels) == 1001
    assert labels[286] == "Egyptian cat"
