"""`edgekit inspect`: what a model file holds, for people and for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit import ModelFileError
from edgekit.metadata import InputMetadata, Metadata, Normalization, OutputMetadata, write


def inspect(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgekit", "inspect", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )


def as_json(path: Path) -> Any:
    done = inspect(path, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def described(tmp_path: Path, tiny_bytes: bytes) -> Path:
    """The tiny classifier with metadata."""
    path = tmp_path / "digits.tflite"
    image = InputMetadata(
        content="image", channels="gray", normalization=Normalization((0.0,), (255.0,)), resize="letterbox"
    )
    said = Metadata(
        name="Digits", inputs=(image,), outputs=(OutputMetadata(labels=tuple("abcdefghij")),),
        task="classification", target="cpu", provenance={"source": "digits.keras", "samples": 100},
    )
    path.write_bytes(write(tiny_bytes, said))
    return path


def test_for_people(described: Path) -> None:
    done = inspect(described)
    assert done.returncode == 0, done.stderr
    size = f"{described.stat().st_size:,}"
    archive = done.stdout.split("bytes, ")[1].split(" of them")[0]
    assert done.stdout == f"""\
digits.tflite
  Size            {size} bytes, {archive} of them archive
  Description     tiny classifier
  Oldest runtime  TensorFlow 1.14.0

Inputs
  image  int8  1 x 8 x 8 x 1  scale 0.00392157, zero point -128

Outputs
  scores  int8  1 x 10  scale 0.00390625, zero point -128

Feeding
  image  gray pictures, letterboxed to 8 x 8, (pixel - 0) / 255, quantized to
         int8

Metadata: EdgeKit
  Task     classification
  Target   cpu
  Name     Digits
  Labels   10: a; b; c; d; e; ...
  source   digits.keras
  samples  100
  Files    edgekit.json, labels.txt

Operations: 2
  1  FULLY_CONNECTED  v4
  1  SOFTMAX          v2
"""


def test_for_programs(described: Path) -> None:
    shown = as_json(described)
    assert list(shown) == ["file", "size", "description", "inputs", "outputs", "metadata", "operations"]
    assert (shown["file"], shown["size"]) == (str(described), described.stat().st_size)
    (image,) = shown["inputs"]
    assert (image["name"], image["shape"], image["dtype"]) == ("image", [1, 8, 8, 1], "int8")
    assert image["quantization"]["zero_points"] == [-128]
    assert shown["metadata"]["task"] == "classification"
    assert shown["metadata"]["outputs"][0]["labels"] == list("abcdefghij")
    assert shown["metadata"]["provenance"] == {"source": "digits.keras", "samples": 100}
    assert shown["operations"] == [
        {
            "index": 0, "type": "FULLY_CONNECTED", "custom_code": None, "version": 4,
            "inputs": ["serving_default_image:0", "dense/weights", "dense/bias"], "outputs": ["dense/logits"],
        },
        {
            "index": 1, "type": "SOFTMAX", "custom_code": None, "version": 2,
            "inputs": ["dense/logits"], "outputs": ["StatefulPartitionedCall:0"],
        },
    ]


def test_a_model_without_metadata(tiny_classifier: Path) -> None:
    assert "Metadata: none\n  Task  classification (a guess)\n" in inspect(tiny_classifier).stdout


def test_pictures_that_nobody_knows_how_to_normalize(tmp_path: Path, tiny_bytes: bytes) -> None:
    path = tmp_path / "digits.tflite"
    path.write_bytes(write(tiny_bytes, Metadata(inputs=(InputMetadata(content="image"),))))
    shown = " ".join(inspect(path).stdout.split())
    assert "gray pictures, stretched to 8 x 8, normalized as nobody said: give --normalize" in shown


def test_the_state_within_an_lstm_is_no_float_tensor(shared: Path) -> None:
    assert "tensors are float" not in inspect(shared / "tflite/keras_lstm_mnist_ptq.tflite").stdout


def test_an_input_with_a_scale_for_each_slice(tmp_path: Path, tiny_parts: Any, pack_model: Any) -> None:
    quantization = tiny_parts.subgraphs[0].tensors[0].quantization
    quantization.scale, quantization.zeroPoint = [0.5] * 8, [0] * 8
    path = tmp_path / "sliced.tflite"
    path.write_bytes(pack_model(tiny_parts))
    assert "not to be fed: it has a scale for each slice" in inspect(path).stdout
    with pytest.raises(ModelFileError, match=r"sliced\.tflite: tensor serving_default_image:0 has a scale for each"):
        edgekit.load(path)


def test_a_model_compiled_for_the_edge_tpu(shared: Path) -> None:
    path = shared / "tflite/keras_lstm_mnist_ptq_edgetpu.tflite"
    assert "Compiled for the Edge TPU" in inspect(path).stdout
    (operation,) = as_json(path)["operations"]
    assert (operation["type"], operation["custom_code"]) == ("CUSTOM", "edgetpu-custom-op")


def test_float_tensors_are_pointed_out(shared: Path) -> None:
    text = inspect(shared / "tflite/movenet_single_pose_lightning_ptq.tflite").stdout
    assert "11 computed tensors are float: Cast, Cast_4, Cast_5, ..." in text


def test_every_real_file_fits_a_terminal(shared: Path) -> None:
    for path in sorted(shared.rglob("*.tflite"))[::4]:
        done = inspect(path)
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80, path.name
        assert path.name in done.stdout


def test_a_name_cannot_steer_the_terminal(tmp_path: Path, tiny_bytes: bytes) -> None:
    path = tmp_path / "evil.tflite"
    path.write_bytes(write(tiny_bytes, Metadata(name="\x1b[2J\x1b]0;owned\x07Digits")))
    assert "\x1b" not in inspect(path).stdout


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere.tflite", None, "no such file"),
        ("cat.tflite", b"\xff\xd8\xff\xe0", "a JPEG picture"),
        ("model.h5", b"\x89HDF\r\n\x1a\n", "edgekit convert"),
    ],
)
def test_what_is_no_model(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = inspect(path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
