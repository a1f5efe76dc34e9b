"""Fixtures for all tests."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Test modules are imported by path, each on its own, so that helpers come in here and go out as fixtures.
_TINY = runpy.run_path(str(Path(__file__).with_name("tiny_models.py")))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real models and inputs by other people, beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real models are not here: {folder}")
    return folder


@pytest.fixture(scope="session")
def pack_model() -> Callable[[Any], bytes]:
    """Makes bytes of a `ModelT` of ai_edge_litert.schema_py_generated."""
    pack: Callable[[Any], bytes] = _TINY["pack"]
    return pack


@pytest.fixture
def tiny_parts() -> Any:
    """The tiny classifier as a `ModelT`, to be changed before it is packed."""
    return _TINY["classifier"]()


@pytest.fixture(scope="session")
def tiny_bytes() -> bytes:
    """A `.tflite` file of 2 kB: a gray int8 picture (1, 8, 8, 1) of 0 to 1 in, ten int8 scores out.

    Class k answers to light at the pixels whose number (row by row) ends in k.
    """
    content: bytes = _TINY["pack"](_TINY["classifier"]())
    return content


@pytest.fixture
def tiny_classifier(tmp_path: Path, tiny_bytes: bytes) -> Path:
    """Path of the tiny classifier, without metadata."""
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_bytes)
    return path
