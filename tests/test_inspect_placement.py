"""`edgekit inspect --target`: what users and their programs see of a placement."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

SVG = "{http://www.w3.org/2000/svg}"
CUSTOM = 32


def inspect(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgekit", "inspect", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )


def as_json(*arguments: str | Path) -> Any:
    done = inspect(*arguments, "--target", "coral", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def movenet(shared: Path) -> Path:
    return shared / "tflite" / "movenet_single_pose_lightning_ptq.tflite"


@pytest.fixture
def leaky(build: Any) -> Path:
    quantized = ("int8", 0.1, 0)
    path: Path = build(
        "LEAKY_RELU", [("net/conv/Relu", (1, 8, 8, 3), *quantized)], [("net/act/LeakyRelu", (1, 8, 8, 3), *quantized)]
    )
    return path


def test_for_people(leaky: Path) -> None:
    done = inspect(leaky, "--target", "coral")
    assert done.returncode == 0, done.stderr
    assert done.stdout == """\
leaky_relu.tflite
  Target      coral
  Compiler    edgetpu_compiler 16.0.384591198, foretold and not run
  Operations  0 of 1 on coral, 1 on the cpu

Operator    Count  Status
LEAKY_RELU      1  Operation not supported

operation 0: LEAKY_RELU on the cpu; layer act
  The Edge TPU does not compute LEAKY_RELU.
  -> edgekit convert --target coral writes it in operations that map. Or use
     PReLU(shared_axes=[1, 2]); maximum(x, a * x) maps too, and is less
     accurate.
"""


def test_for_programs(leaky: Path) -> None:
    shown = as_json(leaky)
    (operation,) = shown["operations"]
    assert {key: operation[key] for key in ("index", "type", "name", "layer", "placement", "status", "reason")} == {
        "index": 0, "type": "LEAKY_RELU", "name": "net/act/LeakyRelu", "layer": "act", "placement": "cpu",
        "status": "Operation not supported", "reason": "The Edge TPU does not compute LEAKY_RELU.",
    }
    assert operation["advice"].startswith("edgekit convert --target coral writes it")
    assert operation["inputs"] == ["net/conv/Relu"]
    placement = shown["placement"]
    assert placement["operations"] == {"total": 1, "coral": 0, "cpu": 1}
    assert placement["summary"] == [{"type": "LEAKY_RELU", "count": 1, "status": "Operation not supported"}]
    assert placement["memory"]["capacity"] == 8 * 2**20


def test_without_a_target_nothing_changes(leaky: Path) -> None:
    shown = json.loads(inspect(leaky, "--json").stdout)
    assert "placement" not in shown
    assert "placement" not in shown["operations"][0]


def test_a_partly_mapped_model(movenet: Path) -> None:
    shown = as_json(movenet)
    assert shown["placement"]["operations"] == {"total": 157, "coral": 98, "cpu": 59}
    assert [operation["index"] for operation in shown["operations"]] == list(range(157))
    assert {operation["placement"] for operation in shown["operations"]} == {"coral", "cpu"}
    (part,) = shown["placement"]["parts"]
    assert part["operations"] == [op["index"] for op in shown["operations"] if op["placement"] == "coral"]
    assert (part["bytes_in"], part["bytes_in"]) == (sum(one["bytes"] for one in part["inputs"]), 192 * 192 * 3)


def test_all_subgraphs(movenet: Path) -> None:
    first, every = (as_json(movenet, "--subgraphs", mode)["placement"] for mode in ("first", "all"))
    assert every["operations"]["coral"] > first["operations"]["coral"]
    assert len(every["parts"]) > len(first["parts"]) == 1


def test_a_compiled_model_shows_what_is_inside(shared: Path) -> None:
    path = shared / "tflite" / "keras_lstm_mnist_ptq_edgetpu.tflite"
    text = inspect(path, "--target", "coral").stdout
    assert "Package of operation 0" in text
    assert "Cached parameters" in text
    shown = as_json(path)
    (package,) = shown["placement"]["packages"]
    assert package["min_runtime_version"] >= 10
    assert package["cached_bytes"] + package["streamed_bytes"] > 0
    assert shown["operations"][0]["placement"] == "coral"


def test_a_damaged_package(tmp_path: Path, tiny_parts: Any, pack_model: Any) -> None:
    code, (operator, *_) = tiny_parts.operatorCodes[0], tiny_parts.subgraphs[0].operators
    code.builtinCode = code.deprecatedBuiltinCode = CUSTOM
    code.customCode, operator.customOptions = b"edgetpu-custom-op", [1, 2, 3, 4]
    operator.builtinOptionsType, operator.builtinOptions = 0, None
    path = tmp_path / "half_edgetpu.tflite"
    path.write_bytes(pack_model(tiny_parts))
    done = inspect(path, "--target", "coral")
    assert (done.returncode, done.stdout) == (2, "")
    assert "half_edgetpu.tflite: the Edge TPU's package of operation 0 cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_float_model_is_refused_by_the_compiler(numbers: Path) -> None:
    done = inspect(numbers, "--target", "coral")
    assert done.returncode == 0, done.stderr
    assert "Refused: Model not quantized" in done.stdout
    assert "edgekit convert --target coral" in done.stdout


def test_every_real_file_fits_a_terminal(shared: Path) -> None:
    for path in sorted(shared.rglob("*.tflite"))[::5]:
        done = inspect(path, "--target", "coral")
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80, path.name


def boxes(picture: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of each operation's box."""
    found = []
    for group in picture.iter(f"{SVG}g"):
        box = group.find(f"{SVG}rect")
        assert box is not None
        x, y, width, height = (float(box.attrib[key]) for key in ("x", "y", "width", "height"))
        found.append((x, y, x + width, y + height))
    return found


