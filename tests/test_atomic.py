"""Files that are written whole or not at all, one or several together."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.atomic import check_writable, write_together
from edgekit.errors import OutputError


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file may grow beyond 1,000 bytes, as on a disk that is nearly full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_files_that_belong_together_replace_the_old_ones(tmp_path: Path) -> None:
    first, second = tmp_path / "net.tflite", tmp_path / "net.onnx"
    first.write_bytes(b"old")
    write_together({first: b"new", second: b"new too"})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        "net.tflite": b"new", "net.onnx": b"new too",
    }


@pytest.mark.usefixtures("little_room")
def test_where_one_does_not_fit_on_the_disk_all_stays_as_it_was(tmp_path: Path) -> None:
    first, second = tmp_path / "net.tflite", tmp_path / "net.onnx"
    first.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"cannot write .*net\.onnx: File too large"):
        write_together({first: b"new", second: bytes(5000)})
    assert [file.name for file in tmp_path.iterdir()] == ["net.tflite"]
    assert first.read_bytes() == b"old"


def test_what_cannot_be_written_is_found_out_before_and_leaves_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "net.tflite")
    for name, why in (("n" * 245, "File name too long"), ("n" * 300, "File name too long"), ("a/b", "No such file")):
        with pytest.raises(OutputError, match=why):
            check_writable(tmp_path / name)
    for folder in (tmp_path, Path(), Path("/")):
        with pytest.raises(OutputError, match="it is a folder"):
            check_writable(folder)
    assert not list(tmp_path.iterdir())
