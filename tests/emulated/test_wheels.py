"""What can be seen of the wheels for boards without running them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from tests.emulated.roots import SITE, versions

PAGE = 16 * 1024
"""Bytes of a page of Raspberry Pi OS's kernel for the Raspberry Pi 5, which the emulator does not imitate."""
LOAD = 1


def alignments(library: Path) -> Iterator[int]:
    """How the parts of a 64-bit ELF file that are loaded have to lie in memory (ELF-64, "program header")."""
    content = library.read_bytes()
    start, size, count = struct.unpack_from("<Q", content, 32)[0], *struct.unpack_from("<HH", content, 54)
    for at in range(start, start + size * count, size):
        if struct.unpack_from("<I", content, at)[0] == LOAD:
            yield struct.unpack_from("<Q", content, at + 48)[0]


def test_libraries_can_be_loaded_where_pages_are_of_16_kib(cache: Path) -> None:
    libraries = [path for path in (cache / "arm64" / SITE).rglob("*.so*") if path.read_bytes()[:4] == b"\x7fELF"]
    assert len(libraries) > 10
    assert [str(path) for path in libraries if any(step % PAGE for step in alignments(path))] == []


def test_32_bit_boards_get_the_runtime_that_there_is_for_them(cache: Path) -> None:
    wheels = versions(cache / "armhf")
    assert wheels["tflite_runtime"] == "2.14.0"
    assert set(wheels) == {"tflite_runtime", "click", "flatbuffers"}
    assert "ai_edge_litert" in versions(cache / "arm64")
