"""Opening models: devices, files, and options that do not exist."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import edgekit
from edgekit import (
    DeviceError,
    MissingFileError,
    Model,
    ModelFileError,
    UsageError,
    plugins,
)
from edgekit.interpreter import Engine, default_threads, explain

Build = Callable[..., Path]


@pytest.mark.parametrize("device", ["tpu", "corall", ""])
def test_an_unknown_device_is_told_the_known_ones(numbers: Path, device: str) -> None:
    with pytest.raises(UsageError, match=f"device cannot be '{device}'") as caught:
        edgekit.load(numbers, device=device)
    assert "auto, cpu, coral" in caught.value.hint
    assert ("Did you mean 'coral'?" in caught.value.hint) is (device == "corall")


@pytest.mark.parametrize(
    ("options", "words", "hint"),
    [
        ({"channels": "xyz"}, "channels cannot be 'xyz'", "Choose one of rgb, bgr."),
        ({"channels": "gray"}, "channels cannot be 'gray'", "Choose one of rgb, bgr."),
        ({"resize": "squash"}, "resize cannot be 'squash'", "Choose one of stretch, letterbox, crop."),
        ({"resize": "strech"}, "resize cannot be 'strech'", "Did you mean 'stretch'?"),
    ],
)
def test_options_that_are_no_such_word_are_refused(
    photo_model: Path, options: dict[str, Any], words: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        edgekit.load(photo_model, **options)
    assert hint in caught.value.hint


def test_the_cpu_needs_no_look_at_what_is_registered(numbers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def registered(group: str) -> Any:
        raise AssertionError(f"{group} was looked for")

    monkeypatch.setattr(plugins, "registered", registered)
    assert edgekit.load(numbers, device="cpu").device == "cpu"


def test_edge_tpu_files_and_devices_have_to_go_together(numbers: Path, build: Build) -> None:
    with pytest.raises(UsageError, match="not compiled for the Edge TPU"):
        edgekit.load(numbers, device="coral")
    compiled = build(
        "CUSTOM", [("x", (1, 3), "int8", 1)], [("y", (1, 3), "int8", 1)], code="edgetpu-custom-op"
    )
    with pytest.raises(UsageError, match="cannot run on the cpu"):
        edgekit.load(compiled, device="cpu")
    with pytest.raises(DeviceError, match="Edge TPU"):
        edgekit.load(compiled)


def test_operations_that_the_runtime_lacks_are_explained(build: Build) -> None:
    path = build("CUSTOM", [("x", (1, 3), "float32")], [("y", (1, 3), "float32")], code="MyOwn")
    with pytest.raises(ModelFileError, match="MyOwn") as caught:
        edgekit.load(path)
    assert "no part of TensorFlow Lite" in caught.value.hint
    path = build("CUSTOM", [("x", (1, 3), "float32")], [("y", (1, 3), "float32")], code="FlexErf")
    with pytest.raises(ModelFileError, match="Flex") as caught:
        edgekit.load(path)
    assert "Select TF ops" in caught.value.hint


def test_an_operation_of_a_newer_tensorflow_is_explained() -> None:
    """The words of the runtime, as it says them of a version that it does not know."""
    reason = "Didn't find op for builtin opcode 'ABS' version '99'. An older version might be supported."
    error = explain(Path("m.tflite"), reason, "ai_edge_litert")
    assert "m.tflite cannot be run by ai_edge_litert" in error.message
    assert "newer TensorFlow" in error.hint


def test_free_dimensions_and_large_batches_are_refused(build: Build) -> None:
    for shape in ((1, -1), (4, 3)):
        with pytest.raises(ModelFileError, match="batch of 1"):
            edgekit.load(build("ABS", [("x", shape, "float32")], [("y", shape, "float32")]))


def test_damaged_and_missing_models(tmp_path: Path, tiny_bytes: bytes) -> None:
    with pytest.raises(MissingFileError):
        edgekit.load(tmp_path / "absent.tflite")
    cut = tmp_path / "cut.tflite"
    for length in range(0, len(tiny_bytes), 97):
        cut.write_bytes(tiny_bytes[:length])
        with pytest.raises(ModelFileError, match=r"cut\.tflite"):
            edgekit.load(cut)


def test_threads_are_counted(numbers: Path) -> None:
    assert 1 <= default_threads() <= 4
    assert Engine(numbers).threads == default_threads()
    assert edgekit.load(numbers, threads=2).threads == 2
    with pytest.raises(UsageError, match="threads is 0"):
        edgekit.load(numbers, threads=0)


def test_a_model_says_what_it_is(numbers: Path) -> None:
    model = edgekit.load(numbers)
    assert repr(model) == "<Model abs.tflite: values on cpu>"
    assert isinstance(model, Model)
    assert model.metadata.origin == "none"


def test_devices_are_entry_points() -> None:
    """The same that Python's own library finds, which takes longer to import than all of `edgekit`."""
    for group in get_args(plugins.Group):
        theirs = {point.name: point.value for point in entry_points(group=group)}
        assert {name: point.value for name, point in plugins.registered(group).items()} == theirs
    assert "coral" in plugins.registered("edgekit.devices")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threads": "2"}, "threads is '2'"),
        ({"threads": 100_000}, "from 1 to 256"),
        ({"threads": True}, "threads is True"),
        ({"top": "5"}, "top is '5'"),
        ({"top": 0}, "top is 0"),
        ({"normalize": (0, 1)}, r"normalize cannot be \(0, 1\)"),
        ({"labels": ["a", 2]}, "labels hold 2"),
        ({"labels": 3}, "labels hold 3"),
    ],
)
def test_options_of_another_type_are_refused(numbers: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        edgekit.load(numbers, **options)


def test_names_that_are_no_text_are_told(tiny_parts: Any, pack_model: Callable[[Any], bytes], tmp_path: Path) -> None:
    tiny_parts.subgraphs[0].tensors[0].name = b"\xff\xfe"
    (tmp_path / "m.tflite").write_bytes(pack_model(tiny_parts))
    with pytest.raises(ModelFileError, match="no UTF-8 text"):
        edgekit.load(tmp_path / "m.tflite")


def test_an_output_that_nothing_computes(tiny_parts: Any, pack_model: Callable[[Any], bytes], tmp_path: Path) -> None:
    tiny_parts.subgraphs[0].operators.clear()
    (tmp_path / "m.tflite").write_bytes(pack_model(tiny_parts))
    model = edgekit.load(tmp_path / "m.tflite", task="values")
    with pytest.raises(DeviceError, match="failed while running"):
        model(np.zeros((8, 8), np.uint8))
