"""Entry points as installers leave them on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit import plugins

ENTRIES = """
[console_scripts]
edgekit = other:main

[edgekit.devices]
# a comment
npu = npu.device:NPU
dotted = json:decoder.JSONDecoder.decode [extra]
whole=json

[edgekit.sources]
npu = npu.source:open
"""


def install(folder: Path, package: str, text: str | bytes = ENTRIES) -> None:
    (folder / package).mkdir(parents=True)
    (folder / package / "entry_points.txt").write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders in which Python looks for packages, in this order, and no others; the second is missing yet."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    monkeypatch.setattr("sys.path", [str(first), str(tmp_path / "file.zip"), str(second)])
    return first, second


def values() -> dict[str, str]:
    return {name: point.value for name, point in plugins.registered("edgekit.devices").items()}


def test_entries_of_a_group_are_found_and_loaded(folders: tuple[Path, Path]) -> None:
    install(folders[0], "npu-1.0.dist-info")
    assert values() == {"npu": "npu.device:NPU", "dotted": "json:decoder.JSONDecoder.decode", "whole": "json"}
    assert plugins.load("edgekit.devices", "dotted") is json.JSONDecoder.decode
    assert plugins.load("edgekit.devices", "whole") is json
    assert plugins.registered("edgekit.sources")["npu"].value == "npu.source:open"
    assert plugins.registered("edgekit.commands") == {}
    with pytest.raises(KeyError):
        plugins.load("edgekit.devices", "gpu")


def test_of_a_package_found_twice_the_first_counts(folders: tuple[Path, Path]) -> None:
    install(folders[0], "my_npu-2.0.dist-info", "[edgekit.devices]\nnew = new:NPU\n")
    install(folders[1], "My.NPU-1.0.egg-info", "[edgekit.devices]\nold = old:NPU\n")
    install(folders[1], "other-1.0.egg-info", "[edgekit.devices]\nother = other:NPU\n")
    assert values() == {"new": "new:NPU", "other": "other:NPU"}


def test_what_is_installed_meanwhile_is_found(folders: tuple[Path, Path]) -> None:
    assert values() == {}
    install(folders[1], "npu-1.0.dist-info")
    assert "npu" in values()


@pytest.mark.parametrize(
    "content", [b"\xff\xfe[edgekit.devices]\nnpu", b"edgekit.devices = 1", b"[edgekit.devices]\nnpu\n"]
)
def test_files_that_are_none_are_passed_over(folders: tuple[Path, Path], content: bytes) -> None:
    install(folders[0], "broken-1.0.dist-info", content)
    (folders[0] / "empty-1.0.dist-info").mkdir()
    install(folders[1], "npu-1.0.dist-info")
    assert "npu" in values()