def test_a_drawing_of_a_large_model(shared: Path, tmp_path: Path) -> None:
    model = shared / "edgetpu" / "models" / "thermal-face__thermal_face_automl_edge_fast.tflite"
    if not model.is_file():
        pytest.skip(f"the model is not here: {model}")
    path = tmp_path / "graph.svg"
    assert inspect(model, "--target", "coral", "--svg", path).returncode == 0
    picture = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    found = boxes(picture)
    assert len(found) == 294
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    assert all(left >= 0 and right <= width and top >= 0 and bottom <= height for left, top, right, bottom in found)
    for (l1, t1, r1, b1), (l2, t2, r2, b2) in combinations(found, 2):
        assert r1 <= l2 or r2 <= l1 or b1 <= t2 or b2 <= t1
    assert "http" not in path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_drawing_tells_all_and_runs_nothing(build: Any, tmp_path: Path) -> None:
    quantized = ("int8", 0.1, 0)
    evil = '<script>alert("1")</script>\x1b&\x00'
    model = build("ABS", [("x", (1, 8), *quantized)], [(f"net/{evil}/Abs", (1, 8), *quantized)])
    path = tmp_path / "graph.svg"
    done = inspect(model, "--target", "coral", "--svg", path)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    text = path.read_text(encoding="utf-8")
    assert "<script" not in text
    picture = ElementTree.fromstring(text)
    (title,) = picture.iter(f"{SVG}title")
    assert "Operation not supported" in (title.text or "")
    assert "Write it as relu" in (title.text or "")


def test_a_drawing_never_replaces_the_model(leaky: Path) -> None:
    before = leaky.read_bytes()
    done = inspect(leaky, "--target", "coral", "--svg", leaky)
    assert done.returncode == 2
    assert "is what it is made from" in done.stderr
    assert leaky.read_bytes() == before


def test_a_drawing_that_cannot_be_written(leaky: Path, tmp_path: Path) -> None:
    done = inspect(leaky, "--target", "coral", "--svg", tmp_path / "missing" / "graph.svg")
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert done.stdout == ""
    done = inspect(leaky, "--target", "coral", "--svg", tmp_path)
    assert done.returncode == 1
    assert "cannot write" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "nano"], "--target cannot be 'nano'\nChoose one of coral, jetson."),
        (["--target", "corel"], "Did you mean 'coral'?"),
        (["--target", ""], "--target cannot be ''"),
        (["--target", "coral", "--subgraphs", "some"], "--subgraphs cannot be 'some'"),
        (["--svg", "graph.svg"], "Give --target"),
        (["--subgraphs", "all"], "Give --target"),
    ],
)
def test_options_that_do_not_exist(leaky: Path, arguments: list[str], message: str) -> None:
    done = inspect(leaky, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
